"""Ultrasound pictures as another machine, setting or way of export would show them.

A B-mode picture shows log-compressed echoes: a level is an amount of decibels within the dynamic range of the machine.
Gain, time-gain compensation, dynamic range, resolution and speckle are therefore changed in decibels, depth and probe
by geometry, and what a console or a report draws around and into a picture is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Grey = NDArray[np.float32]

USUAL_RANGE_DB = 60.0
BACKGROUND_LEVEL = 4  # up to here, after smoothing and from the edge on, it is the screen and no echo
LATERAL_TO_AXIAL = 2.0  # a beam is wider than its pulse is long


@dataclass(frozen=True)
class UltrasoundSite:
    """How a place takes, shows and exports its pictures.

    gain_db: on every echo. tgc_db: added at the skin and taken at the greatest depth, linearly between. range_db: the
    dynamic range that is shown, of which 60 dB are taken as usual. gamma: of the grey map. smoothing_px: axial
    deviation of the blur at 224 pixels. speckle_db: deviation of added speckle; fully developed one has 5.6. depth:
    greater shows more depth, the lesion smaller. stretch: width to height, of what was squashed. sector_degrees:
    opening of a convex probe's picture, 0 for a linear one. console: a frame with text, grey bar and depth marks.
    callipers: crosses and a dotted line in the picture. inverted: black on white, as on a printed report.
    """

    gain_db: float = 0.0
    tgc_db: float = 0.0
    range_db: float = USUAL_RANGE_DB
    gamma: float = 1.0
    smoothing_px: float = 0.0
    speckle_db: float = 0.0
    depth: float = 1.0
    stretch: float = 1.0
    sector_degrees: float = 0.0
    console: bool = False
    callipers: bool = False
    inverted: bool = False


# The yardstick: fixed before the first training, never changed with a candidate in view (docs/training.md).
SIMULATED_SITES: dict[str, UltrasoundSite] = {
    "low gain": UltrasoundSite(gain_db=-8),
    "high gain": UltrasoundSite(gain_db=9, gamma=0.85),
    "narrow range": UltrasoundSite(range_db=45),
    "wide range": UltrasoundSite(range_db=90, gain_db=12),
    "deep echoes lost": UltrasoundSite(tgc_db=10),
    "deep echoes raised": UltrasoundSite(tgc_db=-9),
    "low frequency": UltrasoundSite(smoothing_px=1.6, speckle_db=4),
    "deep": UltrasoundSite(depth=1.45),
    "near": UltrasoundSite(depth=0.72, stretch=1.15),
    "convex probe": UltrasoundSite(sector_degrees=70, smoothing_px=0.8),
    "console": UltrasoundSite(console=True, callipers=True, gamma=1.25),
    "printed": UltrasoundSite(inverted=True),
}


def random_site(rng: Generator) -> UltrasoundSite:
    """A place as there may be one: most of its settings differ a little, a few of them a lot."""

    def sometimes(share: float, value: float, otherwise: float) -> float:
        return value if rng.random() < share else otherwise

    return UltrasoundSite(
        gain_db=float(rng.normal(0, 6)),
        tgc_db=float(rng.normal(0, 5)),
        range_db=float(USUAL_RANGE_DB * np.exp(rng.normal(0, 0.25))),
        gamma=float(np.exp(rng.normal(0, 0.2))),
        smoothing_px=sometimes(0.4, float(rng.uniform(0.4, 2.0)), 0.0),
        speckle_db=sometimes(0.4, float(rng.uniform(1, 5.6)), 0.0),
        depth=float(np.exp(rng.normal(0, 0.2))),
        stretch=float(np.exp(rng.normal(0, 0.12))),
        sector_degrees=sometimes(0.2, float(rng.uniform(50, 90)), 0.0),
        console=bool(rng.random() < 0.25),
        callipers=bool(rng.random() < 0.25),
        inverted=bool(rng.random() < 0.05),
    )


def seen_at(picture: Picture, site: UltrasoundSite, rng: Generator) -> Picture:
    """`picture` (H, W, 3) as the site would show it, of its size, in grey; rng: of speckle and of what is drawn."""
    grey = _placed(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8), site)
    levels = _shown(grey, site, rng)
    if site.sector_degrees:
        levels = levels * _sector(levels.shape, site.sector_degrees)
    shown = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    if site.callipers:
        shown = _with_callipers(shown, rng)
    if site.console:
        shown = _on_console(shown, rng)
    if site.inverted:
        shown = 255 - shown
    return np.repeat(shown[..., None], 3, axis=2)


def _placed(grey: Picture, site: UltrasoundSite) -> Picture:
    """More or less depth, from the skin on; what was not seen is black."""
    height, width = grey.shape
    scale_y, scale_x = 1 / site.depth, site.stretch / site.depth
    affine = np.array([[scale_x, 0, (1 - scale_x) * (width - 1) / 2], [0, scale_y, 0]])
    if scale_y > 1:  # nearer: the depth shown starts somewhat below the skin, so that lesions stay in view
        affine[1, 2] = (1 - scale_y) * (height - 1) / 3
    return np.asarray(cv2.warpAffine(grey, affine, (width, height), flags=cv2.INTER_AREA), np.uint8)


def _shown(grey: Picture, site: UltrasoundSite, rng: Generator) -> Grey:
    """Levels 0-255 of the echoes under the site's settings; the screen around them stays black."""
    height, width = grey.shape
    echo = ~_screen(grey)
    unit = height / 224
    decibels = (grey.astype(np.float32) / 255 - 1) * np.float32(USUAL_RANGE_DB)
    if site.smoothing_px:
        axial = site.smoothing_px * unit
        decibels = cv2.GaussianBlur(decibels, (0, 0), sigmaX=LATERAL_TO_AXIAL * axial, sigmaY=axial)  # type: ignore[assignment]
    if site.speckle_db:
        decibels = decibels + np.float32(site.speckle_db) * _speckle((height, width), unit, rng)
    along = np.linspace(1, -1, height, dtype=np.float32)[:, None]
    decibels = decibels + np.float32(site.gain_db) + np.float32(site.tgc_db) * along
    share = np.clip(1 + decibels / np.float32(site.range_db), 0, 1)
    return np.asarray(255 * share ** np.float32(site.gamma) * echo, np.float32)


def _screen(grey: Picture) -> NDArray[np.bool_]:
    """Where there is no echo but the screen: dark, and joined to the edge of the picture, as no cyst is."""
    dark = (cv2.GaussianBlur(grey, (0, 0), 2.0) <= BACKGROUND_LEVEL).astype(np.uint8)
    parts = cv2.connectedComponents(dark)[1]
    edge = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return np.asarray((dark > 0) & np.isin(parts, edge))


def _speckle(shape: tuple[int, int], unit: float, rng: Generator) -> Grey:
    """Noise of deviation 1 whose grains are wider than high."""
    grains = rng.standard_normal(shape, dtype=np.float32)
    grains = cv2.GaussianBlur(grains, (0, 0), sigmaX=LATERAL_TO_AXIAL * 0.7 * unit, sigmaY=0.7 * unit)  # type: ignore[assignment]
    return np.asarray(grains / grains.std(), np.float32)


def _sector(shape: tuple[int, ...], degrees: float) -> Grey:
    """1 within the picture of a convex probe at the upper edge, 0 outside."""
    height, width = shape
    half = np.deg2rad(degrees / 2)
    apex = -width / 2 / np.tan(half) * 0.6  # the probe's own radius lies above the picture
    rows, columns = np.mgrid[:height, :width]
    angle = np.arctan2(np.abs(columns - (width - 1) / 2), rows - apex)
    radius = np.hypot(columns - (width - 1) / 2, rows - apex)
    return np.asarray((angle <= half) & (radius <= height - apex) & (radius >= -apex), np.float32)


def _with_callipers(shown: Picture, rng: Generator) -> Picture:
    """Two crosses joined by dots, somewhere in the middle."""
    height, width = shown.shape
    centre = rng.uniform(0.3, 0.7, 2) * (width, height)
    angle, half = rng.uniform(0, np.pi), rng.uniform(0.08, 0.22) * width
    arm = half * np.array([np.cos(angle), np.sin(angle)])
    size = max(4, round(0.035 * width))
    for end in (centre - arm, centre + arm):
        x, y = (int(v) for v in end)
        cv2.drawMarker(shown, (x, y), 255, cv2.MARKER_CROSS, size, 1)
    for share in np.linspace(-1, 1, 12):
        x, y = (int(v) for v in centre + share * arm)
        cv2.circle(shown, (x, y), 0, 230, -1)
    return shown


def _on_console(shown: Picture, rng: Generator) -> Picture:
    """The picture smaller, on a screen with lines of text, a grey bar and depth marks."""
    height, width = shown.shape
    top, left = (int(rng.uniform(0.06, 0.14) * side) for side in (height, width))
    bottom, right = height - int(rng.uniform(0.04, 0.12) * height), width - int(rng.uniform(0.08, 0.16) * width)
    screen = np.full_like(shown, int(rng.choice([0, 0, 12, 40])))
    screen[top:bottom, left:right] = cv2.resize(shown, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    bar = np.linspace(255, 0, max(2, (bottom - top) // 2)).astype(np.uint8)
    wide = max(2, width // 50)
    screen[top : top + len(bar), width - 2 * wide : width - wide] = bar[:, None]
    for row in np.linspace(top, bottom - 1, 9).astype(int):
        screen[row, right : right + wide] = 200
    scale = 0.3 * height / 224
    for row in (int(0.6 * top), height - 3):
        words = " ".join(str(rng.integers(10, 9999)) for _ in range(4))
        cv2.putText(screen, words, (4, row), cv2.FONT_HERSHEY_SIMPLEX, scale, 190, 1, cv2.LINE_AA)
    return screen
