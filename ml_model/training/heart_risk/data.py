"""Reads the heart-disease tables with the task's names, units and codes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import OutOfRange
from ml_model.inputs.tabular import checked_value
from ml_model.tasks.registry import RiskTask

Floats = NDArray[np.float64]
UCI_COLUMNS = {
    "age": "age",
    "sex": "sex",
    "trestbps": "blood_pressure",
    "chol": "cholesterol",
    "cp": "chest_pain",
    "thalach": "max_heart_rate",
    "exang": "exercise_angina",
    "fbs": "fasting_blood_sugar",
    "restecg": "resting_ecg",
    "oldpeak": "oldpeak",
}
ZERO_IS_MISSING = ("blood_pressure", "cholesterol")


@dataclass(frozen=True)
class RiskTable:
    """N patients. `values` (N, F) in the task's order and units, NaN where missing."""

    features: tuple[str, ...]
    values: Floats
    outcome: NDArray[np.bool_]  # (N,)
    site: NDArray[np.str_]  # (N,)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> RiskTable:
        """The patients of a mask or an index."""
        return RiskTable(self.features, self.values[keep], self.outcome[keep], self.site[keep])

    def only(self, given: tuple[str, ...]) -> RiskTable:
        """The same patients with every other feature missing."""
        hidden = np.array([name not in given for name in self.features])
        values = self.values.copy()
        values[:, hidden] = np.nan
        return RiskTable(self.features, values, self.outcome, self.site)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def read_uci(path: Path, task: RiskTask) -> RiskTable:
    """Read uci_heart.csv: chest pain 1..4 becomes 0..3, cholesterol and pressure of 0 are missing, num > 0 is disease.

    Raises OutOfRange when a value does not fit the task file: codes or units differ from what it declares.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    features = tuple(f.name for f in task.features)
    values = np.full((len(rows), len(features)), np.nan)
    for at, row in enumerate(rows):
        for column, name in UCI_COLUMNS.items():
            number = _number(row[column])
            if np.isnan(number) or (name in ZERO_IS_MISSING and number == 0):
                continue
            number -= name == "chest_pain"
            try:
                values[at, features.index(name)] = checked_value(task.features[features.index(name)], number)
            except OutOfRange as error:
                raise OutOfRange(f"{path.name} line {at + 2}: {error}") from error
    outcome = np.array([_number(row["num"]) > 0 for row in rows])
    return RiskTable(features, values, outcome, np.array([row["site"] for row in rows]))


def read_framingham(path: Path, features: tuple[str, ...]) -> RiskTable:
    """Framingham: age, sex, pressure and cholesterol; outcome is coronary disease within ten years."""
    columns = {"age": "age", "male": "sex", "sysBP": "blood_pressure", "totChol": "cholesterol"}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    values = np.full((len(rows), len(features)), np.nan)
    for column, name in columns.items():
        values[:, features.index(name)] = [_number(row[column]) for row in rows]
    outcome = np.array([row["TenYearCHD"] == "1" for row in rows])
    return RiskTable(features, values, outcome, np.full(len(rows), "framingham"))


def read_cardio(path: Path, features: tuple[str, ...]) -> RiskTable:
    """Health examinations: age (days in the file), sex (2 is male there), pressure (implausible ones dropped)."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [r for r in csv.DictReader(stream, delimiter=";") if 70 <= _number(r["ap_hi"]) <= 250]
    values = np.full((len(rows), len(features)), np.nan)
    values[:, features.index("age")] = [_number(r["age"]) / 365.25 for r in rows]
    values[:, features.index("sex")] = [_number(r["gender"]) - 1 for r in rows]
    values[:, features.index("blood_pressure")] = [_number(r["ap_hi"]) for r in rows]
    outcome = np.array([r["cardio"] == "1" for r in rows])
    return RiskTable(features, values, outcome, np.full(len(rows), "cardio"))
