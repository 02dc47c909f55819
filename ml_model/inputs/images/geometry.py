"""How an upright picture of any size comes to a model's size, and which part of it the model then sees.

The only place that resizes or crops: training, evaluation and serving all read pictures through `place`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from ml_model.inputs.images.intensity import even_tissue, even_window
from ml_model.tasks.registry import ImageInput

__all__ = ["Box", "Frame", "place", "resize_rgb"]

Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two outside

# Where the body lies is judged on a small copy: background and outline are large, and noise averages out.
_SURVEY_SIDE_PX = 400
# A microscope picture that half the model's size would shrink by less is a patch cut from a slide, and shown so large.
_FIELD_SHRUNK = 1.5
_MARGIN_RANGE = 16  # an edge row or column whose levels differ by no more is a margin or bare background
_RING_SHARE = 0.02  # width of the ring along the borders in which background is looked for, of the longer side
_BACKGROUND_RANGE = 24  # levels above the darkest that still count as background
_FLAT_GRADIENT = 6.0  # change between neighbours, in levels, below which an area counts as flat
_BREAST_LEVEL = 0.12  # of the way from background to the middle tissue: skin is hardly brighter than air
_MIN_BREAST_STEP = 2.5  # levels above background; below it are the coding errors of a film without noise
_NOISE_FACTOR = 6.0  # how far above background noise (its median deviation) tissue begins
_OPENING_SHARE = 0.02  # of the longer side: thinner things (frame lines, strokes of letters) are no breast
_DILATION_SHARE = 0.015
_MIN_BREAST_SHARE = 0.01  # of the picture's area
_BODY_LEVEL = 0.3  # of the way from the middle of air and lung to that of tissue: fat belongs to the body
_MIN_BODY_SHARE = 0.05  # of the picture's area, for the trunk in a CT slice


@dataclass(frozen=True)
class Frame:
    """The rectangle of the upright original picture, in its pixels, that the model's picture shows.

    It reaches beyond the picture where that was filled up by reflection. mirrored: left and
    right are exchanged inside.
    """

    left_px: float
    top_px: float
    width_px: float
    height_px: float
    mirrored: bool = False

    def rescaled(self, old_size: tuple[int, int], new_size: tuple[int, int]) -> Frame:
        """The same frame in a copy of the picture of another size; sizes are (width, height) in pixels."""
        (old_width, old_height), (width, height) = old_size, new_size
        return Frame(
            self.left_px * width / old_width,
            self.top_px * height / old_height,
            self.width_px * width / old_width,
            self.height_px * height / old_height,
            self.mirrored,
        )

    def moved(self, right_px: float, down_px: float) -> Frame:
        """The same frame in a picture that has so much more on its left and above."""
        return replace(self, left_px=self.left_px + right_px, top_px=self.top_px + down_px)


def resize_rgb(picture: Image.Image | NDArray[np.uint8], height_px: int, width_px: int) -> NDArray[np.uint8]:
    """Squash an RGB picture (uint8 (H, W, 3) or Pillow RGB) to uint8 (height_px, width_px, 3).

    Bilinear; antialiased over the source area when shrinking. The only resize in the project.
    Raises ValueError for another mode than RGB.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if image.mode != "RGB":
        raise ValueError(f"resize_rgb takes RGB, got mode {image.mode}")
    if image.size != (width_px, height_px):
        image = image.resize((width_px, height_px), Image.Resampling.BILINEAR)
    return np.array(image, dtype=np.uint8)


def place(picture: Image.Image | NDArray[np.uint8], image_input: ImageInput) -> tuple[NDArray[np.uint8], Frame]:
    """An upright RGB picture (uint8 (H, W, 3) or Pillow RGB) as the model takes it, and its frame.

    Returns uint8 (height_px, width_px, 3) and the rectangle of `picture` that it shows, by
    `image_input.geometry`: "squash" stretches the picture, "mirror" keeps its proportions and fills the rest by
    reflection, "field" does that with a picture of few pixels at half the size, "breast" cuts a mammogram to
    the breast and evens its levels (see `_place_breast`), "body" cuts a CT slice to the trunk and shows it in one
    window (see `_place_body`).
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    height_px, width_px = image_input.height_px, image_input.width_px
    if image_input.geometry == "mirror":
        return _place_mirror(image, height_px, width_px)
    if image_input.geometry == "field":
        shrunk = max(image.height / height_px, image.width / width_px) * 2
        return _place_mirror(image, height_px, width_px, share=1.0 if shrunk >= _FIELD_SHRUNK else 0.5)
    if image_input.geometry == "breast":
        return _place_breast(image, height_px, width_px)
    if image_input.geometry == "body":
        return _place_body(image, height_px, width_px)
    return resize_rgb(image, height_px, width_px), _whole(image)


def _whole(image: Image.Image) -> Frame:
    return Frame(0.0, 0.0, float(image.width), float(image.height))


def _place_mirror(
    image: Image.Image, height_px: int, width_px: int, share: float = 1.0
) -> tuple[NDArray[np.uint8], Frame]:
    """Fitted into `share` of both sides with its proportions, centred; the rest is filled by reflection, as often as
    it takes."""
    scale = share * min(height_px / image.height, width_px / image.width)
    inner_height = min(height_px, max(1, round(image.height * scale)))
    inner_width = min(width_px, max(1, round(image.width * scale)))
    inner = resize_rgb(image, inner_height, inner_width)
    top, left = (height_px - inner_height) // 2, (width_px - inner_width) // 2
    bottom, right = height_px - inner_height - top, width_px - inner_width - left
    pixels = cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    step_x, step_y = image.width / inner_width, image.height / inner_height
    frame = Frame(-left * step_x, -top * step_y, width_px * step_x, height_px * step_y)
    return np.asarray(pixels, np.uint8), frame


def _place_breast(image: Image.Image, height_px: int, width_px: int) -> tuple[NDArray[np.uint8], Frame]:
    """A mammogram un-inverted, cut to the breast, black around it, the chest wall on the left, stretched, its
    levels evened.

    Letters and labels in the background fall outside of the breast's outline and are blanked:
    nothing can be learnt from them. Where no breast is found, the whole picture as it is.
    """
    film, survey = image, _survey(image)
    if _is_inverted(survey):
        # From here on both kinds are the same picture, bit for bit.
        film = ImageChops.invert(image)
        survey = _survey(film)
    breast = _find_breast(survey)
    if breast is None:
        return resize_rgb(image, height_px, width_px), _whole(image)
    pixels, outline, inside, frame = _cut_to(breast, film, height_px, width_px)
    pixels = even_tissue(pixels, inside)
    if _chest_wall_on_the_right(outline):
        return np.ascontiguousarray(pixels[:, ::-1]), replace(frame, mirrored=True)
    return pixels, frame


def _place_body(image: Image.Image, height_px: int, width_px: int) -> tuple[NDArray[np.uint8], Frame]:
    """A CT slice cut to the trunk, stretched, black around it, lung and soft tissue at levels of their own.

    Table, air, size of the field and window differ from one hospital to another, and a hospital from another in its
    share of disease: nothing can be learnt from them. Where no trunk is found, the whole picture as it is.
    """
    body = _find_body(_survey(image))
    if body is None:
        return resize_rgb(image, height_px, width_px), _whole(image)
    pixels, _, inside, frame = _cut_to(body, image, height_px, width_px)
    return even_window(pixels, inside), frame


def _cut_to(
    mask: NDArray[np.bool_], image: Image.Image, height_px: int, width_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_], Frame]:
    """The picture cut to a mask (rows, columns) of its small copy: stretched pixels; the mask cut to its box, as it is
    and stretched likewise; the frame."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    outline = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    step_x, step_y = image.width / mask.shape[1], image.height / mask.shape[0]
    left, right = round(columns[0] * step_x), max(round((columns[-1] + 1) * step_x), round(columns[0] * step_x) + 1)
    top, bottom = round(rows[0] * step_y), max(round((rows[-1] + 1) * step_y), round(rows[0] * step_y) + 1)
    pixels = resize_rgb(image.crop((left, top, right, bottom)), height_px, width_px)
    shown = cv2.resize(outline.astype(np.float32), (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return pixels, outline, shown >= 0.5, Frame(float(left), float(top), float(right - left), float(bottom - top))


def _survey(image: Image.Image) -> NDArray[np.uint8]:
    """Grey levels (rows, columns) of a small copy."""
    scale = min(1.0, _SURVEY_SIDE_PX / max(image.size))
    small = resize_rgb(image, max(1, round(image.height * scale)), max(1, round(image.width * scale)))
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _inside_margins(grey: NDArray[np.uint8]) -> Box | None:
    """The part between margins: rows and columns of one level are peeled off the edges. None: nothing is left.

    A white page around a film must not make its background look bright.
    """
    left, top, right, bottom = 0, 0, grey.shape[1], grey.shape[0]
    while True:
        part = grey[top:bottom, left:right]
        rows = np.flatnonzero(np.ptp(part, axis=1) > _MARGIN_RANGE)
        if not len(rows):
            return None
        part = part[rows[0] : rows[-1] + 1]
        columns = np.flatnonzero(np.ptp(part, axis=0) > _MARGIN_RANGE)
        if not len(columns):
            return None
        box = (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
        if box == (left, top, right, bottom):
            return box
        left, top, right, bottom = box


def _ring(grey: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
    """The flat pixels along the inner side of a box's borders, as a mask (rows, columns)."""
    left, top, right, bottom = box
    width = max(1, round(_RING_SHARE * max(grey.shape)))
    ring = np.zeros(grey.shape, np.bool_)
    ring[top:bottom, left:right] = True
    ring[top + width : bottom - width, left + width : right - width] = False
    blurred = cv2.GaussianBlur(grey, (0, 0), 1.0)
    gradient = cv2.morphologyEx(blurred, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return ring & (gradient <= _FLAT_GRADIENT)


def _background(grey: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
    """Those pixels of the ring that are as dark as the darkest of the box."""
    left, top, right, bottom = box
    darkest = float(np.percentile(grey[top:bottom, left:right], 1))
    return _ring(grey, box) & (grey <= darkest + _BACKGROUND_RANGE)


def _is_inverted(grey: NDArray[np.uint8]) -> bool:
    """Is the background, flat and along the borders, bright rather than dark?"""
    box = _inside_margins(grey)
    if box is None:
        return False
    return int(_background(255 - grey, box).sum()) > int(_background(grey, box).sum())


def _find_breast(grey: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """The breast with a small margin, as a mask (rows, columns); None where there is none.

    The largest connected area that is brighter than the background, holes filled.
    """
    box = _inside_margins(grey)
    if box is None or not (background := _background(grey, box)).any():
        return None
    left, top, right, bottom = box
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    air = float(np.median(smooth[background]))
    noise = float(np.median(np.abs(smooth[background] - air)))
    step = max(_MIN_BREAST_STEP, _NOISE_FACTOR * noise)
    inside = smooth[top:bottom, left:right]
    tissue = inside[inside > air + step]
    if not tissue.size:
        return None
    bright = smooth > air + max(step, _BREAST_LEVEL * (float(np.median(tissue)) - air))
    page = bright.copy()
    page[top:bottom, left:right] = False
    component = _largest_component(bright & ~page)
    if component is None or int(component.sum()) < _MIN_BREAST_SHARE * grey.size:
        return None
    outlines, _ = cv2.findContours(component, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(component, outlines, -1, 1, cv2.FILLED)
    grown = np.asarray(cv2.dilate(filled, _disc(_DILATION_SHARE * max(grey.shape))), np.bool_)
    return grown & ~page


def _find_body(grey: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """The trunk in a CT slice with a small margin, as a mask (rows, columns); None where there is none.

    The convex hull of the largest connected area of tissue: lungs belong to it wherever they meet its edge, the table
    below does not.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    if smooth.min() == smooth.max():
        return None
    level, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    air, tissue = (float(np.median(smooth[part])) for part in (smooth <= level, smooth > level))
    component = _largest_component(smooth > air + _BODY_LEVEL * (tissue - air))
    if component is None or int(component.sum()) < _MIN_BODY_SHARE * grey.size:
        return None
    outlines, _ = cv2.findContours(component, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.fillConvexPoly(component, cv2.convexHull(np.concatenate(outlines)), 1)
    return np.asarray(cv2.dilate(filled, _disc(_DILATION_SHARE * max(grey.shape))), np.bool_)


def _largest_component(bright: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
    """The largest connected area of a mask, 0 or 1, after thin structures are taken away."""
    opened = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, _disc(_OPENING_SHARE * max(bright.shape)))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(np.asarray(opened, np.uint8), connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(labels == largest).astype(np.uint8)


def _disc(diameter_px: float) -> NDArray[np.uint8]:
    size = 2 * round(diameter_px / 2) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _chest_wall_on_the_right(breast: NDArray[np.bool_]) -> bool:
    """A breast is broad at the chest wall and tapers towards the nipple. breast: its mask, cut to its box."""
    half = max(1, breast.shape[1] // 2)
    return int(breast[:, -half:].sum()) > int(breast[:, :half].sum())
