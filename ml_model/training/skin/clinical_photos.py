"""A lesion as a camera sees it from some 10 to 50 cm: skin photographed without a dermatoscope, in five ways.

No such photographs are among the data, so they are made of dermatoscopic pictures: the lesion is cut out by its colour,
reduced, and laid on skin that is made in another way each time. A way that a detector was fitted on says nothing of how
it does on others: `FITTED_ON` are the one, `MEASURED_ON` the others. Pictures are uint8 RGB (H, W, 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.training.augmentation.images import recompressed
from ml_model.training.skin.around import lesion_mask, skin_mask
from ml_model.training.skin.surfaces import (
    bent_limb,
    cells_of_skin,
    cloth,
    hairs,
    octaves,
    quilted,
    random_phases,
    ruler,
    table,
)

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]
SHARES = (0.02, 0.22)  # of the photograph that the lesion covers
_LONGER_PX = (280, 480)


@dataclass(frozen=True)
class Cut:
    """A lesion by itself: its levels divided by those of the skin around it (H, W, 3), and how far each pixel belongs
    to it, 0-1; the picture (0-1) with skin in its place; the skin's colour (0-1)."""

    ratio: Levels
    alpha: Levels
    healed: Levels
    colour: Levels


def cut_out(pixels: Pixels) -> Cut:
    """The lesion in the middle of a dermatoscopic picture, an ellipse there where none stands out by its colour."""
    mask, levels = lesion_mask(pixels), pixels.astype(np.float32) / 255
    height, width = mask.shape
    if not mask.any():
        cv2.ellipse(mask, (width // 2, height // 2), (width // 5, height // 5), 0, 0, 360, (1,), cv2.FILLED)
    skin = skin_mask(pixels, mask)
    around = levels[skin] if skin.any() else levels[mask == 0].reshape(-1, 3)
    colour = np.median(around, axis=0).astype(np.float32)
    side = max(3, round(0.04 * max(height, width)))
    wide = cv2.dilate(mask, np.ones((side, side), np.uint8))
    alpha = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), side / 3)
    small = cv2.resize(pixels, (112, 112), interpolation=cv2.INTER_AREA)
    hole = cv2.resize(1 - skin.astype(np.uint8), (112, 112), interpolation=cv2.INTER_NEAREST)
    healed = cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA)
    healed = cv2.resize(healed, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    rows, columns = np.nonzero(wide)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    ratio = (levels / np.maximum(colour, 0.05)).astype(np.float32)
    return Cut(ratio[box], np.asarray(alpha, np.float32)[box], healed.astype(np.float32), colour)


def _size(rng: Generator) -> tuple[int, int]:
    """Height and width of a photograph."""
    longer = int(rng.integers(*_LONGER_PX))
    sides = longer, round(longer * rng.choice([0.56, 0.667, 0.75, 0.75, 1.0]))
    return (sides[1], sides[0]) if rng.random() < 0.65 else sides


def _laid_on(skin: Levels, cut: Cut, rng: Generator, share: float, middle: tuple[float, float]) -> Levels:
    """The lesion turned, mirrored and reduced until it covers such a share, the skin beneath multiplied by it. middle:
    of the lesion, down and across, as shares of the sides."""
    turns = int(rng.integers(4))
    ratio, alpha = (np.ascontiguousarray(np.rot90(one, turns)) for one in (cut.ratio, cut.alpha))
    height, width = skin.shape[:2]
    scale = float(np.sqrt(share * height * width / max(1.0, alpha.sum())))
    scale = min(scale, 0.9 * height / alpha.shape[0], 0.9 * width / alpha.shape[1])
    size = (max(6, round(alpha.shape[1] * scale)), max(6, round(alpha.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    ratio, alpha = (np.asarray(cv2.resize(one, size, interpolation=how), np.float32) for one in (ratio, alpha))
    top = round(np.clip(middle[0] * height - size[1] / 2, 0, height - size[1]))
    left = round(np.clip(middle[1] * width - size[0] / 2, 0, width - size[0]))
    there = np.s_[top : top + size[1], left : left + size[0]]
    laid = skin.copy()
    laid[there] *= 1 + alpha[..., None] * (ratio - 1)
    return laid


def _with_lesion(skin: Levels, cut: Cut, rng: Generator, spread: float = 0.15) -> Levels:
    share = float(np.exp(rng.uniform(*np.log(SHARES))))
    down, across = 0.5 + rng.uniform(-spread, spread, 2)
    return _laid_on(skin, cut, rng, share, (down, across))


def _lit(view: Levels, rng: Generator, slope: float, lamp: float) -> Levels:
    """Light that falls off to one side, and a soft lamp."""
    height, width = view.shape[:2]
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    angle, centre = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4, 2)
    fall = 1 + rng.uniform(0.3, 1) * slope * (x * np.cos(angle) + y * np.sin(angle))
    spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * rng.uniform(0.15, 0.5) ** 2))
    return np.asarray(view * (fall + rng.uniform(0, lamp) * spot)[..., None], np.float32)


def _out_of_focus(view: Levels, rng: Generator, most_px: float) -> Levels:
    """Blurred towards the edges, or towards one side."""
    height, width = view.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    far = np.hypot(x, y) if rng.random() < 0.5 else np.abs(y + x * rng.uniform(-1, 1))
    share = np.clip(far - rng.uniform(0.2, 0.8), 0, 1)[..., None].astype(np.float32)
    blurred = cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.8, most_px)))
    return np.asarray(view * (1 - share) + blurred * share, np.float32)


def photographed(view: Levels, rng: Generator, cast: float = 0.12, noise: float = 0.02) -> Pixels:
    """White balance, exposure, gamma, sharpness and noise of a camera, as a JPEG file. view: 0-1."""
    view = view * rng.uniform(1 - cast, 1 + cast, 3).astype(np.float32) * np.float32(rng.uniform(0.75, 1.2))
    view = view.clip(0, 1) ** np.float32(rng.uniform(0.8, 1.25))
    view = np.asarray(cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.3, 1.0))), np.float32)
    if rng.random() < 0.4:
        view = view + rng.uniform(0.2, 0.8) * (view - cv2.GaussianBlur(view, (0, 0), 1.5))
    grain = rng.normal(0, rng.uniform(0, noise), view.shape)
    levels = np.rint((view + grain).clip(0, 1) * 255).astype(np.uint8)
    return recompressed(levels, "JPEG", int(rng.integers(55, 96)))


def quilted_field(pixels: Pixels, rng: Generator) -> Pixels:
    """Skin that fills the photograph, quilted of pieces of the lesion's own surroundings at a smaller scale."""
    cut, size = cut_out(pixels), _size(rng)
    skin = quilted(cut.healed, size, rng, scale=rng.uniform(0.25, 0.7))
    view = _lit(_with_lesion(skin, cut, rng), rng, 0.7, 0.5)
    if rng.random() < 0.5:
        view = hairs(view, rng, int(rng.integers(5, 60)), length=rng.uniform(0.03, 0.12))
    if rng.random() < 0.3:
        view = ruler(view, rng)
    return photographed(_out_of_focus(view, rng, 4), rng)


def limb_before_cloth(pixels: Pixels, rng: Generator) -> Pixels:
    """An arm or a leg before cloth or a dark room; its skin has the spectrum of the lesion's surroundings with other
    phases."""
    cut, size = cut_out(pixels), _size(rng)
    skin = random_phases(cut.healed, size, rng, scale=rng.uniform(0.3, 0.8))
    skin = _with_lesion(skin, cut, rng, spread=0.08)
    behind = cloth(size, rng) if rng.random() < 0.7 else np.full((*size, 3), rng.uniform(0, 0.15), np.float32)
    view = bent_limb(skin, behind, rng)
    return photographed(_out_of_focus(_lit(view, rng, 0.5, 0.3), rng, 5), rng)


def furrowed_field(pixels: Pixels, rng: Generator) -> Pixels:
    """Skin of any tone, drawn: cells between furrows that throw shadows and shine, hairs, further moles."""
    cut, size = cut_out(pixels), _size(rng)
    relief, shine = cells_of_skin(size, rng, cell_px=rng.uniform(5, 16))
    tone = _tone(rng)
    skin = np.asarray(tone * (1 + rng.uniform(0.04, 0.3) * relief[..., None]), np.float32)
    skin *= 1 + rng.uniform(0.02, 0.1) * octaves(size, rng, coarsest_px=120)[..., None] * np.array(
        [0.5, 1, 1], np.float32
    )
    for _ in range(int(rng.integers(0, 5))):
        place = (rng.uniform(0.05, 0.95), rng.uniform(0.05, 0.95))
        skin = _laid_on(skin, cut, rng, rng.uniform(0.0005, 0.004), place)
    view = _with_lesion(skin, cut, rng)
    view = _lit(view, rng, 0.9, 0.6) + (rng.uniform(0, 0.35) * shine)[..., None]
    if rng.random() < 0.4:
        view = hairs(view, rng, int(rng.integers(5, 80)), length=rng.uniform(0.05, 0.2))
    return photographed(np.asarray(view, np.float32), rng)


def _tone(rng: Generator) -> Levels:
    """A colour of skin (0-1), from very light to dark."""
    lightness, hue = rng.uniform(28, 78), rng.uniform(0, 1)
    lab = np.array([[[lightness, 9 + 7 * hue, 12 + 10 * (1 - hue)]]], np.float32)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0], np.float32)


def fingers_on_table(pixels: Pixels, rng: Generator) -> Pixels:
    """A hand on a table: rounded forms side by side with shadows between them, skin healed and enlarged, the lesion
    joined to it without a seam by its gradients (Poisson)."""
    cut, size = cut_out(pixels), _size(rng)
    height, width = size
    skin = cv2.resize(cut.healed, (width, height), interpolation=cv2.INTER_CUBIC)
    skin = cv2.GaussianBlur(skin, (0, 0), 6) * (1 + 0.06 * octaves(size, rng, coarsest_px=9)[..., None])
    laid = _laid_on(np.asarray(skin, np.float32), cut, rng, rng.uniform(0.01, 0.06), (rng.uniform(0.35, 0.65), 0.5))
    hand, shade = np.zeros(size, np.float32), np.zeros(size, np.float32)
    count, thick = int(rng.integers(2, 5)), rng.uniform(0.16, 0.3) * width
    for number in range(count):
        start = np.array([(number + 0.5) / count * width, rng.uniform(0.0, 0.2) * height])
        end = np.array([(0.3 + 0.4 * (number + 0.5) / count) * width, 1.1 * height])
        finger = np.zeros(size, np.uint8)
        points = [(round(p[0]), round(p[1])) for p in (start, end)]
        cv2.line(finger, points[0], points[1], (1,), max(3, round(thick)), cv2.LINE_AA)
        deep = cv2.distanceTransform(finger, cv2.DIST_L2, 3) / (thick / 2)
        hand = np.maximum(hand, cv2.GaussianBlur(finger.astype(np.float32), (0, 0), 1))
        shade = np.maximum(shade, np.sqrt(1 - (1 - np.clip(deep, 0, 1)) ** 2).astype(np.float32))
    shadow = 1 - 0.5 * cv2.GaussianBlur(np.roll(hand, (12, 12), (0, 1)), (0, 0), 10)
    lit = laid * (0.45 + 0.6 * shade)[..., None]
    view = lit * hand[..., None] + table(size, rng) * shadow[..., None] * (1 - hand[..., None])
    return photographed(_lit(np.asarray(view, np.float32), rng, 0.4, 0.3), rng, cast=0.18)


def back_by_flash(pixels: Pixels, rng: Generator) -> Pixels:
    """A back or a belly by the light of a flash: bright in the middle, dark to the edges, uneven pigment, many moles;
    the plane seen at an angle, out of focus where it is far, and coarse from a cheap lens."""
    cut, size = cut_out(pixels), _size(rng)
    height, width = size
    colour = _tone(rng) if rng.random() < 0.5 else cut.colour
    uneven = 1 + 0.07 * octaves(size, rng, coarsest_px=200)[..., None] * np.array([0.4, 0.9, 1.1], np.float32)
    skin = np.asarray(colour * uneven * (1 + 0.04 * octaves(size, rng, coarsest_px=5))[..., None], np.float32)
    for _ in range(int(rng.integers(2, 16))):
        place = (rng.uniform(0.03, 0.97), rng.uniform(0.03, 0.97))
        skin = _laid_on(skin, cut, rng, rng.uniform(0.0002, 0.002), place)
    skin = _laid_on(skin, cut, rng, rng.uniform(0.02, 0.12), tuple(rng.uniform(0.35, 0.65, 2)))
    square = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    away = rng.uniform(-0.18, 0.05, (4, 2)) * (width, height) * np.sign(square / 2 + 1e-3 - 1)
    pulled = np.asarray(square + away, np.float32)
    turned = cv2.getPerspectiveTransform(square, pulled)
    view = cv2.warpPerspective(skin, turned, (width, height), borderMode=cv2.BORDER_REFLECT)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    flash = np.exp(-(x**2 + y**2) / rng.uniform(0.8, 3)).astype(np.float32)[..., None]
    view = view * (0.35 + 0.85 * flash) + rng.uniform(0, 0.2) * flash**6
    view = cv2.resize(view, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    return photographed(_out_of_focus(np.asarray(view, np.float32), rng, 3), rng, noise=0.04)


Way = Callable[[Pixels, Generator], Pixels]
FITTED_ON: dict[str, Way] = {
    "quilted_field": quilted_field,
    "limb_before_cloth": limb_before_cloth,
    "furrowed_field": furrowed_field,
}
MEASURED_ON: dict[str, Way] = {"fingers_on_table": fingers_on_table, "back_by_flash": back_by_flash}
