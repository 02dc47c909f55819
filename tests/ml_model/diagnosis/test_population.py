"""A known age moves the answer: how much is learnt from training, weighed on validation, and said in the answer."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import dataset, write
from pictures import detailed, encode
from predictions import fixed, predicted
from pydantic import ValidationError
from samples import image_task, tiny_probabilities

from backend.app import Application, create_app
from backend.config import Config
from ml_model.diagnosis.reproduction import replay
from ml_model.inference.bundle import AgeEffect, Bundle
from ml_model.inference.calibration import with_age
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.data.samples import Sample, ages_years
from ml_model.training.evaluation.evaluator import evaluate
from ml_model.training.posthoc.age_prior import fit_age_effect

EFFECT = AgeEffect(
    reference_years=60, youngest_years=40, oldest_years=80, at_reference=(0.0, 0.1), per_decade=(-0.2, 0.2)
)
FILM = np.random.default_rng(1).integers(0, 4096, (200, 200), dtype=np.uint16)


MAMMOGRAM = image_task("mammogram")


def odds(probabilities: Any) -> Any:
    return probabilities[..., 1] / probabilities[..., 0]


def test_an_age_multiplies_the_odds_and_one_beyond_the_range_counts_as_its_end() -> None:
    given = np.array([[0.8, 0.2]] * 6, np.float32)
    told = with_age(given, [60, 75, 80, 95, 12, float("nan")], EFFECT)
    decades = np.array([0, 1.5, 2, 2, -2])
    assert odds(told[:5]) == pytest.approx(0.25 * np.exp(0.1 + 0.4 * decades), rel=1e-5)
    assert told.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-6)
    assert (told[5] == given[5]).all()
    assert told.dtype == np.float32


def drawn(count: int, per_decade: float, split: str, seed: int, at_60: float = 0.0) -> list[Sample]:
    """Women of 40 to 80 years; at 60 the logit of cancer is `at_60`, and it rises by so much every ten years."""
    rng, samples = np.random.default_rng(seed), []
    for number in range(count):
        age = rng.uniform(40, 80)
        ill = rng.random() < 1 / (1 + np.exp(-at_60 - per_decade * (age - 60) / 10))
        code = "cancer" if ill else "no_cancer"
        samples.append(Sample(Path("x"), "s", code, (code,), f"{split}{number}", split, {"age": f"{age:.1f}"}))
    return samples


def test_the_effect_is_that_of_the_training_ages_where_pictures_tell_nothing() -> None:
    train, validated = drawn(4000, 0.8, "train", 0), drawn(1500, 0.8, "val", 1)
    effect = fit_age_effect(MAMMOGRAM.codes, train, validated, np.full((1500, 2), 0.5, np.float32))
    assert effect is not None
    assert effect.per_decade[1] - effect.per_decade[0] == pytest.approx(0.8, abs=0.08)
    assert sum(effect.per_decade) == pytest.approx(0, abs=1e-4)
    assert (effect.reference_years, effect.youngest_years, effect.oldest_years) == (60, 40, 80)
    assert effect.at_reference[1] == pytest.approx(0, abs=0.05)


def test_rare_findings_are_not_made_likelier_at_the_middle_age() -> None:
    """An age adds what it tells beyond the share of cancers, which the answers know already."""
    train, validated = drawn(6000, 0.8, "train", 0, at_60=-2.0), drawn(3000, 0.8, "val", 1, at_60=-2.0)
    share = float(np.mean([s.label == "cancer" for s in train]))
    answers = np.tile(np.array([1 - share, share], np.float32), (3000, 1))
    effect = fit_age_effect(MAMMOGRAM.codes, train, validated, answers)
    assert effect is not None
    told = with_age(answers[:2], [60, 80], effect)
    assert odds(told) == pytest.approx(np.exp([-2.0, -0.4]), rel=0.15)


def test_a_picture_that_shows_the_age_leaves_less_for_it_to_add() -> None:
    train, validated = drawn(4000, 0.8, "train", 0), drawn(3000, 0.8, "val", 1)
    half = 1 / (1 + np.exp(-0.4 * (ages_years(validated) - 60) / 10))
    effect = fit_age_effect(MAMMOGRAM.codes, train, validated, np.stack([1 - half, half], axis=1).astype(np.float32))
    assert effect is not None
    assert effect.per_decade[1] - effect.per_decade[0] == pytest.approx(0.4, abs=0.15)
    whole = half**2 / (half**2 + (1 - half) ** 2)
    full = np.stack([1 - whole, whole], axis=1).astype(np.float32)
    assert fit_age_effect(MAMMOGRAM.codes, train, validated, full) is None


def test_no_effect_without_ages_without_a_class_or_where_validation_knows_none() -> None:
    train, validated = drawn(500, 0.8, "train", 0), drawn(800, 0.0, "val", 1)
    even = np.full((800, 2), 0.5, np.float32)
    assert fit_age_effect(MAMMOGRAM.codes, train, validated, even) is None
    few = drawn(12, 0.8, "val", 2)
    assert fit_age_effect(MAMMOGRAM.codes, train, few, even[:12]) is None  # it helps, but not clearly
    ageless = [Sample(s.path, s.source, s.label, s.codes, s.group, s.split, {"age": "unknown"}) for s in train]
    assert np.isnan(ages_years(ageless)).all()
    assert fit_age_effect(MAMMOGRAM.codes, ageless, validated, even) is None
    healthy = [s for s in train if s.label == "no_cancer"]
    assert fit_age_effect(MAMMOGRAM.codes, healthy, validated, even) is None


def test_the_figures_with_the_age_are_of_those_whose_age_is_known() -> None:
    """Pictures say nothing; ages do, but the last sample's is not known."""
    ages, codes = ("45", "50", "75", "80", ""), ("no_cancer", "no_cancer", "cancer", "cancer", "cancer")
    samples = [
        Sample(Path("x"), "s", code, (code,), f"w{i}", "test", {"age": age, "side": "L"})
        for i, (age, code) in enumerate(zip(ages, codes, strict=True))
    ]
    figures = evaluate(fixed(MAMMOGRAM, predicted([[0.5, 0.5]] * 5), age_effect=EFFECT), samples)
    assert figures.macro_auc.value == 0.5
    aged = figures.age_given
    assert aged is not None
    assert (aged.count, aged.macro_auc.value, aged.by_case.macro_auc.value) == (4, 1.0, 1.0)
    assert aged.accuracy.value == 1.0
    sure = odds(with_age(np.array([[0.5, 0.5]] * 4, np.float32), [45, 50, 75, 80], EFFECT))
    named = np.maximum(sure, 1 / sure) / (1 + np.maximum(sure, 1 / sure))
    assert aged.brier_score.value == pytest.approx(2 * ((1 - named) ** 2).mean(), abs=1e-4)
    assert evaluate(fixed(MAMMOGRAM, predicted([[0.5, 0.5]] * 5)), samples).age_given is None


def test_an_age_does_not_go_with_several_labels() -> None:
    heart = load_task("heart").model_dump()
    with pytest.raises(ValidationError, match="age_counts: takes a task that is not multi_label"):
        ImageTask.model_validate({**heart, "age_counts": True})


@pytest.fixture(scope="module")
def aged_app(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: Callable[..., Bundle]) -> Application:
    root = tmp_path_factory.mktemp("aged")
    write_tiny_bundle(MAMMOGRAM, root / "models", age_effect=EFFECT)
    config = Config(
        model_dirs=(root / "models",), user_models_dir=root, data_dir=root / "data", log=False, input_gate=False
    )
    return create_app(config)


def ask(app: Application, data: bytes, query: str = "") -> dict[str, Any]:
    reply = app.test_client().post(f"/analyze/mammogram{query}", data={"image": [(io.BytesIO(data), "a")]})
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = json.loads(reply.text)
    return answer


def test_the_service_takes_the_age_given_or_that_of_the_dicom_file(aged_app: Application) -> None:
    picture = encode(detailed(seed=2), "PNG")
    film = write(dataset(FILM, Modality="MG", PatientAge="072Y"))
    models = aged_app.services.models.get("mammogram")
    assert models is not None
    for data, query, age, told_by in (
        (picture, "", None, None),
        (picture, "?age_years=45", 45, "age_years"),
        (film, "", 72, "dicom"),
        (film, "?age_years=45", 45, "age_years"),
    ):
        pixels = load_image(data, MAMMOGRAM.input).pixels
        expected = tiny_probabilities(MAMMOGRAM, pixels).astype(np.float32)[None]
        if age is not None:
            expected = with_age(expected, [age], EFFECT)
        answer = ask(aged_app, data, query)
        found = {c["code"]: c["confidence"] for c in answer["all_predictions"]}
        assert found == pytest.approx(dict(zip(MAMMOGRAM.codes, expected[0], strict=True)), abs=1e-5)
        assert answer["model"]["age_told_by"] == told_by
        assert answer["model"]["population_told_by"] is None
        assert replay(answer, [("a", data)], models.bundle.path.parent).identical
    assert ask(aged_app, picture)["all_predictions"] != ask(aged_app, picture, "?age_years=45")["all_predictions"]


def test_models_say_whether_an_age_counts(aged_app: Application, live_app: Application) -> None:
    for app, counts in ((aged_app, True), (live_app, False)):
        assert app.test_client().get("/models/mammogram").get_json()["age_counts"] is counts
    answer = ask(live_app, encode(detailed(seed=2), "PNG"), "?age_years=45")
    assert answer["model"]["age_told_by"] is None
