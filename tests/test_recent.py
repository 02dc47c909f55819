"""The stores of the last answers are bounded by number and by bytes; the oldest go first."""

from __future__ import annotations

import numpy as np
from beats import twelve_leads

from backend.app import Application
from backend.services.records.bounded_store import KEPT_ANSWERS, KEPT_BYTES, RecentStore, held_bytes
from backend.services.rendering.heatmaps import Heatmap, HeatmapStore, heatmap_of
from ml_model.diagnosis.case import SignalView
from ml_model.ecg.leads import EcgRecording
from ml_model.inputs.images.geometry import Frame


def ecg_overlay() -> Heatmap:
    """What one answer to a recording leaves."""
    probabilities, maps = np.full(5, 0.5, np.float32), np.ones((5, 1, 125), np.float32)
    return heatmap_of(SignalView(twelve_leads(), 100.0, probabilities, maps), 0, "normal")


def bytes_of(heatmap: Heatmap) -> int:
    return heatmap.pixels.nbytes + heatmap.activation_map.nbytes


def test_overlays_of_ecgs_stay_within_the_bytes() -> None:
    store, one = HeatmapStore(), ecg_overlay()
    assert bytes_of(one) > 1_000_000
    for number in range(KEPT_ANSWERS):
        store.put(str(number), one)
    kept = [number for number in range(KEPT_ANSWERS) if store.get(str(number))]
    assert len(kept) == KEPT_BYTES // bytes_of(one)
    assert kept == list(range(KEPT_ANSWERS - len(kept), KEPT_ANSWERS)), "the oldest went"
    assert len(kept) * bytes_of(one) <= 64 * 2**20


def test_pictures_are_bounded_by_number() -> None:
    store = HeatmapStore()
    small = Heatmap(np.zeros((224, 224, 3), np.uint8), np.zeros((7, 7), np.float32), Frame(0, 0, 224, 224), 224, 224)
    for number in range(KEPT_ANSWERS + 1):
        store.put(str(number), small)
    assert [store.get("0"), store.get("1"), store.get(str(KEPT_ANSWERS))] == [None, small, small]


def test_bytes_come_back_when_something_goes() -> None:
    store: RecentStore[bytes] = RecentStore(len, size=100, most_bytes=10)
    for name, size in (("a", 6), ("b", 3), ("c", 4), ("d", 6)):
        store.put(name, bytes(size))
    assert [store.get(name) for name in "abcd"] == [None, None, bytes(4), bytes(6)]
    store.put("huge", bytes(11))
    assert [store.get(name) for name in ("c", "d", "huge")] == [None, None, None], "what is too large is not kept"
    store.put("e", bytes(10))
    assert store.get("e") == bytes(10)


def test_a_view_counts_as_all_that_it_looks_into() -> None:
    whole = np.zeros((1000, 1000), np.float32)
    assert (held_bytes(whole[:2, :2]), held_bytes(whole[:2, :2].copy())) == (whole.nbytes, 16)


def test_signals_of_pages_are_bounded_too(demo_app: Application) -> None:
    signals = demo_app.services.signals
    one = EcgRecording(np.zeros((50_000, 12), np.float32), 500.0)
    for number in range(KEPT_ANSWERS):
        signals.put(str(number), one)
    kept = sum(signals.get(str(number)) is not None for number in range(KEPT_ANSWERS))
    assert kept == KEPT_BYTES // one.signal_mv.nbytes
