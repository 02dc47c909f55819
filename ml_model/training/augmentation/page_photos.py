"""What happens to an ECG page before it is uploaded: screenshots, scans and phone photos of it.

Pictures are uint8 RGB (H, W, 3) before and after; H and W change. Lengths are shares of the page's diagonal or
sides, so that an effect looks the same at any resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.training.augmentation.images import recompressed

Pixels = NDArray[np.uint8]
Array = NDArray[np.float64]

FIELD = (48, 64)  # points of a field of light, rows and columns; it is enlarged to the picture
WARP_STEP_PX = 32  # between the points of a bent page that are computed; the rest is interpolated
DESK = (96, 84, 74)
NOISE_LEVELS_OF_BYTES = 73.9 / 2  # standard deviation of uniform bytes, averaged over 2 x 2 pixels
LEAST_SIDE_PX = 64


def photograph(pixels: Pixels, rng: Generator, strength: float = 1.0) -> Pixels:
    """One random photo, or one time in four a screenshot, of a page. `strength` 0 changes nothing, 1 is usual.

    strength multiplies how far effects go and, up to 1, how often they come.
    """

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability * min(strength, 1.0))

    screenshot = rng.random() < 0.25
    view = pixels.copy()
    if happens(0.6):
        view = _scaled(view, float(np.exp(rng.uniform(-0.7, 0.25) * strength)))
    if screenshot:
        view = _framed(view, rng, strength) if happens(0.6) else view
    else:
        view = _posed(view, rng, strength, bend=happens(0.35)) if happens(0.9) else view
        view = _lit(view, rng, strength, shadow=happens(0.35), tint=happens(0.5)) if happens(0.85) else view
        view = _moire(view, rng, strength) if happens(0.06) else view
        view = _defocused(view, rng.uniform(0.3, 1.0) * strength) if happens(0.3) else view
        view = _shaken(view, rng, strength) if happens(0.12) else view
        view = _noisy(view, rng, rng.uniform(1.5, 9) * strength) if happens(0.6) else view
    if happens(0.75):
        view = recompressed(view, "JPEG", int(rng.integers(30, 96)))
    return view


def _scaled(pixels: Pixels, factor: float) -> Pixels:
    """Enlarged or reduced, no side below LEAST_SIDE_PX."""
    factor = max(factor, LEAST_SIDE_PX / min(pixels.shape[:2]))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how)  # type: ignore[return-value]


def _framed(pixels: Pixels, rng: Generator, strength: float) -> Pixels:
    """Screenshot: the page cropped, or within the flat colour of an app."""
    height, width = pixels.shape[:2]
    sides = rng.uniform(-0.03, 0.1, 4) * strength * np.array([height, height, width, width])
    top, bottom, left, right = (round(side) for side in sides)
    view = pixels[max(0, -top) : height - max(0, -bottom), max(0, -left) : width - max(0, -right)]
    borders = ((max(0, top), max(0, bottom)), (max(0, left), max(0, right)), (0, 0))
    return np.pad(view, borders, constant_values=int(rng.integers(0, 256)))


def _posed(pixels: Pixels, rng: Generator, strength: float, bend: bool) -> Pixels:
    """Page on a desk, turned, seen at an angle, cropped or with margins, flat or bent."""
    degrees = rng.uniform(-15, 15) if rng.random() < 0.08 else np.clip(rng.normal(0, 3.5), -10, 10)
    tilt = rng.uniform(-1, 1, (4, 2)) * rng.uniform(0, 0.05)
    corners = _corners(pixels, float(degrees * strength), tilt * strength)
    margins = rng.uniform(-0.03, 0.1, 4) * strength
    matrix, shape = _onto_canvas(pixels, corners, margins)
    desk = _desk(shape, rng)
    if not bend:
        return _flat(pixels, matrix, desk)
    most_px = 0.005 * strength * np.hypot(*pixels.shape[:2])
    return _bent(pixels, matrix, desk, rng.uniform(-1, 1, (3, 4)) * (1, 1, most_px, 1))


def _corners(pixels: Pixels, degrees: float, tilt: Array) -> Array:
    """(4, 2) px: where the page's corners go; `tilt` (4, 2) moves each by shares of the sides."""
    height, width = pixels.shape[:2]
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners: Array = ((square + tilt) * (width, height)) @ rotation.T
    return corners


def _onto_canvas(pixels: Pixels, corners: Array, margins: Array) -> tuple[Array, tuple[int, int]]:
    """Homography of the page onto a canvas around `corners`, and the canvas's (height, width).

    `margins` (left, top, right, bottom) are shares of the canvas; negative ones crop.
    """
    height, width = pixels.shape[:2]
    low, high = corners.min(axis=0), corners.max(axis=0)
    low, high = low - margins[:2] * (high - low), high + margins[2:] * (high - low)
    page = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
    matrix = cv2.getPerspectiveTransform(page, (corners - low).astype(np.float32))
    canvas_width, canvas_height = (max(LEAST_SIDE_PX, round(float(side))) for side in high - low)
    return matrix.astype(np.float64), (canvas_height, canvas_width)


def _flat(pixels: Pixels, matrix: Array, desk: Pixels) -> Pixels:
    """The page drawn over the desk by a homography."""
    size, how = desk.shape[1::-1], cv2.INTER_LINEAR
    view = desk.copy()
    cv2.warpPerspective(pixels, matrix, size, dst=view, flags=how, borderMode=cv2.BORDER_TRANSPARENT)
    return view


def _bent(pixels: Pixels, matrix: Array, desk: Pixels, waves: Array) -> Pixels:
    """As _flat, of a page with `waves` (n, 4): each one's number over the width, over the height, size in px, phase."""
    height, width = desk.shape[:2]
    step = WARP_STEP_PX
    # Where each point of a coarse lattice comes from. cv2.resize takes points for the centres of cells; with one
    # cell more on each side nothing is extrapolated.
    rows, columns = (-(-side // step) + 2 for side in (height, width))
    x, y = ((np.arange(count) - 0.5) * step - 0.5 for count in (columns, rows))
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(1, -1, 2)
    source = cv2.perspectiveTransform(points, np.linalg.inv(matrix))[0]
    shares = source / (pixels.shape[1], pixels.shape[0])
    for across, down, size_px, phase in waves:
        wave = size_px * np.sin(2 * np.pi * (shares @ (across, down) + phase))
        source = source + wave[:, None] * (0.4, 1.0)
    lattice = source.T.reshape(2, rows, columns).astype(np.float32)
    dense = (cv2.resize(part, (columns * step, rows * step), interpolation=cv2.INTER_LINEAR) for part in lattice)
    from_x, from_y = (np.ascontiguousarray(part[step : step + height, step : step + width]) for part in dense)
    view = desk.copy()
    cv2.remap(pixels, from_x, from_y, cv2.INTER_LINEAR, dst=view, borderMode=cv2.BORDER_TRANSPARENT)
    return view


def _desk(shape: tuple[int, int], rng: Generator) -> Pixels:
    """Blurred table: a colour, mottled or streaked."""
    grain = ((12, 16), (4, 120), (90, 4), (2, 2))[rng.integers(4)]
    base = rng.uniform(30, 230) * rng.uniform((0.9, 0.8, 0.65), (1.0, 1.0, 1.05))
    levels = base + rng.normal(0, rng.uniform(2, 14), (*grain, 1)) + rng.normal(0, 2, (*grain, 3))
    small = levels.clip(0, 255).astype(np.uint8)
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _lit(pixels: Pixels, rng: Generator, strength: float, shadow: bool, tint: bool) -> Pixels:
    """Light from one side, darker corners, a shadow's edge, warm or cold light, and exposure."""
    rows, columns = FIELD
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    light = 1 - strength * rng.uniform(0, 0.22) * (1 + _along(x, y, rng)) / 2
    light -= strength * rng.uniform(0, 0.12) * (x**2 + y**2)
    if shadow:
        light *= _shadow(x, y, rng, rng.uniform(0.15, 0.5) * strength)
    warmth = rng.uniform(-0.5, 1.0) * strength if tint else 0.0  # more lamps are warm than cold
    colour = np.array([1 + min(0, warmth) * 0.18, 1 - abs(warmth) * 0.05, 1 - max(0, warmth) * 0.22])
    exposure = 1 + strength * rng.uniform(-0.2, 0.15)
    return _multiplied(pixels, light[..., None] * colour, exposure)


def _along(x: Array, y: Array, rng: Generator) -> Array:
    """-1 to 1 along a random direction over the picture."""
    angle = rng.uniform(0, 2 * np.pi)
    along: Array = (x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2)
    return along


def _shadow(x: Array, y: Array, rng: Generator, depth: float) -> Array:
    """1 in the light, 1 - depth in the shadow, across a soft edge somewhere."""
    edge = (_along(x, y, rng) - rng.uniform(-0.5, 0.5)) / rng.uniform(0.04, 0.25)
    shaded: Array = 1 - depth / (1 + np.exp(-np.clip(edge, -30, 30)))
    return shaded


def _multiplied(pixels: Pixels, light: Array, exposure: float) -> Pixels:
    """Times a small field of light (rows, columns, 3), 0 to 1, and the exposure, saturating."""
    small = np.rint(light.clip(0, 1) * 255).astype(np.uint8)
    field = cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(pixels, field, scale=exposure / 255)  # type: ignore[return-value]


def _moire(pixels: Pixels, rng: Generator, strength: float) -> Pixels:
    """The beat between a screen's pixels and the sensor's: a faint wave of slightly different phase in each colour."""
    height, width = pixels.shape[:2]
    angle, period_px = rng.uniform(0, 2 * np.pi), rng.uniform(4, 40)
    step = 2 * np.pi / period_px * np.array([np.cos(angle), np.sin(angle)])
    x = (np.arange(width)[:, None] * step[0] + np.arange(3) * rng.uniform(0, 1.5)).ravel()
    y = np.arange(height) * step[1]
    # cos(x + y) as a product of thin matrices
    size = rng.uniform(3, 9) * strength
    left = np.stack([np.cos(y), -np.sin(y)], axis=1).astype(np.float32) * np.float32(size)
    wave = (left @ np.stack([np.cos(x), np.sin(x)]).astype(np.float32)).reshape(height, width, 3)
    return cv2.add(pixels, wave, dtype=cv2.CV_8U)  # type: ignore[return-value]


def _defocused(pixels: Pixels, thousandths: float) -> Pixels:
    """Gaussian blur, its deviation in thousandths of the picture's diagonal."""
    sigma_px = max(0.3, thousandths / 1000 * float(np.hypot(*pixels.shape[:2])))
    return cv2.GaussianBlur(pixels, (0, 0), sigma_px)  # type: ignore[return-value]


def _shaken(pixels: Pixels, rng: Generator, strength: float) -> Pixels:
    """Blur along a short line."""
    length = min(15, max(3, round(rng.uniform(1.5, 4) / 1000 * strength * float(np.hypot(*pixels.shape[:2])))))
    angle, middle = rng.uniform(0, np.pi), (length - 1) / 2
    ends = [
        (round(middle + side * middle * np.cos(angle)), round(middle + side * middle * np.sin(angle)))
        for side in (-1, 1)
    ]
    kernel = cv2.line(np.zeros((length, length), np.float32), ends[0], ends[1], (1.0,), 1)
    return cv2.filter2D(pixels, -1, kernel / kernel.sum())  # type: ignore[return-value]


def _noisy(pixels: Pixels, rng: Generator, levels: float) -> Pixels:
    """Sensor noise of standard deviation `levels` of 255, as wide as a pixel or two, as after demosaicing."""
    grains = np.frombuffer(rng.bytes(pixels.size), np.uint8).reshape(pixels.shape)
    soft = cv2.blur(grains, (2, 2))
    share = levels / NOISE_LEVELS_OF_BYTES
    return cv2.addWeighted(pixels, 1, soft, share, -127.5 * share)  # type: ignore[return-value]


def _rotated(pixels: Pixels, degrees: float) -> Pixels:
    """The whole page, turned, on a plain desk."""
    return _on_plain_desk(pixels, _corners(pixels, degrees, np.zeros((4, 2))))


def _tilted(pixels: Pixels) -> Pixels:
    """The whole page, seen from below its lower edge and a little from the right."""
    tilt = np.array([(0.08, 0.03), (-0.05, 0.06), (0.0, 0.0), (0.0, -0.04)])
    return _on_plain_desk(pixels, _corners(pixels, 0, tilt))


def _on_plain_desk(pixels: Pixels, corners: Array) -> Pixels:
    matrix, shape = _onto_canvas(pixels, corners, np.full(4, 0.02))
    return _flat(pixels, matrix, np.full((*shape, 3), DESK, np.uint8))


def _half_shaded(pixels: Pixels) -> Pixels:
    """The right half in a shadow that takes half of the light, and all of it in warm light."""
    x = np.linspace(-1, 1, FIELD[1])[None, :, None]
    light = (1 - 0.5 / (1 + np.exp(-x / 0.08))) * np.ones((FIELD[0], 1, 1)) * (1.0, 0.95, 0.85)
    return _multiplied(pixels, light, 1.0)


# Fixed, for measuring what each costs; rotation and perspective enlarge the picture.
CORRUPTIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "rotation_5": partial(_rotated, degrees=5.0),
    "rotation_10": partial(_rotated, degrees=10.0),
    "blur": partial(_defocused, thousandths=1.0),
    "shadow": _half_shaded,
    "jpeg_30": partial(recompressed, codec="JPEG", quality=30),
    "perspective": _tilted,
    "noise": lambda pixels: _noisy(pixels, np.random.default_rng(0), 12.0),
}
