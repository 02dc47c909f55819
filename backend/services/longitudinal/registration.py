"""Whether two pictures show the same thing in the same view, and how one lies on the other. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Levels = NDArray[np.float32]
Affine = NDArray[np.float64]
SIDE_PX = 256  # longer side of the copies that are laid on each other
LEAST_SIMILARITY = 0.7  # chosen on validation pictures: benchmarks/scans/repeats.py tells what reaches it
_LEAST_OVERLAP = 0.5  # share of the earlier picture that the later one covers
_MOST_TURN_DEGREES, _MOST_SCALE = 30.0, 1.5
_COARSE_PX, _FINE_PX, _EVEN = 8.0, 1.0, 4.0  # details between these sizes are compared; levels below _EVEN are flat
_FLAT = 1e-4  # spread of what cannot be compared
_CORNERS, _LEAST_MATCHES, _STRAY_PX = 400, 10, 3.0
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)


@dataclass(frozen=True)
class Registration:
    """affine: (2, 3), from places in the earlier picture to those in the later. Sizes: width and height in pixels, both
    reduced to `SIDE_PX`. similarity: correlation of the details where they overlap, -1 to 1. overlap: share of the
    earlier picture, 0 to 1."""

    affine: Affine
    earlier_size: tuple[int, int]
    later_size: tuple[int, int]
    similarity: float
    overlap: float

    @property
    def alike(self) -> bool:
        """Whether anything may be compared place by place."""
        return self.similarity >= LEAST_SIMILARITY and self.overlap >= _LEAST_OVERLAP

    @property
    def shift(self) -> tuple[float, float]:
        """Right and down, of what the earlier picture has in its middle, as shares of the later picture's sides."""
        middle = np.array([(side - 1) / 2 for side in self.earlier_size] + [1.0])
        x, y = ((at + 0.5) / side - 0.5 for at, side in zip(self.affine @ middle, self.later_size, strict=True))
        return float(x), float(y)

    @property
    def scale(self) -> float:
        """How much larger things are in the later picture, where both have the same longer side."""
        return math.sqrt(abs(float(np.linalg.det(self.affine[:, :2]))))

    @property
    def turn_degrees(self) -> float:
        """Clockwise, as pictures are shown."""
        return math.degrees(math.atan2(self.affine[1, 0], self.affine[0, 0]))

    def back(self, values: Levels) -> Levels:
        """Values over the later picture, at `later_size`, at the places of the earlier one; NaN beyond."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        told = cv2.warpAffine(values, self.affine, self.earlier_size, flags=flags, borderValue=float("nan"))
        return np.asarray(told, np.float32)


def register(before: Picture, after: Picture) -> Registration:
    """The likeliest way in which they lie: as they are, moved, or moved, turned and scaled, then made exact.

    before, after: RGB (height, width, 3), upright, at any size.
    """
    greys = _small(before), _small(after)
    details = _details(greys[0]), _details(greys[1])
    best = max((_judged(way, *details) for way in _ways(greys, details)), key=lambda one: one.similarity)
    exact = _exact(best.affine, *details)
    return best if exact is None else max(best, _judged(exact, *details), key=lambda one: one.similarity)


def _small(picture: Picture) -> Picture:
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    scale = SIDE_PX / max(grey.shape)
    size = tuple(max(8, round(side * scale)) for side in grey.shape[::-1])
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


def _details(grey: Picture) -> Levels:
    """Without what is lit evenly, and as strong everywhere: neither exposure nor contrast counts."""
    level = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _FINE_PX)
    apart = level - cv2.GaussianBlur(level, (0, 0), _COARSE_PX)
    spread = np.sqrt(cv2.GaussianBlur(np.square(apart), (0, 0), 2 * _COARSE_PX))
    return np.asarray(apart / (spread + _EVEN), np.float32)


def _ways(greys: tuple[Picture, Picture], details: tuple[Levels, Levels]) -> Iterator[Affine]:
    as_they_lie = np.eye(2, 3)
    yield as_they_lie
    height, width = np.maximum(details[0].shape, details[1].shape).tolist()
    padded = [np.pad(one, ((0, height - one.shape[0]), (0, width - one.shape[1]))) for one in details]
    (right, down), _ = cv2.phaseCorrelate(*padded)
    yield as_they_lie + np.array([[0, 0, right], [0, 0, down]])
    if (by_corners := _by_corners(*greys)) is not None:
        yield by_corners


def _by_corners(before: Picture, after: Picture) -> Affine | None:
    finder = cv2.ORB.create(_CORNERS, edgeThreshold=15, patchSize=21, fastThreshold=7)
    (points, marks), (others, other_marks) = (finder.detectAndCompute(one, np.array([])) for one in (before, after))
    if marks is None or other_marks is None:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(marks, other_marks)
    if len(pairs) < _LEAST_MATCHES:
        return None
    froms = np.array([points[pair.queryIdx].pt for pair in pairs], np.float32)
    tos = np.array([others[pair.trainIdx].pt for pair in pairs], np.float32)
    affine, within = cv2.estimateAffinePartial2D(froms, tos, method=cv2.RANSAC, ransacReprojThreshold=_STRAY_PX)
    return None if affine is None or int(within.sum()) < _LEAST_MATCHES else np.asarray(affine, np.float64)


def _exact(affine: Affine, before: Levels, after: Levels) -> Affine | None:
    """Moved on to where the details correlate most; None where that leads nowhere."""
    start: Any = np.asarray(affine, np.float32)
    try:
        _, found = cv2.findTransformECC(before, after, start, cv2.MOTION_AFFINE, _STEPS, None, 5)  # type: ignore[call-overload]
    except cv2.error:
        return None
    return np.asarray(found, np.float64)


def _judged(affine: Affine, before: Levels, after: Levels) -> Registration:
    (rows, columns), (later_rows, later_columns) = before.shape, after.shape
    found = Registration(affine, (columns, rows), (later_columns, later_rows), -1.0, 0.0)
    if not (1 / _MOST_SCALE <= found.scale <= _MOST_SCALE and abs(found.turn_degrees) <= _MOST_TURN_DEGREES):
        return found
    moved = found.back(after)
    overlap = float(np.isfinite(moved).mean())
    similarity = correlation(before, moved) if overlap >= _LEAST_OVERLAP else None
    return replace(found, similarity=-1.0 if similarity is None else similarity, overlap=overlap)


def correlation(before: Levels, moved: Levels) -> float | None:
    """Where both are, -1 to 1; None where that is nowhere, or one of them is flat."""
    both: NDArray[np.bool_] = np.isfinite(moved)
    if not both.any() or min(float(before[both].std()), float(moved[both].std())) < _FLAT:
        return None
    return float(np.corrcoef(before[both], moved[both])[0, 1])
