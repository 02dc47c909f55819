"""The shipped input gate: documents, plots, noise and flat colours pass nowhere, ECG pages where they belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from beats import twelve_leads
from PIL import Image
from samples import write_tiny_gate

from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.page_style import styles_for_record
from ml_model.ecg.recording import EcgRecording
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.modality_classifier import (
    BUNDLE_ID,
    OTHER,
    PUT_RIGHT_FROM,
    modality_spec,
    overview_of,
    recognise,
)
from ml_model.training.augmentation.synthetic_negatives import KINDS, draw_other
from ml_model.training.input_gate.data import DRAWN_EACH

SPEC = modality_spec()
UNSEEN = sum(DRAWN_EACH.values())  # seeds from here on were used for nothing


@pytest.fixture(scope="module")
def gate() -> Predictor:
    return Predictor(load_bundle(MODELS_DIR / BUNDLE_ID, task=BUNDLE_ID, contract_sha256=SPEC.contract_sha256))


def accepted_as(gate: Predictor, pixels: np.ndarray) -> set[str]:
    overview = overview_of(Image.fromarray(pixels))
    found = {code: recognise(gate, overview, code) for code in SPEC.codes if code != OTHER}
    assert None not in found.values(), "the gate knows every kind"
    return {code for code, recognition in found.items() if recognition and recognition.accepted}


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_no_medical_picture_is_accepted_nowhere(gate: Predictor, kind: str) -> None:
    found = [accepted_as(gate, draw_other(kind, seed)) for seed in range(UNSEEN, UNSEEN + 25)]
    # One plot of curves on a grid in fifty passes for an ECG page; nothing can be read off it, and it is refused then.
    tolerated = {"ecg_image"} if kind == "plot" else set()
    assert set().union(*found) <= tolerated
    assert sum(map(bool, found)) <= 2


def test_ecg_pages_are_accepted_as_such_and_nothing_else(gate: Predictor) -> None:
    for seed in range(12):
        recording = EcgRecording(twelve_leads(seed=seed), 100.0)
        page = draw_page(recording, styles_for_record(seed)[0]).pixels
        assert accepted_as(gate, page) == {"ecg_image"}


def test_every_task_s_kind_has_a_threshold(gate: Predictor) -> None:
    assert set(gate.bundle.manifest.thresholds) == set(SPEC.codes) - {OTHER}


def test_what_looks_exchanged_is_looked_at_put_right_and_must_be_far_more_like_its_kind(tmp_path: Path) -> None:
    """The tiny gate takes blue for a film, from a score of .4 on, and yellow, its opposite, for a mammogram."""
    tiny = Predictor(write_tiny_gate(tmp_path))

    def told(*colour: int, exchanged: bool | None) -> tuple[bool, str, float, bool]:
        sent = np.full((SPEC.input.height_px, SPEC.input.width_px, 3), colour, np.uint8)
        found = recognise(tiny, sent, "chest_xray", exchanged=exchanged)
        assert found is not None
        return found.accepted, found.kind, found.threshold, found.exchanged

    yellow, pale, blue = (235, 235, 25), (155, 155, 48), (20, 20, 230)
    assert told(*yellow, exchanged=None) == (False, "mammogram", 0.4, False)
    assert told(*yellow, exchanged=True) == (True, "chest_xray", PUT_RIGHT_FROM, False)
    assert told(*yellow, exchanged=False) == (False, "mammogram", 0.4, True)
    assert told(100, 100, 207, exchanged=None) == (True, "chest_xray", 0.4, False), "the pale one when put right"
    for exchanged in (True, False):
        assert told(*pale, exchanged=exchanged) == (False, "mammogram", 0.4, False)
    assert told(*blue, exchanged=False) == (True, "chest_xray", 0.4, False)
    assert told(*blue, exchanged=True) == (False, "chest_xray", 0.4, False), "a mammogram when put right"
    unsure = np.full((SPEC.input.height_px, SPEC.input.width_px, 3), (100, 100, 207), np.uint8)
    for exchanged in (True, False):
        found = recognise(tiny, unsure, "chest_xray", exchanged=exchanged)
        assert found is not None
        assert 0.4 < found.score < PUT_RIGHT_FROM
        assert (found.accepted, found.inverted_kind) == (False, "mammogram")
