"""What lies around a picture that was not there when it was made: a frame, bars, the window of a viewer.

Such a surround is flat: lines of one level, or a window of few colours, that end in a straight edge. Pictures have flat
margins of their own (the air around a head, bars of a film's scanner): `ImageInput` says how wide those of the
training pictures are, and no narrower ones are ever cut off. So a picture as models were trained on stays as
it is, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_model.inputs.images.geometry import Box
from ml_model.tasks.registry import ImageInput

SurroundKind = Literal["frame", "screen"]
Pixels = NDArray[np.uint8]
Axis = Literal[0, 1]  # rows, columns

_TOLERANCE = 6  # levels by which the lines of a frame differ from its colour; a codec adds as much
_STRAY_SHARE = 0.02  # of a line's pixels may differ more
_DARK_LEVEL = 60  # a colour up to it may be that of air, or of a film's own bars
_LIGHT_LEVEL = 160  # a colour from it on, in all channels, may be that of paper
_SAME_COLOUR = 12  # levels by which the two ends of a frame differ at most
_MOST_SURROUNDS = 4  # one within the other
_LEAST_SIDE_SHARE = 0.1  # of the upload's: smaller things are no picture in a frame
_FLAT_EDGE_SHARE = 0.8  # of the steps along an edge of an upload that has a surround are none
_FLAT_STEP = 2  # levels between neighbours
_SURVEY_SIDE_PX = 256
_FLAT_LEVELS = 4  # by which pixels of one colour of a window differ at most,
_MEAN_DEVIATION = 1.0  # and on the average: in a gradient they differ more
_STRETCH_PX = 6  # of an edge: a part of a window is at least so wide there
_MOST_PARTS = 100  # looked at
_LEAST_PART_SHARE = 0.005  # of the area, for a flat part of a window
_OPENING_SHARE = 0.06  # of the side: letters, icons and lines are thinner, pictures are not
_RECTANGLE_FILL = 0.97  # share of its box that a picture in a window fills
_STEP_LEVELS = 8  # by which a picture differs from the window beside it
_SEEN_EDGE = 0.3  # share of its outline where it does
_STRAIGHT_EDGE = 0.6  # the same in a small patch; of 1,159 of 50 pixels two had flat ends, with .1 and .06
_FLAT_WINDOW_SHARE = 0.6  # of what is outside the picture
_FOREIGN_SHARE = 0.2  # of that, of colours that the margins of such a picture do not have
_LEAST_PICTURE_SHARE = 0.04  # of the area


@dataclass(frozen=True)
class Surround:
    """box: of the picture in the upright upload, in its pixels. kind: a frame or bars of one colour; or a window."""

    box: Box
    kind: SurroundKind

    @property
    def warning(self) -> str:
        """A sentence on what was cut off."""
        left, top, right, bottom = self.box
        what = "a frame around the picture" if self.kind == "frame" else "a window around the picture, as of a viewer,"
        return (
            f"{what} was cut off: the answer is of the part from ({left}, {top}) to ({right}, {bottom}) in pixels of "
            "the upload; send the original picture instead, which shows more"
        )

    def rescaled(self, old_size: tuple[int, int], new_size: tuple[int, int]) -> Surround:
        """The same in a copy of the upload of another size; sizes are (width, height) in pixels."""
        if old_size == new_size:
            return self
        x, y = new_size[0] / old_size[0], new_size[1] / old_size[1]
        left, top, right, bottom = self.box
        return Surround((round(left * x), round(top * y), round(right * x), round(bottom * y)), self.kind)


def find_surround(rgb: Image.Image, image_input: ImageInput) -> Surround | None:
    """What is around the picture in an upright upload, mode RGB; None where nothing is."""
    above, below, before, behind = map(_may_be_flat, _edges(rgb))
    if not (above and below or before and behind):
        return None
    pixels, box = np.asarray(rgb), (0, 0, rgb.width, rgb.height)
    kind: SurroundKind | None = None
    for _ in range(_MOST_SURROUNDS):
        left, top, right, bottom = box
        part = pixels[top:bottom, left:right]
        framed = _within_frame(part, image_input)
        inner = framed or _within_window(part, image_input)
        if inner is None:
            break
        box = (left + inner[0], top + inner[1], left + inner[2], top + inner[3])
        if box[2] - box[0] < _LEAST_SIDE_SHARE * rgb.width or box[3] - box[1] < _LEAST_SIDE_SHARE * rgb.height:
            return None
        kind = "frame" if framed and kind != "screen" else "screen"
    left, top, right, bottom = box
    if kind is None or all((row == pixels[top, left]).all() for row in pixels[top:bottom, left:right]):
        return None  # what is of one colour is no picture
    return Surround(box, kind)


def ends_straight(rgb: Image.Image, surround: Surround) -> bool:
    """Whether a surround of an upload ends in straight edges, as tissue on a slide without any does not."""
    return _edge_seen(np.asarray(rgb), surround.box) >= _STRAIGHT_EDGE


def _edges(rgb: Image.Image) -> Iterator[Pixels]:
    """The four outermost lines, (length, 3) each."""
    width, height = rgb.size
    for box in ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)):
        yield np.asarray(rgb.crop(box)).reshape(-1, 3)


def _may_be_flat(line: Pixels) -> bool:
    """Whether a line is of one level, or of a few with steps between them."""
    steps = np.abs(np.diff(line.astype(np.int16), axis=0)).max(axis=1, initial=0)
    return int((steps <= _FLAT_STEP).sum()) >= _FLAT_EDGE_SHARE * len(steps)


def _within_frame(part: Pixels, image_input: ImageInput) -> Box | None:
    """The box without the flat lines at both ends of its rows, of its columns, or of both, where those were added."""
    height, width = part.shape[:2]
    margins = _margins_of(part, 1, image_input), _margins_of(part, 0, image_input)
    around = all(margin.share > margin.own[1] for margin in margins)
    (left, right), (top, bottom) = (
        (margin.before, margin.after) if around or margin.share > margin.own[0] else (0, 0) for margin in margins
    )
    if not (left or top) or left + right >= width or top + bottom >= height:
        return None
    return left, top, width - right, height - bottom


@dataclass(frozen=True)
class _Margins:
    """Flat lines of one colour at both ends of a side; share: of the narrower in all lines; own: as of `ImageInput`."""

    before: int
    after: int
    share: float
    own: tuple[float, float]


def _margins_of(part: Pixels, axis: Axis, image_input: ImageInput) -> _Margins:
    """Those of the rows (axis 0) or columns (axis 1); of two colours they are none."""
    first, last = (np.median(part.take(at, axis), axis=0) for at in (0, -1))
    if np.abs(first - last).max() > _SAME_COLOUR:
        return _Margins(0, 0, 0.0, (0.0, 0.0))
    before, length = _flat_lines(part, first, axis), part.shape[axis]
    after = _flat_lines(part, last, axis, from_end=True) if before < length else length
    own = (0.0, 0.0)
    if max(first.max(), last.max()) <= _DARK_LEVEL:
        own = image_input.own_dark_margins
    elif min(first.min(), last.min()) >= _LIGHT_LEVEL:
        own = image_input.light_margins
    return _Margins(before, after, min(before, after) / length, own)


def _flat_lines(part: Pixels, colour: NDArray[np.float64], axis: Axis, *, from_end: bool = False) -> int:
    """How many rows (axis 0) or columns (axis 1) of (row, column, 3), from the first or last on, have a colour."""
    count, step, length = 0, 1, part.shape[axis]
    low, high = tuple(colour - _TOLERANCE), tuple(colour + _TOLERANCE)
    while count < length:
        step = min(step, length - count)
        start = length - count - step if from_end else count
        some = part[start : start + step] if axis == 0 else part[:, start : start + step]
        same = cv2.reduce(cv2.inRange(some, low, high), 1 - axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
        stray = (same[::-1] if from_end else same) < 255 * (1 - _STRAY_SHARE)
        if stray.any():
            return count + int(stray.argmax())
        count, step = count + step, 2 * step
    return count


def _within_window(part: Pixels, image_input: ImageInput) -> Box | None:
    """The box of a picture in a viewer's window: a rectangle among flat parts that reach the edges."""
    step = max(1, math.ceil(max(part.shape[:2]) / _SURVEY_SIDE_PX))
    small = part[::step, ::step].copy()  # the filling asks for an array that it may write to
    window = _flat_parts_at_the_edge(small)
    if not window.any():
        return None
    size = 1 + 2 * max(1, round(_OPENING_SHARE * max(window.shape) / 2))  # odd: an even one would move the outline
    inside = cv2.morphologyEx((~window).astype(np.uint8), cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(np.asarray(inside, np.uint8), connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height, _ = map(int, statistics[largest])
    box, outside = (left, top, left + width, top + height), np.ones(window.shape, np.bool_)
    outside[top : box[3], left : box[2]] = False
    if width * height < _LEAST_PICTURE_SHARE * window.size or not outside.any():
        return None
    if window[outside].mean() < _FLAT_WINDOW_SHARE:
        return None
    filled = _filled(labels == largest)[top : box[3], left : box[2]].mean()
    rectangle = filled >= _RECTANGLE_FILL and _edge_seen(small, box) >= _SEEN_EDGE
    if not _is_foreign(small[window & outside], image_input):
        # A picture that has such margins of its own may lie in wider ones, of any outline.
        rectangle = rectangle or image_input.own_dark_margins[0] > 0
        if not _wider(box, window.shape, max(image_input.own_dark_margins, image_input.light_margins)):
            return None
    return _to_the_edges(part, box, step) if rectangle else None


def _edge_seen(small: Pixels, box: Box) -> float:
    """Share of a box's outline across which the levels change."""
    left, top, right, bottom = box
    rows, columns = small[:, left:right], small[top:bottom].transpose(1, 0, 2)
    changes = [
        np.abs(lines[at].astype(np.int16) - lines[at - 1]).max(axis=1) > _STEP_LEVELS
        for lines, ends in ((columns, (left, right)), (rows, (top, bottom)))
        for at in ends
        if 0 < at < len(lines)
    ]
    return float(np.concatenate(changes).mean()) if changes else 0.0


def _is_foreign(window: Pixels, image_input: ImageInput) -> bool:
    """Whether the flat parts of a window (pixel, 3) have colours that the margins of such a picture do not."""
    foreign = window.max(axis=1) > _DARK_LEVEL
    if any(image_input.light_margins):
        foreign &= window.min(axis=1) < _LIGHT_LEVEL
    return bool(foreign.mean() >= _FOREIGN_SHARE)


def _wider(box: Box, shape: tuple[int, ...], own: tuple[float, float]) -> bool:
    """Whether the margins around a box are wider than a picture's own."""
    left, top, right, bottom = box
    shares = min(left, shape[1] - right) / shape[1], min(top, shape[0] - bottom) / shape[0]
    return max(shares) > own[0] or min(shares) > own[1]


def _flat_parts_at_the_edge(small: Pixels) -> NDArray[np.bool_]:
    """Where parts of one colour reach the edges, as a mask (rows, columns)."""
    height, width = small.shape[:2]
    parts = np.zeros((height + 2, width + 2), np.uint8)
    label, large = 0, np.zeros(256, np.bool_)
    for x, y in _seeds(small):
        if parts[y + 1, x + 1] or label == _MOST_PARTS:
            continue
        label += 1
        flags = 4 | (label << 8) | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY
        area = cv2.floodFill(small, parts, (x, y), (0,), (_FLAT_LEVELS,) * 3, (_FLAT_LEVELS,) * 3, flags)[0]
        if area >= _LEAST_PART_SHARE * height * width:
            part = small[parts[1:-1, 1:-1] == label].astype(np.int16)
            large[label] = np.abs(part - small[y, x]).mean() <= _MEAN_DEVIATION
    return np.asarray(large[parts[1:-1, 1:-1]])


def _seeds(small: Pixels) -> Iterator[tuple[int, int]]:
    """(x, y) of places along the edges around which the edge is of one colour."""
    height, width = small.shape[:2]
    for y, line in ((0, small[0]), (height - 1, small[-1])):
        yield from ((x, y) for x in _flat_places(line))
    for x, line in ((0, small[:, 0]), (width - 1, small[:, -1])):
        yield from ((x, y) for y in _flat_places(line))


def _flat_places(line: Pixels) -> list[int]:
    """The middles of stretches of one colour of a line (length, 3)."""
    stretches = line[: len(line) // _STRETCH_PX * _STRETCH_PX].reshape(-1, _STRETCH_PX, 3)
    flat = np.ptp(stretches, axis=1).max(axis=1) <= _FLAT_LEVELS
    return [int(n) * _STRETCH_PX + _STRETCH_PX // 2 for n in np.flatnonzero(flat)]


def _filled(component: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask without holes."""
    outlines, _ = cv2.findContours(component.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(component.astype(np.uint8), outlines, -1, 1, cv2.FILLED), np.bool_)


def _to_the_edges(part: Pixels, box: Box, step: int) -> Box:
    """A box of every `step`-th pixel in all pixels: each side where the flat lines outside of it end."""
    height, width = part.shape[:2]
    left, top, right, bottom = (side * step for side in box)
    right, bottom = min(right, width), min(bottom, height)
    rows, columns = part[:, left:right], part[top:bottom]
    return (
        _edge_near(columns, 1, left, step),
        _edge_near(rows, 0, top, step),
        width - _edge_near(columns[:, ::-1], 1, width - right, step),
        height - _edge_near(rows[::-1], 0, height - bottom, step),
    )


def _edge_near(part: Pixels, axis: Axis, place: int, reach: int) -> int:
    """The first row or column near `place`, between flat ones before it and others, that is not flat; 0 stays."""
    if not place:
        return 0
    first = max(0, place - reach - 1)
    near = np.ascontiguousarray(part.take(range(first, min(place + reach + 1, part.shape[axis])), axis))
    return first + (_flat_lines(near, np.median(near.take(0, axis), axis=0), axis) or place - first)
