"""Pictures that are nothing to diagnose from, drawn: documents, screenshots, plots, logos, noise, flat colours.

Plots and forms matter most, as they are what an ECG page may be mistaken for. Every picture follows from its seed.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .,:;-()%"
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL)


def _colour(rng: Generator, low: int = 0, high: int = 256) -> Colour:
    red, green, blue = (int(v) for v in rng.integers(low, high, 3))
    return red, green, blue


def _pale(rng: Generator) -> Colour:
    return (255, 255, 255) if rng.random() < 0.5 else _colour(rng, 215, 256)


def _dark(rng: Generator) -> Colour:
    return (0, 0, 0) if rng.random() < 0.5 else _colour(rng, 0, 90)


def _canvas(rng: Generator, colour: Colour) -> Picture:
    height, width = (int(side) for side in rng.integers(240, 900, 2))
    return np.full((height, width, 3), colour, np.uint8)


def _words(rng: Generator, letters: int) -> str:
    return "".join(rng.choice(list(LETTERS), letters))


def _write(picture: Picture, rng: Generator, x: int, y: int, letters: int, scale: float, colour: Colour) -> None:
    font = FONTS[int(rng.integers(len(FONTS)))]
    cv2.putText(picture, _words(rng, letters), (x, y), font, scale, colour, 1, cv2.LINE_AA)


def _text_block(picture: Picture, rng: Generator, box: tuple[int, int, int, int], colour: Colour) -> None:
    left, top, right, bottom = box
    scale = float(rng.uniform(0.3, 0.9))
    step = max(8, int(34 * scale))
    for y in range(top + step, bottom, step):
        if rng.random() < 0.9:
            letters = max(1, int((right - left) * rng.uniform(0.3, 1.0) / (18 * scale)))
            _write(picture, rng, left, y, letters, scale, colour)


def _document(rng: Generator) -> Picture:
    page, ink = _canvas(rng, _pale(rng)), _dark(rng)
    height, width = page.shape[:2]
    margin = int(width * rng.uniform(0.03, 0.12))
    columns = int(rng.integers(1, 3))
    for column in range(columns):
        left = margin + column * (width - 2 * margin) // columns
        _text_block(page, rng, (left, margin, left + (width - 2 * margin) // columns - 10, height - margin), ink)
    if rng.random() < 0.4:  # a table or a form
        for x in np.linspace(margin, width - margin, int(rng.integers(2, 8))).astype(int):
            cv2.line(page, (int(x), height // 3), (int(x), height * 2 // 3), ink, 1)
        for y in np.linspace(height // 3, height * 2 // 3, int(rng.integers(3, 12))).astype(int):
            cv2.line(page, (margin, int(y)), (width - margin, int(y)), ink, 1)
    return page


def _screenshot(rng: Generator) -> Picture:
    light = rng.random() < 0.6
    screen, ink = _canvas(rng, _pale(rng) if light else _colour(rng, 10, 60)), _dark(rng) if light else _pale(rng)
    height, width = screen.shape[:2]
    cv2.rectangle(screen, (0, 0), (width, int(height * 0.08)), _colour(rng), cv2.FILLED)
    cv2.rectangle(screen, (0, int(height * 0.08)), (int(width * rng.uniform(0, 0.3)), height), _colour(rng), cv2.FILLED)
    for _ in range(int(rng.integers(3, 14))):
        x, y = int(rng.integers(0, width - 60)), int(rng.integers(height // 10, height - 40))
        right, bottom = x + int(rng.integers(40, width)), y + int(rng.integers(16, height // 2))
        if rng.random() < 0.5:
            cv2.rectangle(screen, (x, y), (right, bottom), _colour(rng), cv2.FILLED if rng.random() < 0.6 else 1)
        if rng.random() < 0.7:
            _text_block(screen, rng, (x + 4, y, min(right, width), min(bottom, height)), ink)
    return screen


def _curve(rng: Generator, count: int) -> NDArray[np.float64]:
    kind = rng.integers(4)
    x = np.linspace(0, 1, count)
    if kind == 0:
        return np.cumsum(rng.normal(0, 1, count))
    if kind == 1:
        return np.sin(2 * np.pi * (rng.uniform(0.5, 12) * x + rng.random())) + rng.normal(0, rng.uniform(0, 0.3), count)
    if kind == 2:
        return np.exp(rng.uniform(-4, 4) * x) + rng.normal(0, 0.05, count)
    return rng.normal(0, 1, count)


def _plot(rng: Generator) -> Picture:
    picture, ink = _canvas(rng, _pale(rng)), _dark(rng)
    height, width = picture.shape[:2]
    rows, columns = (int(n) for n in rng.integers(1, 3, 2))
    for number in range(rows * columns):
        left, top = width * (number % columns) // columns + 35, height * (number // columns) // rows + 20
        right, bottom = left + width // columns - 50, top + height // rows - 45
        if right - left < 40 or bottom - top < 40:
            continue
        _axes(picture, rng, (left, top, right, bottom), ink)
        for _ in range(int(rng.integers(1, 5))):
            _series(picture, rng, (left, top, right, bottom))
    return picture


def _axes(picture: Picture, rng: Generator, box: tuple[int, int, int, int], ink: Colour) -> None:
    left, top, right, bottom = box
    if rng.random() < 0.5:
        grid = _colour(rng, 180, 240)
        for x in np.linspace(left, right, int(rng.integers(4, 30))).astype(int):
            cv2.line(picture, (int(x), top), (int(x), bottom), grid, 1)
        for y in np.linspace(top, bottom, int(rng.integers(4, 30))).astype(int):
            cv2.line(picture, (left, int(y)), (right, int(y)), grid, 1)
    cv2.rectangle(picture, (left, top), (right, bottom), ink, 1)
    for x in np.linspace(left, right, 5).astype(int):
        _write(picture, rng, int(x) - 8, bottom + 14, 3, 0.35, ink)
    for y in np.linspace(top, bottom, 5).astype(int):
        _write(picture, rng, max(0, left - 32), int(y) + 4, 3, 0.35, ink)


def _series(picture: Picture, rng: Generator, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    colour, kind = _colour(rng, 0, 200), rng.integers(3)
    count = int(rng.integers(5, 300)) if kind == 0 else int(rng.integers(4, 60))
    values = _curve(rng, count)
    share = (values - values.min()) / (np.ptp(values) + 1e-9)
    x = np.linspace(left + 3, right - 3, count).astype(int)
    y = (bottom - 3 - share * (bottom - top - 6)).astype(int)
    if kind == 0:
        points = np.stack([x, y], axis=1).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
    elif kind == 1:
        for at, level in zip(x, y, strict=True):
            cv2.circle(picture, (int(at), int(level)), int(rng.integers(2, 6)), colour, cv2.FILLED)
    else:
        wide = max(1, (right - left) // (2 * count))
        for at, level in zip(x, y, strict=True):
            cv2.rectangle(picture, (int(at) - wide, int(level)), (int(at) + wide, bottom), colour, cv2.FILLED)


def _logo(rng: Generator) -> Picture:
    picture = _canvas(rng, _colour(rng))
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(1, 12))):
        centre = int(rng.integers(0, width)), int(rng.integers(0, height))
        size = int(rng.integers(10, max(11, min(height, width) // 2)))
        kind = rng.integers(3)
        if kind == 0:
            cv2.circle(picture, centre, size, _colour(rng), cv2.FILLED, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(picture, centre, (centre[0] + size, centre[1] + size // 2), _colour(rng), cv2.FILLED)
        else:
            corners = rng.integers(0, min(height, width), (int(rng.integers(3, 7)), 2)).astype(np.int32)
            cv2.fillPoly(picture, [corners], _colour(rng), cv2.LINE_AA)
    if rng.random() < 0.6:
        _write(picture, rng, width // 8, height // 2, int(rng.integers(2, 12)), float(rng.uniform(1, 3)), _colour(rng))
    return picture


def _noise(rng: Generator) -> Picture:
    """White or cloudy, grey or coloured."""
    height, width = (int(side) for side in rng.integers(64, 500, 2))
    channels = 3 if rng.random() < 0.5 else 1
    step = int(rng.choice([1, 1, 4, 16, 64]))
    small = rng.integers(0, 256, (max(2, height // step), max(2, width // step), channels), dtype=np.uint8)
    field = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)
    return np.ascontiguousarray(np.broadcast_to(field, (height, width, 3)))


def _flat(rng: Generator) -> Picture:
    """One colour, a gradient between two, stripes or a checkerboard."""
    height, width = (int(side) for side in rng.integers(64, 500, 2))
    one, two = np.array(_colour(rng)), np.array(_colour(rng))
    y, x = np.mgrid[0:height, 0:width]
    kind, period = rng.integers(4), int(rng.integers(8, 80))
    share = (
        np.zeros((height, width))
        if kind == 0
        else (x / width * rng.uniform(0, 1) + y / height * rng.uniform(0, 1)) / 2
        if kind == 1
        else (x // period) % 2
        if kind == 2
        else (x // period + y // period) % 2
    )
    mixed: NDArray[np.floating] = one + (two - one) * share[..., None]
    return np.asarray(np.rint(mixed).clip(0, 255), np.uint8)


KINDS: dict[str, Callable[[Generator], Picture]] = {
    "document": _document,
    "screenshot": _screenshot,
    "plot": _plot,
    "logo": _logo,
    "noise": _noise,
    "flat": _flat,
}


def draw_other(kind: str, seed: int) -> Picture:
    """One picture, uint8 RGB (H, W, 3), sides 64 to 900 pixels. kind: a key of KINDS."""
    return KINDS[kind](np.random.default_rng([list(KINDS).index(kind), seed]))
