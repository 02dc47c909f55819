"""Skin, and what lies around it, as cameras see it from afar. Levels are float32, 0-1, (H, W, 3) unless told otherwise;
`size` is (height, width) in pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Levels = NDArray[np.float32]
Size = tuple[int, int]
_PATCH_PX = 56  # of a piece of skin, at the scale of the picture that it is from


def octaves(size: Size, rng: Generator, coarsest_px: float) -> Levels:
    """(H, W), smooth noise of deviation about 1, the finer the weaker."""
    field, cell, weight = np.zeros(size, np.float32), float(coarsest_px), 1.0
    while cell >= 1.5:
        coarse = [max(2, round(side / cell) + 2) for side in size]
        noise = rng.normal(0, weight, coarse).astype(np.float32)
        field += cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
        cell, weight = cell / 2, weight * 0.6
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)


def quilted(picture: Levels, size: Size, rng: Generator, scale: float) -> Levels:
    """Pieces of the picture, reduced by `scale`, laid side by side with soft edges on their mean colour."""
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mean = small.reshape(-1, 3).mean(axis=0)
    small = small - cv2.GaussianBlur(small, (0, 0), 12)
    side = max(8, min(round(_PATCH_PX * scale), *small.shape[:2]))
    soft = np.hanning(side + 2)[1:-1]
    weight = np.outer(soft, soft).astype(np.float32)[..., None]
    total = np.zeros((size[0] + side, size[1] + side, 3), np.float32)
    power = np.full((*total.shape[:2], 1), 1e-4, np.float32)
    for top in range(0, size[0], side // 2):
        for left in range(0, size[1], side // 2):
            y, x = (int(rng.integers(0, max(1, edge - side))) for edge in small.shape[:2])
            piece = small[y : y + side, x : x + side]
            piece = piece[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
            total[top : top + side, left : left + side] += piece * weight
            power[top : top + side, left : left + side] += weight**2
    texture = (total / np.sqrt(power))[: size[0], : size[1]]
    return np.asarray((mean + texture).clip(0, 1), np.float32)


def random_phases(picture: Levels, size: Size, rng: Generator, scale: float) -> Levels:
    """Noise with the spectrum of the picture, reduced by `scale`, on its mean colour."""
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mean = small.reshape(-1, 3).mean(axis=0)
    window = np.outer(*(np.hanning(side) for side in small.shape[:2]))[..., None]
    rest = np.zeros((*size, 3))
    height, width = min(size[0], small.shape[0]), min(size[1], small.shape[1])
    rest[:height, :width] = ((small - mean) * window)[:height, :width]
    phases = np.fft.fft2(rng.normal(0, 1, size))
    phases /= np.abs(phases) + 1e-9
    texture = np.real(np.fft.ifft2(np.fft.fft2(rest, axes=(0, 1)) * phases[..., None], axes=(0, 1)))
    texture *= np.sqrt(size[0] * size[1] / (height * width))
    return np.asarray((mean + texture).clip(0, 1), np.float32)


def cells_of_skin(size: Size, rng: Generator, cell_px: float) -> tuple[Levels, Levels]:
    """(H, W) each: how the furrows between cells of so many pixels are lit from aside, about -1 to 1; and where their
    tops shine, 0-1."""
    count = max(4, round(size[0] * size[1] / cell_px**2))
    seeds = np.ones(size, np.uint8)
    seeds[rng.integers(0, size[0], count), rng.integers(0, size[1], count)] = 0
    away = cv2.distanceTransform(seeds, cv2.DIST_L2, 5)
    height = -cv2.GaussianBlur(away, (0, 0), max(0.6, cell_px / 10)) + octaves(size, rng, 3 * cell_px)
    slope_y, slope_x = np.gradient(height)
    angle = rng.uniform(0, 2 * np.pi)
    relief = np.tanh(slope_x * np.cos(angle) + slope_y * np.sin(angle))
    top = np.exp(-((away / (0.35 * cell_px)) ** 2)) * (relief > rng.uniform(0, 0.3))
    glossy = cv2.GaussianBlur(np.asarray(octaves(size, rng, 150) > 0.6, np.float32), (0, 0), 15)
    return np.asarray(relief, np.float32), np.asarray(cv2.GaussianBlur(top, (0, 0), 0.7) * glossy, np.float32)


def hairs(view: Levels, rng: Generator, count: int, length: float) -> Levels:
    """Thin dark hairs, of such a length as a share of the width."""
    height, width = view.shape[:2]
    layer, main = np.zeros((height, width), np.uint8), rng.uniform(0, np.pi)
    for _ in range(count):
        start, angle = rng.uniform(0, 1, 2) * (width, height), main + rng.normal(0, 0.4)
        steps = np.linspace(0, length * width * rng.uniform(0.5, 1.5), 8)
        bend = angle + np.linspace(0, rng.normal(0, 0.8), 8)
        points = np.column_stack([start[0] + steps * np.cos(bend), start[1] + steps * np.sin(bend)])
        cv2.polylines(layer, [np.rint(points * 8).astype(np.int32)], False, (255,), 1, cv2.LINE_AA, 3)
    dark = layer[..., None].astype(np.float32) / 255 * np.float32(rng.uniform(0.3, 0.9))
    return np.asarray(view * (1 - dark) + 0.08 * dark, np.float32)


def ruler(view: Levels, rng: Generator) -> Levels:
    """A strip of white paper with ticks along one edge."""
    shown, turns = np.ascontiguousarray(np.rot90(view, int(rng.integers(4)))), int(rng.integers(4))
    height, width = shown.shape[:2]
    strip, step = round(rng.uniform(0.06, 0.14) * height), rng.uniform(0.01, 0.03) * width
    shown[-strip:] = rng.uniform(0.8, 0.95)
    for number in range(int(width / step)):
        tick = round(strip * (0.6 if number % 10 == 0 else 0.3))
        left = round(number * step)
        shown[-strip : -strip + tick, left : left + max(1, round(step / 6))] = 0.1
    return np.ascontiguousarray(np.rot90(shown, turns))


def cloth(size: Size, rng: Generator) -> Levels:
    """A weave of one colour with folds."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    period, colour = rng.uniform(3, 9), rng.uniform(0.05, 0.95, 3).astype(np.float32)
    weave = 1 + 0.08 * np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
    folds = 1 + 0.15 * octaves(size, rng, coarsest_px=rng.uniform(60, 200))
    return np.asarray((colour * (weave * folds)[..., None]).clip(0, 1), np.float32)


def table(size: Size, rng: Generator) -> Levels:
    """Wood, or one colour."""
    colour = np.asarray(rng.uniform(0.1, 0.9, 3), np.float32)
    if rng.random() < 0.5:
        return np.asarray(colour * (1 + 0.03 * octaves(size, rng, 40))[..., None], np.float32).clip(0, 1)
    y = np.mgrid[0 : size[0], 0 : size[1]][0]
    rings = np.sin(2 * np.pi * y / rng.uniform(10, 40) + 2.5 * octaves(size, rng, 180))
    wood = np.array([0.55, 0.36, 0.2], np.float32) * np.float32(rng.uniform(0.5, 1.5))
    return np.asarray((wood * (1 + 0.2 * rings)[..., None]).clip(0, 1), np.float32)


def bent_limb(skin: Levels, behind: Levels, rng: Generator) -> Levels:
    """The skin as a cylinder across the picture, lit from aside, before something else."""
    height, width = skin.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle, half, bow = rng.uniform(0, np.pi), rng.uniform(0.45, 1.0), rng.uniform(-0.15, 0.15)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (-x * np.sin(angle) + y * np.cos(angle) + bow * along**2 + rng.uniform(-0.15, 0.15)) / half
    inside = cv2.GaussianBlur((np.abs(across) < 1).astype(np.float32), (0, 0), float(rng.uniform(0.7, 2)))[..., None]
    normal = np.sqrt(np.clip(1 - across**2, 0, 1))
    lamp = rng.uniform(-0.7, 0.7)
    light = 0.3 + 0.75 * np.clip(normal * np.sqrt(1 - lamp**2) + across * lamp, 0, 1)
    return np.asarray(skin * light[..., None] * inside + behind * (1 - inside), np.float32)
