"""Fitting the heart-risk model: its tables, its weights, its figures and the bundle that is written."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from samples import HEART_PERSON, real_member

from ml_model.errors import OutOfRange
from ml_model.inference.bundle import Bundle
from ml_model.tabular.logistic_model import model_from_json
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tasks.registry import RiskTask, load_task
from ml_model.training.commands.train_tabular import run_risk_recipe
from ml_model.training.evaluation.intervals import evidence_level
from ml_model.training.heart_risk import bundle as risk_bundle
from ml_model.training.heart_risk import data as risk_data
from ml_model.training.heart_risk import evaluate as risk_evaluate
from ml_model.training.heart_risk import fit as risk_fit
from ml_model.training.heart_risk import information as risk_information
from ml_model.training.reports.risk_card import risk_card

TASK = load_task("heart-risk")
assert isinstance(TASK, RiskTask)
TASK_INPUTS = tuple(feature.name for feature in TASK.features)


def small_table(patients: int = 240, seed: int = 0) -> risk_data.RiskTable:
    """Patients whose outcome depends on age, sex, heart rate and angina; a tenth of the optional values missing."""
    rng = np.random.default_rng(seed)
    features = tuple(f.name for f in TASK.features)
    columns = [
        rng.uniform(35, 75, patients), rng.integers(0, 2, patients), rng.normal(130, 15, patients),
        rng.normal(240, 40, patients), rng.integers(0, 4, patients), rng.normal(140, 20, patients),
        rng.integers(0, 2, patients), rng.integers(0, 2, patients), rng.integers(0, 3, patients),
        rng.uniform(0, 3, patients),
    ]  # fmt: skip
    values = np.stack(columns, axis=1).astype(float)
    score = 0.06 * (values[:, 0] - 55) + values[:, 1] - 0.03 * (values[:, 5] - 140) + 1.5 * values[:, 6] - 1
    outcome = rng.random(patients) < 1 / (1 + np.exp(-score))
    values[:, 2:][rng.random((patients, 8)) < 0.1] = np.nan
    return risk_data.RiskTable(features, values, outcome, np.array(["a", "b"])[rng.integers(0, 2, patients)])


def write_small_data(folder: Path) -> None:
    """The three tables in the public layouts, from the small table."""
    table = small_table()
    names = {v: k for k, v in risk_data.UCI_COLUMNS.items()}
    with (folder / "uci_heart.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*(names[f] for f in table.features), "num", "site"])
        for row, sick, site in zip(table.values, table.outcome, table.site, strict=True):
            given = ["" if np.isnan(v) else v + (f == "chest_pain") for f, v in zip(table.features, row, strict=True)]
            writer.writerow([*given, int(sick) * 2, site])
    (folder / "framingham.csv").write_text(
        "male,age,totChol,sysBP,TenYearCHD\n" + "1,60,250,150,1\n0,40,NA,110,0\n" * 30, encoding="utf-8"
    )
    (folder / "cardio_train.csv").write_text(
        "id;age;gender;ap_hi;cardio\n" + "1;22000;2;150;1\n2;15000;1;110;0\n3;15000;1;14020;0\n" * 30, encoding="utf-8"
    )


def test_zero_cholesterol_is_missing_and_pain_counts_from_zero(tmp_path: Path) -> None:
    head = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,num,site\n"
    (tmp_path / "t.csv").write_text(head + "50,1,4,0,0,,0,150,0,1.5,2,va\n", encoding="utf-8")
    table = risk_data.read_uci(tmp_path / "t.csv", TASK)
    row = dict(zip(table.features, table.values[0], strict=True))
    assert row["chest_pain"] == 3
    assert [n for n, v in row.items() if np.isnan(v)] == ["blood_pressure", "cholesterol", "fasting_blood_sugar"]
    assert table.outcome.tolist() == [True]
    (tmp_path / "t.csv").write_text(head + "50,1,5,120,200,0,0,150,0,1.5,2,va\n", encoding="utf-8")
    with pytest.raises(OutOfRange, match="line 2: chest_pain"):
        risk_data.read_uci(tmp_path / "t.csv", TASK)


def test_em_recovers_mean_and_covariance_despite_gaps() -> None:
    rng = np.random.default_rng(0)
    full = rng.multivariate_normal([1.0, -2.0], [[1.0, 0.8], [0.8, 1.0]], 4000)
    gaps = full.copy()
    gaps[full[:, 0] > 1, 1] = np.nan  # missing where the other is high: the plain mean is biased
    mean, covariance = risk_fit.fit_gaussian(gaps)
    assert abs(np.nanmean(gaps[:, 1]) + 2) > 0.4
    assert mean == pytest.approx([1.0, -2.0], abs=0.1)
    assert covariance[0, 1] == pytest.approx(0.8, abs=0.1)


def test_figures_are_those_counted_by_hand() -> None:
    outcome = np.array([True, True, False, False])
    tied = risk_evaluate.figures(outcome, np.array([0.9, 0.5, 0.5, 0.1]))
    assert (tied.auc.value, tied.brier) == (0.875, 0.13)
    assert risk_evaluate.figures(outcome, np.array([1.0, 1.0, 0.0, 0.0])).ece == 0
    assert risk_evaluate.figures(outcome, np.full(4, 0.9)).ece == 0.4


def test_weights_recover_what_the_data_hold() -> None:
    fitted = risk_fit.fit_logistic(TASK, small_table(1200))
    weights = {(c.feature, c.equals): float(w) for c, w in zip(fitted.columns, fitted.coefficients, strict=True)}
    assert weights["age", None] == pytest.approx(0.06 * 11.5, abs=0.2)
    assert weights["exercise_angina", 1.0] == pytest.approx(1.5, abs=0.3)
    assert weights["max_heart_rate", None] == pytest.approx(-0.6, abs=0.2)


def test_recipe_writes_a_bundle_that_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk_evaluate, "RESAMPLES", 10)
    monkeypatch.setattr(risk_evaluate, "FOLDS", 3)
    monkeypatch.setattr(risk_information, "RESAMPLES", 10)
    monkeypatch.setattr(risk_information, "all_combinations", lambda task: [("age", "sex"), TASK_INPUTS])
    write_small_data(tmp_path)
    trained = risk_bundle.train(TASK, tmp_path, tmp_path / "out", seed=0)
    test = trained.manifest.metrics.test
    assert test.ten_fold["seven_inputs"].auc.value > 0.75
    assert set(test.leave_one_site_out["seven_inputs"].by_site) == {"a", "b"}
    assert test.ten_fold["seven_inputs"].patients == 240
    assert [part.combinations for part in test.by_information] == [1, 1]
    assert test.calm["ten_fold_age_and_sex_only"].withheld > test.calm["ten_fold_all_inputs"].withheld
    assert trained.file("card.md").read_text(encoding="utf-8") == risk_card(TASK, trained.manifest)
    assert HeartRiskModel.load(trained, TASK).assess(HEART_PERSON).probability > 0.5


def test_command_line_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_risk_recipe("heart-risk", "", ["--data", str(tmp_path)]) == 1
    assert "no heart_risk tables in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("low", "level"),
    [(math.nan, "insufficient"), (0.69, "insufficient"), (0.7, "limited"), (0.849, "limited"), (0.85, "sufficient")],
)
def test_evidence_by_the_lower_end(low: float, level: str) -> None:
    assert evidence_level(low) == level


def test_shipped_model_is_the_fit_of_the_data(heart_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "uci_heart.csv").write_bytes(real_member("heart_risk.zip", "uci_heart.csv"))
    table = risk_data.read_uci(tmp_path / "uci_heart.csv", TASK)
    assert len(table.outcome) == 780
    shipped = model_from_json(heart_bundle.file("model.json").read_text(encoding="utf-8"))
    refit = risk_fit.fit_logistic(TASK, table)
    assert refit.coefficients == pytest.approx(shipped.coefficients, abs=1e-3)
