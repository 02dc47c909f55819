"""Augmentation on uint8 pictures: geometry in one warp, then light, codec, rescaling, blur and noise.

Codec and rescaling are there because training sets come in one codec at one size while
users send JPEG, PNG and screenshots at any size; a model that never saw that loses
several points of accuracy on the very same pictures.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.training.augmentation.ultrasound_sites import random_site, seen_at
from ml_model.training.recipe import Augmentation

Picture = NDArray[np.uint8]
# Optical density per unit of haematoxylin, eosin and DAB in red, green and blue (Ruifrok and Johnston 2001).
_STAINS_TO_DENSITY = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
_DENSITY_TO_STAINS = np.linalg.inv(_STAINS_TO_DENSITY)
STAIN_SHIFT = 0.15
BESIDE_LESION = (0.2, 1.5)  # tissue beside a lesion in a view of it, as shares of the lesion's longer side
LEAST_NEAR, NEAR_NOTHING = 0.3, (0.4, 1.0)  # of the picture's side: the nearest view, and those of no lesion
_CODECS = {"JPEG": (".jpg", cv2.IMWRITE_JPEG_QUALITY), "WEBP": (".webp", cv2.IMWRITE_WEBP_QUALITY)}
_FILTERS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)


NONE = Augmentation(
    horizontal_flip=False, rotation_degrees=0, shift=0, zoom=0, stretch=0, brightness=0, contrast=0,
    codec=0, rescale=0, blur=0, noise=0,
)  # fmt: skip


def central_square(picture: Picture, size_px: int) -> Picture:
    """The largest square in the middle, at a phase's size (area averaging)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    picture = picture[top : top + side, left : left + side]
    if side == size_px:
        return picture
    return cv2.resize(picture, (size_px, size_px), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def augment(
    picture: Picture, settings: Augmentation, size_px: int, rng: Generator, lesion: NDArray[np.bool_] | None = None
) -> Picture:
    """One random view of `picture` (H, W, 3) at (size_px, size_px, 3), uint8, of the largest square.

    lesion: (H, W), where one is outlined.
    """
    if settings.near_lesion and rng.random() < settings.near_lesion:
        picture = _near_lesion(picture, lesion, rng)
    elif settings.border:
        picture = _without_border(picture, settings.border, rng)
    if settings.other_sites and rng.random() < settings.other_sites:
        picture = seen_at(picture, random_site(rng), rng)
    view = _warp(picture, settings, size_px, rng)
    view = _light(view, settings, rng)
    if settings.stain:
        view = _stain(view, settings.stain, rng)
    if settings.coarse and rng.random() < settings.coarse:
        view = _coarse(view, settings.coarsest_px, rng)
    if rng.random() < settings.rescale:
        view = _rescale(view, rng)
    if rng.random() < settings.blur:
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.3, 1.3))), np.uint8)
    if rng.random() < settings.noise:
        view = _noise(view, settings.noise_levels, rng)
    if rng.random() < settings.codec:
        view = _codec(view, rng)
    if rng.random() < settings.erase:
        view = _erase(view, rng)
    return view


def _near_lesion(picture: Picture, lesion: NDArray[np.bool_] | None, rng: Generator) -> Picture:
    """A square around the lesion with some of the tissue beside it, or from anywhere where none is outlined, as large.

    Otherwise how near a picture is taken would tell whether it shows one.
    """
    height, width = picture.shape[:2]
    if lesion is None:
        side = rng.uniform(*NEAR_NOTHING) * min(height, width)
        middle = rng.uniform(0, 1, 2) * (height, width)
    else:
        rows, columns = np.nonzero(lesion)
        low, high = np.array([rows.min(), columns.min()]), np.array([rows.max(), columns.max()]) + 1
        side = max((high - low).max() * (1 + rng.uniform(*BESIDE_LESION)), LEAST_NEAR * min(height, width))
        middle = (low + high) / 2
    side = int(min(side, height, width))
    top, left = np.clip((middle - side / 2).astype(int), 0, (height - side, width - side))
    return picture[top : top + side, left : left + side]


def _without_border(picture: Picture, most: float, rng: Generator) -> Picture:
    """Each edge cut by its own share: frames, letters and rulers tell the machine and not the finding."""
    height, width = picture.shape[:2]
    top, bottom, left, right = (rng.uniform(0, most, 4) * (height, height, width, width)).astype(int)
    return picture[top : height - bottom, left : width - right]


def _warp(picture: Picture, settings: Augmentation, size_px: int, rng: Generator) -> Picture:
    height, width = picture.shape[:2]
    angle = np.deg2rad(rng.uniform(-settings.rotation_degrees, settings.rotation_degrees))
    zoom = np.exp(rng.uniform(-settings.zoom, settings.zoom))
    stretch = np.exp(rng.uniform(-settings.stretch, settings.stretch))
    flip_x = -1 if settings.horizontal_flip and rng.random() < 0.5 else 1
    flip_y = -1 if settings.vertical_flip and rng.random() < 0.5 else 1
    side = min(height, width)
    scale = size_px / side * zoom * np.array([stretch, 1 / stretch])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.diag(scale * [flip_x, flip_y])
    shift = rng.uniform(-settings.shift, settings.shift, 2) * size_px
    # A square from anywhere in the picture; the largest one lies somewhere along the longer side.
    room = np.array([width - side, height - side])
    along = rng.uniform(-0.5, 0.5, 2 if room.all() else 1) * room if room.any() else np.zeros(2)
    offset = (size_px - 1) / 2 + shift - matrix @ (np.array([width - 1, height - 1]) / 2 + along)
    affine = np.column_stack([matrix, offset])
    return cv2.warpAffine(  # type: ignore[return-value]
        picture, affine, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def _light(view: Picture, settings: Augmentation, rng: Generator) -> Picture:
    gain = 1 + rng.uniform(-settings.contrast, settings.contrast)
    bias = 255 * rng.uniform(-settings.brightness, settings.brightness)
    levels = np.arange(256, dtype=np.float32)
    table = np.clip((levels - 128) * gain + 128 + bias, 0, 255).astype(np.uint8)
    view = cv2.LUT(view, table)  # type: ignore[assignment]
    if settings.saturation:
        share = float(1 + rng.uniform(-settings.saturation, settings.saturation))
        grey = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        view = cv2.addWeighted(view, share, grey, 1 - share, 0)  # type: ignore[assignment]
        tint = rng.uniform(1 - settings.saturation / 4, 1 + settings.saturation / 4, 3)
        view = np.clip(view * tint, 0, 255).astype(np.uint8)
    return view


def _stain(view: Picture, strength: float, rng: Generator) -> Picture:
    """Other amounts of haematoxylin, eosin and rest: optical densities, unmixed, scaled, mixed again."""
    density = -np.log(np.maximum(view, 1).astype(np.float32) / 255)
    scale = rng.uniform(1 - strength, 1 + strength, 3)
    shift = rng.uniform(-strength, strength, 3) * STAIN_SHIFT
    mixing = (_STAINS_TO_DENSITY * scale[:, None]).astype(np.float32)
    changed: NDArray[np.floating] = density @ (_DENSITY_TO_STAINS @ mixing) + (shift @ _STAINS_TO_DENSITY).astype(
        np.float32
    )
    return np.asarray(np.clip(255 * np.exp(-changed), 0, 255), np.uint8)


def _coarse(view: Picture, coarsest_px: int, rng: Generator) -> Picture:
    """As from a lens of lower power: fewer pixels for the same field, and back."""
    size = view.shape[0]
    fewer = int(np.exp(rng.uniform(np.log(min(coarsest_px, size)), np.log(size))))
    small = cv2.resize(view, (fewer, fewer), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _rescale(view: Picture, rng: Generator) -> Picture:
    """Down and back, or up and back, with random filters, as a chain of viewers would."""
    size = view.shape[0]
    other = max(16, int(size * rng.uniform(0.5, 2.0)))
    there, back = (int(rng.choice(_FILTERS)) for _ in range(2))
    resized = cv2.resize(view, (other, other), interpolation=there)
    return cv2.resize(resized, (size, size), interpolation=back)  # type: ignore[return-value]


def _noise(view: Picture, most_levels: float, rng: Generator) -> Picture:
    noise = rng.standard_normal(view.shape[:2], dtype=np.float32) * np.float32(rng.uniform(1, most_levels))
    return np.clip(view + noise[..., None], 0, 255).astype(np.uint8)


def _codec(view: Picture, rng: Generator) -> Picture:
    """A lossy round trip: JPEG mostly, WebP sometimes."""
    quality = int(rng.integers(30, 101))
    return recompressed(view, "JPEG" if rng.random() < 0.8 else "WEBP", quality)


def recompressed(picture: Picture, codec: str, quality: int) -> Picture:
    """RGB through JPEG or WEBP and back, the same as Pillow's. OpenCV alone would compress red as blue."""
    suffix, flag = _CODECS[codec]
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [flag, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)  # type: ignore[return-value]


def _erase(view: Picture, rng: Generator) -> Picture:
    """Hide a random rectangle behind its mean, so that no single spot decides."""
    size = view.shape[0]
    height, width = (int(size * rng.uniform(0.1, 0.3)) for _ in range(2))
    top, left = int(rng.integers(0, size - height)), int(rng.integers(0, size - width))
    patch = view[top : top + height, left : left + width]
    view = view.copy()
    view[top : top + height, left : left + width] = patch.mean(axis=(0, 1)).astype(np.uint8)
    return view
