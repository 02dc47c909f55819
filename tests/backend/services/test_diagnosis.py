"""Heatmaps and signals of the last answers are bounded by bytes; those that nobody asked for longest go first."""

from __future__ import annotations

import numpy as np
from beats import twelve_leads
from cachetools import TTLCache

from backend.app import Application
from backend.services.diagnosis import KEPT_BYTES, KEPT_S, KEPT_SIGNAL_BYTES, ImageDiagnosis, Left
from backend.services.rendering.heatmaps import Heatmap, heatmap_bytes, heatmap_of, held_bytes
from ml_model.diagnosis.case import SignalView
from ml_model.diagnosis.reading import reading_pool
from ml_model.ecg.leads import EcgRecording
from ml_model.inputs.images.geometry import Frame

MANY = 300


def ecg_overlay() -> Heatmap:
    """What one answer to a recording leaves."""
    probabilities, maps = np.full(5, 0.5, np.float32), np.ones((5, 1, 125), np.float32)
    return heatmap_of(SignalView(twelve_leads(), 100.0, probabilities, maps), 0, "normal")


def picture_overlay() -> Heatmap:
    """What one answer to a picture leaves."""
    return Heatmap(np.zeros((600, 600, 3), np.uint8), np.ones((7, 7), np.float32), Frame(0, 0, 600, 600), 600, 600)


def fill(cache: TTLCache[str, object], one: object) -> list[int]:
    """Numbers that are still there when MANY were put in."""
    cache.clear()
    for number in range(MANY):
        cache[str(number)] = Left(one, None)
    return [number for number in range(MANY) if str(number) in cache]


def test_an_ecg_leaves_its_signal_and_no_drawing() -> None:
    one = ecg_overlay()
    assert isinstance(one.shown, EcgRecording)
    assert heatmap_bytes(one) == one.shown.signal_mv.nbytes + one.activation_map.nbytes < 60_000


def test_overlays_stay_within_the_bytes(demo_app: Application) -> None:
    one = picture_overlay()
    assert not isinstance(one.shown, EcgRecording)
    size_bytes = one.shown.nbytes + one.activation_map.nbytes
    assert 1_000_000 < size_bytes == heatmap_bytes(one)
    kept = fill(demo_app.services.images._heatmaps, one)
    assert kept == list(range(MANY - KEPT_BYTES // size_bytes, MANY)), "the oldest went"
    assert len(kept) * size_bytes <= KEPT_BYTES == 64 * 2**20
    assert demo_app.services.images.heatmap(str(MANY - 1)) == Left(one, None)
    assert demo_app.services.images.heatmap("0") is None


def test_signals_of_pages_are_bounded_too(demo_app: Application) -> None:
    one = EcgRecording(np.zeros((50_000, 12), np.float32), 500.0)
    kept = len(fill(demo_app.services.images._signals, one))
    assert kept == KEPT_SIGNAL_BYTES // one.signal_mv.nbytes == 2**24 // 2_400_000
    assert demo_app.services.images.signal(str(MANY - 1)) == Left(one, None)
    assert demo_app.services.images.signal("unknown") is None


def test_what_an_answer_left_is_gone_after_an_hour(demo_app: Application) -> None:
    services, now_s = demo_app.services, [0.0]
    images = ImageDiagnosis(services.models, services.metrics, True, reading_pool(), timer=lambda: now_s[0])
    signal = EcgRecording(np.zeros((500, 12), np.float32), 500.0)
    images._heatmaps["a"], images._signals["a"] = Left(picture_overlay(), None), Left(signal, None)
    now_s[0] = KEPT_S - 1
    assert images.heatmap("a") is not None
    assert images.signal("a") is not None
    now_s[0] = KEPT_S
    assert (images.heatmap("a"), images.signal("a")) == (None, None)


def test_a_view_counts_as_all_that_it_looks_into() -> None:
    whole = np.zeros((1000, 1000), np.float32)
    assert (held_bytes(whole[:2, :2]), held_bytes(whole[:2, :2].copy())) == (whole.nbytes, 16)
