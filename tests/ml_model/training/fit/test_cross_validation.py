"""Folds by patient, what tells a data set from the embedding, breasts from films, and categories for screening."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from jobs import sample, small_job, two_sets
from made_tasks import thresholds
from numpy.typing import NDArray
from predictions import manifest, predicted
from samples import image_task

from ml_model.diagnosis.decision import decide, screening_category
from ml_model.diagnosis.population import KnownFacts
from ml_model.inference.bundle import MODELS_DIR, Manifest, ScreeningCalibration, write_bundle
from ml_model.inference.interval import Interval
from ml_model.inference.measured import ImageMetrics
from ml_model.training.evaluation.metrics import Scored
from ml_model.training.evaluation.source_leakage import merged_labels, source_told_by_embedding
from ml_model.training.fit.cross_validation import HELD_OUT, cross_validate, fold_numbers, with_fold
from ml_model.training.fit.image_trainer import train
from ml_model.training.job import Job
from ml_model.training.models.image_classifier import build_model
from ml_model.training.pipeline import add_metrics
from ml_model.training.posthoc.screening import screening_calibration
from ml_model.training.recipe import Phase, Recipe
from ml_model.training.reports.model_card import card_markdown


def test_folds_keep_groups_whole_and_leave_the_other_set_alone() -> None:
    samples = two_sets()
    numbers = fold_numbers(samples, "small", 5, seed=0)
    assert (numbers[40:] == -1).all()
    for group in range(10):
        assert len({int(n) for n, s in zip(numbers, samples, strict=True) if s.group == f"s{group}"}) == 1
    assert sorted(np.bincount(numbers[:40]).tolist()) == [8] * 5
    folded = with_fold(samples, numbers, 2)
    assert sum(s.split == HELD_OUT for s in folded) == 8
    held = {s.group for s in folded if s.split == HELD_OUT}
    assert held.isdisjoint({s.group for s in folded if s.split == "train"})


def test_cross_validation_needs_a_set_to_cross_validate(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names no data set to cross-validate"):
        cross_validate(small_job(tmp_path, Phase("all", 1, 32, 1e-3), cross_validated=None), 5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of TensorFlow
def test_what_draws_on_the_set_is_trained_anew_for_each_fold_and_the_rest_is_kept(tmp_path: Path) -> None:
    job = small_job(
        tmp_path,
        Phase("large", 1, 32, 1e-3, batch_size=4, sources=("large",)),
        Phase("both", 40, None, 1e-1, frozen=True),
    )
    train(job)
    figures = cross_validate(job, 3)
    whole = (tmp_path / "checkpoints" / "phase0.weights.h5").read_bytes()
    heads = set()
    for fold in range(3):
        kept = tmp_path / f"fold{fold}" / "checkpoints"
        assert (kept / "phase0.weights.h5").read_bytes() == whole
        heads.add(weights_of(job, kept / "phase1.weights.h5").tobytes())
    assert len(heads) == 3
    assert weights_of(job, tmp_path / "checkpoints" / "phase1.weights.h5").tobytes() not in heads
    assert figures.model.macro_auc.value > 0.95


def weights_of(job: Job, path: Path) -> NDArray[np.float32]:
    """Those of the last layer."""
    model = build_model("small_cnn", classes=len(job.task.codes), size_px=(32, 48))
    model.load_weights(path)
    return np.asarray(model.get_layer("logits").kernel)


def test_labels_that_overlap_are_compared_as_one() -> None:
    samples = [sample("a", "x", "1", "x"), sample("b", "ill", "2", "x", "y"), sample("a", "well", "3", "well")]
    assert merged_labels(samples) == [frozenset("xy"), frozenset("xy"), frozenset({"well"})]


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.3, 0.7), (4.0, 0.99, 1.0)])
def test_a_source_that_shows_in_the_embedding_is_found(shift: float, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    samples = [sample(("a", "b")[i % 2], "well", f"g{i}") for i in range(120)]
    embedding = rng.normal(size=(120, 8)).astype(np.float32)
    embedding[1::2, 3] += shift
    told = source_told_by_embedding(samples, embedding)
    assert low <= told["well"].auc <= high
    assert source_told_by_embedding(samples[::2], embedding[::2]) == {}


def test_too_few_groups_tell_nothing_of_a_source() -> None:
    """As in a trial run: four groups in all, or one of the sources with a single group."""
    embedding = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32)
    four = [sample(("a", "b")[i % 2], "well", f"g{i % 4}") for i in range(120)]
    assert source_told_by_embedding(four, embedding) == {}
    single = [sample(("a", "b")[i % 2], "well", f"g{i}" if i % 2 else "g0") for i in range(120)]
    assert source_told_by_embedding(single, embedding) == {}


def test_calibration_undoes_overconfidence_and_carries_over_to_screening() -> None:
    task = image_task("mammogram")
    rng = np.random.default_rng(1)
    logit = rng.normal(0, 1.5, 4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-logit))
    claimed = 1 / (1 + np.exp(-2 * logit))  # twice as sure as it may be
    p = np.stack([1 - claimed, claimed], axis=1)
    scored = Scored(np.stack([~truth, truth], axis=1), p > 0.5, p, np.arange(4000).astype(str))
    fitted = screening_calibration(task, scored)
    assert fitted is not None
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.prevalence == pytest.approx(truth.mean())
    assert fitted.probability(0.5, fitted.prevalence) == pytest.approx(0.5, abs=0.03)
    assert fitted.probability(0.5, 0.021) == pytest.approx(0.021, abs=0.005)
    assert screening_calibration(image_task("skin"), scored) is None
    turned = screening_calibration(task, Scored(scored.truth, p < 0.5, p[:, ::-1], scored.groups))
    assert turned is not None
    assert [turned.probability(claim, 0.021) for claim in (0.01, 0.99)] == pytest.approx([0.021, 0.021], abs=0.001)


@pytest.mark.parametrize(("probability", "birads"), [(0.3, "0"), (0.97, "0"), (0.99, "4C"), (0.9999, "5")])
def test_the_band_follows_the_probability_at_screening_prevalence(probability: float, birads: str) -> None:
    task = image_task("mammogram")
    plain = ScreeningCalibration(slope=1, intercept=0, prevalence=0.5)
    suspecting = manifest(task, findings={"cancer": thresholds(None, 0.2)})
    decision = decide(task, suspecting, predicted([[1 - probability, probability]]), KnownFacts())
    found = screening_category(task, decision, plain)
    assert found is not None
    assert found[0] == birads
    odds = probability / (1 - probability) * 0.021 / 0.979
    assert found[1] == pytest.approx(odds / (1 + odds), rel=1e-3)
    assert screening_category(task, decision, None) is None


def crossed_manifest(low: float) -> Manifest:
    """The shipped histology manifest with a cross-validated AUC whose interval begins at `low`."""
    manifest = Manifest.model_validate_json((MODELS_DIR / "histopathology" / "manifest.json").read_bytes())
    crossed = manifest.image_metrics.cross_validation
    assert crossed is not None
    model = crossed.model.model_copy(update={"macro_auc": Interval(value=0.9, low=low, high=0.95)})
    metrics = {"cross_validation": crossed.model_copy(update={"model": model})}
    return manifest.model_copy(update={"metrics": manifest.image_metrics.model_copy(update=metrics)})


def test_a_card_begins_with_the_data_set_on_which_the_model_does_not_hold() -> None:
    task = image_task("histopathology")
    first = card_markdown(task, crossed_manifest(0.69)).splitlines()[2]
    assert first.startswith(
        "**Not to be relied on for pictures like those of BreakHis 100x: macro AUC 0.900 (0.690-0.950)"
    )
    sound = crossed_manifest(0.71)
    assert card_markdown(task, sound).splitlines()[2].startswith("Evidence:")
    test = sound.image_test.model_copy(update={"macro_auc": Interval(value=0.7, low=0.6, high=0.8)})
    weak = sound.image_metrics.model_copy(update={"test": test})
    first = card_markdown(task, sound.model_copy(update={"metrics": weak})).splitlines()[2]
    assert first == "**Not to be relied on: macro AUC 0.700 (0.600-0.800) on the test pictures.**"


def test_figures_added_to_a_finished_bundle_lower_its_evidence(tmp_path: Path) -> None:
    shipped = MODELS_DIR / "histopathology"
    for name in ("manifest.json", "model.onnx", "familiarity.npz", "card.md"):
        shutil.copy(shipped / name, tmp_path)
    recipe = Recipe(task="histopathology", phases=(Phase("all", 1, 32, 1e-3),))
    nothing = np.zeros((50, 8, 8, 3), np.uint8)
    job = Job(image_task("histopathology"), recipe, two_sets(), nothing, tmp_path)
    given = crossed_manifest(0.8).model_copy(update={"evidence": "sufficient"})
    for low, expected in ((0.9, "sufficient"), (0.8, "limited"), (0.6, "insufficient")):
        fields = given.model_dump(mode="json", exclude={"files", "format_version"})
        write_bundle(tmp_path, {**fields, "metrics": given.metrics, "evidence": "sufficient"}, ["model.onnx"])
        add_metrics(job, cross_validation=crossed_manifest(low).image_metrics.cross_validation)
        added = Manifest.model_validate_json((tmp_path / "manifest.json").read_bytes())
        assert added.evidence == expected
        assert added.image_metrics.cross_validation.model.macro_auc.low == low
        assert added.image_test == given.image_test


def test_a_bundle_that_was_never_measured_is_left_for_its_own_run_to_finish(tmp_path: Path) -> None:
    shutil.copy(MODELS_DIR / "histopathology" / "model.onnx", tmp_path)
    recipe = Recipe(task="histopathology", phases=(Phase("all", 1, 32, 1e-3),))
    nothing = np.zeros((50, 8, 8, 3), np.uint8)
    job = Job(image_task("histopathology"), recipe, two_sets(), nothing, tmp_path)
    fields = crossed_manifest(0.8).model_dump(mode="json", exclude={"files", "format_version"})
    write_bundle(tmp_path, {**fields, "metrics": ImageMetrics()}, ["model.onnx"])
    before = (tmp_path / "manifest.json").read_bytes()
    add_metrics(job, cross_validation=crossed_manifest(0.8).image_metrics.cross_validation)
    assert (tmp_path / "manifest.json").read_bytes() == before
