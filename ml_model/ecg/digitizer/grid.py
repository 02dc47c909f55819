"""The millimetre grid of a photographed ECG page: found window by window in spectra, fitted by one bent sheet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PX_PER_MM = 5  # of the flattened page
MAX_ANGLE_DEGREES = 15.0
_WINDOW_PX = 256  # long enough for ten 5 mm squares, short enough that perspective is constant within
_MIN_BINS = 5.0  # lowest frequency looked at: large squares of up to 51 px
_CLEAN_BINS = 70.0  # below it no harmonics are folded back from beyond the pixels' limit
_MAX_BINS = 106.0  # beyond it harmonics that the pixels folded back
_MAJORS = 125  # a 10 s page is 50 to 100 large squares wide, 250 to 500 small ones: between the two
_SEEDS = 8  # windows searched for a lattice before it is followed through the picture
_MIN_SNR = 6.0  # of a window's spectral peak; windows without a grid stay below 5
_NODE_MM = 5.0


@dataclass(frozen=True)
class _Lattice:
    """The square lattice of one window's spectrum."""

    window: int
    waves: NDArray[np.float64]  # (2 axes, 2) in cycles per px: the strongest harmonic across and down
    base: float  # bins, of the lattice's fundamental
    mm: float  # distance on paper that one cycle of `waves` stands for
    clarity: float  # summed log excess of the comb


class _Windows:
    """Amplitude spectra of overlapping square windows, centred, with each window's middle in px."""

    def __init__(self, grid: Floats) -> None:
        height, width = grid.shape
        self.size = size = _WINDOW_PX
        hann = np.hanning(size).astype(np.float32)
        self._grid, self._taper = grid, hann[:, None] * hann[None, :]
        self._corners = [(top, left) for top in _starts(height, size) for left in _starts(width, size)]
        self.middles = np.array([(left + size / 2, top + size / 2) for top, left in self._corners])
        self._spectra: dict[int, Floats] = {}

    def spectrum(self, window: int) -> Floats:
        """Of one window, against its median; computed when it is first asked for."""
        if window not in self._spectra:
            top, left = self._corners[window]
            part = self._grid[top : top + self.size, left : left + self.size]
            amplitude = np.abs(np.fft.fft2((part - part.mean()) * self._taper)).astype(np.float32)
            self._spectra[window] = np.fft.fftshift(amplitude) / np.maximum(np.median(amplitude), np.float32(1e-6))
        return self._spectra[window]


def _starts(length: int, size: int) -> list[int]:
    count = max(1, int(np.ceil((length - size) / (0.75 * size))) + 1)
    return [int(v) for v in np.linspace(0, length - size, count).round()]


def _polar(spectrum: Floats, angles: NDArray[np.float64], radii: NDArray[np.float64]) -> Floats:
    """The centred spectrum along each angle (rows) at each radius in bins (columns)."""
    middle = spectrum.shape[0] // 2
    x = (middle + np.cos(angles)[:, None] * radii).astype(np.float32)
    y = (middle + np.sin(angles)[:, None] * radii).astype(np.float32)
    return np.asarray(cv2.remap(spectrum, x, y, cv2.INTER_LINEAR), np.float32)


def _seed(windows: _Windows, shape: tuple[int, int]) -> _Lattice | None:
    """The clearest lattice of the windows in the middle of the picture whose spacing their neighbours share."""
    distance = np.abs(windows.middles - np.array([shape[1] / 2, shape[0] / 2])).max(1)
    found = [_window_lattice(windows, int(k), shape[1]) for k in np.argsort(distance, kind="stable")[:_SEEDS]]
    lattices = sorted((f for f in found if f is not None), key=lambda f: -f.clarity)[:5]
    if not lattices:
        return None
    usual = float(np.median([f.base for f in lattices]))
    return min(lattices, key=lambda f: abs(f.base - usual))


def _window_lattice(windows: _Windows, window: int, width_px: int) -> _Lattice | None:
    limit = np.deg2rad(MAX_ANGLE_DEGREES)
    angles = np.linspace(-limit, limit, 31)
    radii = np.arange(_MIN_BINS, _MAX_BINS, 0.5)
    spectrum = cv2.GaussianBlur(windows.spectrum(window), (3, 3), 0.7).astype(np.float32)
    polar = [_polar(spectrum, angles + turn, radii) for turn in (0.0, np.pi / 2)]
    floor = np.maximum(np.median(np.concatenate(polar), axis=0), 1e-6)
    excess = [np.log(np.maximum(side / (2 * floor), 1)) for side in polar]
    rows = [int(np.argmax(side.sum(1))) for side in excess]
    comb = np.minimum(*(_wider(side[row] / floor) for side, row in zip(polar, rows, strict=True)))
    if comb.max() < _MIN_SNR:
        return None
    base = _fundamental(comb, radii)
    orders = np.arange(1, int(_MAX_BINS / base) + 1)
    heights = np.interp(orders * base, radii, comb) / (1 + (orders * base / 60) ** 2)
    harmonic = int(orders[np.argmax(heights)])
    squares = base / windows.size * width_px
    frequency = harmonic * base / windows.size
    if squares < _MAJORS / 4:  # a line missing or thicker in every second square: half the true frequency
        harmonic, squares = max(1, round(harmonic / 2)), 2 * squares
    turned = [angles[row] + turn for row, turn in zip(rows, (0.0, np.pi / 2), strict=True)]
    waves = np.array([(np.cos(a), np.sin(a)) for a in turned]) * frequency
    clarity = float(np.log(np.maximum(comb / 2, 1)).sum())
    return _Lattice(window, waves, base, (5.0 if squares < _MAJORS else 1.0) / harmonic, clarity)


def _wider(profile: Floats) -> Floats:
    """Perspective scales the two axes differently: let a peak be found a little beside."""
    return np.asarray(cv2.dilate(profile[None, :], np.ones((1, 5), np.uint8))[0], np.float32)


def _fundamental(comb: Floats, radii: NDArray[np.float64]) -> float:
    """The spacing, in bins, of which the peaks of a profile are multiples more than chance would have it."""
    smooth = cv2.GaussianBlur(np.log(np.maximum(comb, 1))[None, :], (0, 0), 1.5)[0]
    clear = smooth > max(0.8, 0.3 * float(smooth.max()))
    peak = clear & (smooth >= cv2.dilate(smooth[None, :], np.ones((1, 9), np.uint8))[0])
    places = radii[peak]
    heights = smooth[peak] ** 2 / (1 + (places / 40) ** 2)  # perspective smears the higher ones, pixels fold them back
    spacings = np.array([p / k for p in places for k in range(1, 13) if p / k >= _MIN_BINS])
    if not len(spacings):
        return float(radii[np.argmax(comb)])
    reach = np.minimum(1.2 + 0.01 * places, 0.2 * spacings[:, None])
    misfit = np.abs(places - np.maximum(np.round(places / spacings[:, None]), 1) * spacings[:, None])
    explained = ((misfit < reach) * heights).sum(1) / heights.sum()
    by_chance = 2 * reach.mean(1) / spacings
    best = int(np.argmax(explained - by_chance))
    orders = np.maximum(np.round(places / spacings[best]), 1)
    weights = heights * (misfit[best] < reach[best])
    return _undivided(comb, radii, float((weights * places * orders).sum() / (weights * orders**2).sum()))


def _undivided(comb: Floats, radii: NDArray[np.float64], spacing: float) -> float:
    """The spacing, or its double or triple where what lies between those multiples is faint (resizing leaves such)."""
    for times in (2, 3):
        orders = np.arange(1, int(_CLEAN_BINS / spacing) + 1)
        heights = np.interp(orders * spacing, radii, comb)
        whole = orders % times == 0
        if whole.any() and heights[~whole].mean() < 0.3 * heights[whole].mean():
            return _undivided(comb, radii, spacing * times)
    return spacing


def _grow(windows: _Windows, seed: _Lattice) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Waves (windows, 2 axes, 2) followed from the seed to its neighbours and on, and where they were found."""
    waves = np.zeros((len(windows.middles), 2, 2))
    found = np.zeros(len(waves), bool)
    waves[seed.window] = seed.waves
    apart = np.abs(windows.middles[:, None] - windows.middles[None]).max(2)
    pending = [seed.window]
    tried = {seed.window}
    while pending:
        window = pending.pop(0)
        known = found & (apart[window] < 1.1 * windows.size)
        guess = waves[known].mean(0) if known.any() else seed.waves
        refined = [_refine(windows.spectrum(window), wave) for wave in guess]
        if min(snr for _, snr in refined) < _MIN_SNR:
            continue
        waves[window], found[window] = [wave for wave, _ in refined], True
        near = np.flatnonzero(apart[window] < 0.9 * windows.size)
        fresh = [int(k) for k in near if int(k) not in tried]
        tried.update(fresh)
        pending += fresh
    return waves, found


def _refine(spectrum: Floats, wave: NDArray[np.float64]) -> tuple[tuple[float, float], float]:
    """The spectral peak near a wave, to a fraction of a bin, and its height above what surrounds it."""
    size = len(spectrum)
    middle, reach = size // 2, 4
    left = int(np.clip(round(middle + wave[0] * size) - reach, 1, size - 2 * reach - 2))
    top = int(np.clip(round(middle + wave[1] * size) - reach, 1, size - 2 * reach - 2))
    patch = spectrum[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    row, column = np.unravel_index(int(np.argmax(patch)), patch.shape)
    r, c = top + int(row), left + int(column)
    dy = _vertex(spectrum[r - 1, c], spectrum[r, c], spectrum[r + 1, c])
    dx = _vertex(spectrum[r, c - 1], spectrum[r, c], spectrum[r, c + 1])
    snr = float(patch.max()) / max(float(np.median(patch)), 1e-6)
    return ((c + dx - middle) / size, (r + dy - middle) / size), snr


def _vertex(before: float, at: float, after: float) -> float:
    """Offset of a peak between bins, by a parabola through the logarithms (a Hann peak is nearly Gaussian)."""
    a, b, c = (float(np.log(max(v, 1e-6))) for v in (before, at, after))
    curvature = a - 2 * b + c
    return float(np.clip(0.5 * (a - c) / curvature, -0.5, 0.5)) if curvature < -1e-9 else 0.0


@dataclass(frozen=True)
class Sheet:
    """Millimetres on the paper as polynomials of the place in the picture."""

    powers: tuple[tuple[int, int], ...]
    weights: NDArray[np.float64]  # (terms, 2) for mm across and down
    size_px: float
    low_mm: NDArray[np.float64]  # (2,) where the paper begins
    high_mm: NDArray[np.float64]  # (2,) and ends

    def mm(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        terms = np.stack([(x / self.size_px) ** i * (y / self.size_px) ** j for i, j in self.powers], -1)
        return np.asarray(terms @ self.weights)

    def slopes(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Jacobian (..., 2 of the picture, 2 of the paper) in mm per px."""
        return np.stack(
            [_derivative(self.powers, x / self.size_px, y / self.size_px, d) @ self.weights for d in (0, 1)], -2
        ) / np.float64(self.size_px)


def _derivative(
    powers: tuple[tuple[int, int], ...], x: NDArray[np.float64], y: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    columns = []
    for i, j in powers:
        a, b = (i - 1, j) if axis == 0 else (i, j - 1)
        factor = i if axis == 0 else j
        columns.append(factor * x ** max(a, 0) * y ** max(b, 0))
    return np.stack(columns, -1)


def _fit_sheet(windows: _Windows, shape: tuple[int, int]) -> tuple[Sheet, NDArray[np.bool_]] | None:
    """The sheet whose gradient is the windows' waves, and which windows show it; None with too few."""
    seed = _seed(windows, shape)
    if seed is None:
        return None
    waves, seen = _grow(windows, seed)
    size = float(max(shape))
    x, y = (windows.middles / size).T
    target = waves.transpose(2, 0, 1).reshape(-1, 2) * seed.mm * size  # x slopes of all windows, then y slopes
    for _ in range(3):
        if seen.sum() < 2:
            return None
        order = 3 if seen.sum() >= 12 else 2 if seen.sum() >= 6 else 1
        powers = tuple((i, j) for i in range(order + 1) for j in range(order + 1 - i) if i + j > 0)
        gradient = np.concatenate([_derivative(powers, x, y, d) for d in (0, 1)])
        use = np.concatenate([seen, seen])
        stiffness = np.diag([0.0 if i + j == 1 else 0.003 for i, j in powers])  # bends only where windows agree
        rows = np.concatenate([gradient[use], stiffness])
        weights = np.linalg.lstsq(rows, np.concatenate([target[use], np.zeros((len(powers), 2))]), rcond=None)[0]
        misfit = np.hypot(*(target - gradient @ weights).reshape(2, -1, 2)).max(1)
        per_page = float(np.hypot(*target[use].reshape(2, -1, 2)).mean())
        seen = seen & (misfit < max(0.02 * per_page, 2.5 * float(np.median(misfit[seen]))))
    return Sheet(powers, weights, size, np.zeros(2), np.zeros(2)), seen


def find_sheet(grid: Floats) -> Sheet | None:
    """The sheet of paper that the darkness of grid lines (height, width) shows, or None."""
    if min(grid.shape) < _WINDOW_PX:
        return None
    windows = _Windows(cv2.GaussianBlur(grid, (0, 0), 1.0).astype(np.float32))
    fitted = _fit_sheet(windows, (grid.shape[0], grid.shape[1]))
    if fitted is None:
        return None
    sheet, seen = fitted
    half = windows.size / 2
    corners = np.array([(-half, -half), (half, -half), (-half, half), (half, half)])
    x, y = (windows.middles[seen, None, :] + corners).T
    extent = sheet.mm(x, y).reshape(-1, 2)
    return replace(sheet, low_mm=extent.min(0), high_mm=extent.max(0))


def places(sheet: Sheet, shape: tuple[int, int]) -> tuple[Floats, Floats] | None:
    """For every px of the flattened page the place (x, y) in the picture; None for a sheet of impossible size."""
    low, high = sheet.low_mm, sheet.high_mm
    if np.any(high - low > (700, 500)) or np.any(high - low < (60, 30)):
        return None
    counts = np.ceil((high - low) / _NODE_MM).astype(int)
    u, v = (low[k] + (np.arange(-1, counts[k] + 1) + 0.5) * _NODE_MM for k in (0, 1))
    goal = np.stack(np.meshgrid(u, v), -1)
    x = np.full(goal.shape[:2], shape[1] / 2)
    y = np.full(goal.shape[:2], shape[0] / 2)
    for _ in range(6):
        slopes = sheet.slopes(x, y)
        error = goal - sheet.mm(x, y)
        det = slopes[..., 0, 0] * slopes[..., 1, 1] - slopes[..., 0, 1] * slopes[..., 1, 0]
        det = np.where(np.abs(det) < 1e-6, 1e-6, det)
        x = x + (error[..., 0] * slopes[..., 1, 1] - error[..., 1] * slopes[..., 1, 0]) / det
        y = y + (error[..., 1] * slopes[..., 0, 0] - error[..., 0] * slopes[..., 0, 1]) / det
        x, y = np.clip(x, -shape[1], 2 * shape[1]), np.clip(y, -shape[0], 2 * shape[0])
    step = int(_NODE_MM * PX_PER_MM)
    size = (len(u) * step, len(v) * step)
    maps = [cv2.resize(m.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for m in (x, y)]
    across, down = (np.asarray(m[step:-step, step:-step], np.float32) for m in maps)
    return across, down
