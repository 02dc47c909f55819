"""Skin that was photographed without a dermatoscope is told, and its answer rules nothing out."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import encode
from PIL import Image
from samples import image_task

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.input_gate.modality_classifier import (
    BUNDLE_ID,
    Recognition,
    modality_spec,
    photograph_note,
    photograph_rule,
    picture_statistics,
)
from ml_model.training.skin.clinical_photos import FITTED_ON, MEASURED_ON, SHARES, cut_out
from ml_model.training.skin.photographs import altered, as_toml, fitted_rule, threshold

WAYS = {**FITTED_ON, **MEASURED_ON}
STATISTICS = 29


@pytest.fixture(scope="module")
def gate() -> Predictor:
    contract = modality_spec().contract_sha256
    return Predictor(load_bundle(MODELS_DIR / BUNDLE_ID, task=BUNDLE_ID, contract_sha256=contract))


def dermatoscopic(seed: int = 0) -> NDArray[np.uint8]:
    """Drawn: a spotted lesion on skin, uint8 RGB (224, 224, 3)."""
    rng = np.random.default_rng(seed)
    skin = np.array([205, 160, 140]) + cv2.GaussianBlur(rng.normal(0, 12, (224, 224, 3)), (0, 0), 6)
    drawn = np.zeros((224, 224), np.float32)
    cv2.ellipse(drawn, (112, 112), (62, 50), float(rng.uniform(0, 180)), 0, 360, (1,), cv2.FILLED)
    lesion = cv2.GaussianBlur(drawn, (0, 0), 4)[..., None]
    spots = cv2.GaussianBlur(rng.normal(0, 60, (224, 224, 1)), (0, 0), 3)[..., None]
    return np.asarray((skin * (1 - 0.6 * lesion) + 6 * spots * lesion).clip(0, 255), np.uint8)


@pytest.mark.parametrize("way", WAYS)
def test_a_simulated_photograph_shows_the_lesion_small_on_skin(way: str) -> None:
    photo = WAYS[way](dermatoscopic(), np.random.default_rng(3))
    assert photo.dtype == np.uint8
    assert photo.shape[2] == 3
    assert min(photo.shape[:2]) >= 100
    assert not np.array_equal(photo, WAYS[way](dermatoscopic(), np.random.default_rng(4)))
    assert photo.std() > 5
    cut = cut_out(dermatoscopic())
    assert cut.alpha.shape == cut.ratio.shape[:2]
    assert cut.alpha.max() > 0.99
    assert SHARES[1] < 0.25


def test_the_rule_that_is_served_is_for_the_gate_that_is_served(gate: Predictor) -> None:
    rule, width = photograph_rule(), gate.predict(np.zeros((1, 128, 128, 3), np.uint8)).embedding.shape[1]
    assert rule.model_sha256 == gate.bundle.manifest.files[MODEL_FILE]
    assert len(rule.weights) == width + STATISTICS
    assert rule.kind == image_task("skin").input.modality
    again = tomllib.loads(as_toml(gate, np.array(rule.weights), rule.offset))
    assert again == rule.model_dump(mode="json") | {"weights": list(rule.weights)}


def test_nothing_is_told_of_other_kinds_without_a_look_or_by_another_gate() -> None:
    rule = photograph_rule()
    seen = np.zeros(len(rule.weights) - STATISTICS, np.float32)
    surely = np.where(np.array(rule.weights[: len(seen)]) > 0, 1e4, -1e4).astype(np.float32)
    scores = {rule.kind: 1.0}
    told = Recognition(rule.kind, scores, {rule.kind: 0.5}, embedding=surely)
    assert photograph_note(told, dermatoscopic()) == rule.told
    assert photograph_note(replace(told, embedding=-surely), dermatoscopic()) is None
    assert photograph_note(replace(told, embedding=None), dermatoscopic()) is None
    assert photograph_note(replace(told, expected="mammogram"), dermatoscopic()) is None
    assert photograph_note(None, dermatoscopic()) is None


def test_the_statistics_tell_light_colour_and_detail() -> None:
    flat = picture_statistics(np.full((224, 224, 3), 128, np.uint8))
    assert flat.shape == (STATISTICS,)
    assert flat[:12] == pytest.approx(np.log(1e-3), abs=0.5)
    assert flat[18:21] == pytest.approx([53.6, 0, 0], abs=0.5)
    slope = np.repeat(np.linspace(60, 200, 224)[None, :, None].astype(np.uint8), 224, axis=0).repeat(3, axis=2)
    coarse = picture_statistics(slope)
    assert coarse[0] > coarse[6] + 5
    assert coarse[25] - coarse[24] > 40  # from the darkest to the lightest part along the edges
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    assert np.ptp(picture_statistics(noise)[2:8]) < 2


def test_the_fit_parts_what_can_be_parted_and_the_threshold_counts_lesions() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (400, 6)) * [1, 10, 0.1, 1, 1, 1] + [0, 5, 0, 0, 0, 0]
    weights, offset = fitted_rule(rows[:200], rows[200:] + [0, 40, 0, 0, 0, 0])
    assert ((rows[:200] @ weights + offset) < 0).mean() > 0.95
    assert (((rows[200:] + [0, 40, 0, 0, 0, 0]) @ weights + offset) > 0).mean() > 0.95
    groups = [f"lesion {i // 2}" for i in range(200)]
    scores = np.arange(200.0)
    assert threshold(scores, groups, 0.01) == 199  # the highest of 100 lesions
    assert (scores > threshold(scores, groups, 0.1)).sum() <= 20


def test_an_altered_picture_is_still_one(gate: Predictor) -> None:
    for seed in range(6):
        picture = altered(dermatoscopic(seed), np.random.default_rng(seed))
        assert picture.dtype == np.uint8
        assert min(picture.shape[:2]) > 100


def test_an_answer_to_a_photograph_warns_abstains_and_rules_nothing_out(gate: Predictor) -> None:
    task = image_task("skin")
    model = Predictor(load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256))
    engines, told = Engines(pictures=model, gate=gate, tasks=(task,)), photograph_rule().told
    called = 0
    for seed, way in enumerate(WAYS.values()):
        photo = encode(Image.fromarray(way(dermatoscopic(seed), np.random.default_rng(seed))), "PNG")
        result = diagnose(task, Case(pictures=(photo,), gate="warn"), engines)
        off = diagnose(task, Case(pictures=(photo,), gate="off"), engines)
        assert told not in (*off.input_check.warnings, *off.input_check.abstain_reasons)
        if told in result.input_check.abstain_reasons:
            called += 1
            assert told in result.input_check.warnings
            assert told in result.decision.abstain_reasons
            assert {finding.state for finding in result.decision.findings} <= {"indeterminate", "suspected"}
            assert result.decision.triage.level in ("soon", "urgent", "emergency")
            assert result.decision.headline == "No statement can be made"
    assert called >= 3


def test_the_words_are_sober_and_say_what_to_do() -> None:
    told = photograph_rule().told
    assert told.startswith("this looks like a photograph of skin taken without a dermatoscope")
    assert re.search(r"no answer to such a photograph can be leant on", told)
    assert "have the lesion itself examined" in told
