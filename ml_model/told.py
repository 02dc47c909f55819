"""What an answer tells in figures and in a word: read from its JSON, and told again by what a model gives.

One pair of functions for each shape of answer, so that the two can be compared to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_model.diagnosis.decision import Diagnosis
from ml_model.tabular.risk_model import RiskAssessment
from ml_model.tabular.symptom_model import MatchedSymptom, RankedDisease
from ml_model.tasks.labels import label_of, label_probabilities
from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """`figures`: probabilities (0-1), scores and log-odds by what they belong to. `named`: what was settled on."""

    figures: dict[str, float]
    named: str


def told_in(task: ImageTask | SymptomTask | RiskTask, result: Result) -> Told:
    """What an answer of the service says. Raises KeyError, TypeError or AttributeError for what is no such answer."""
    if isinstance(task, SymptomTask):
        rows = {row["disease"]: row["probability"] for row in result["top_predictions"]}
        matched = {_matched(row["given"], row["name"]): row["score"] for row in result["symptoms_matched"]}
        return Told(rows | matched, result["prediction"]["disease"])
    if isinstance(task, RiskTask):
        found = result["prediction"]
        added = {_added_by(name): factor["contribution"] for name, factor in result["risk_factors"].items()}
        whole = {name: result[name] for name in ("baseline_log_odds", "imputed_log_odds")}
        return Told({"probability": found["probability"], **whole, **added}, _risk(**_words_of(found)))
    if "class_probabilities" in result:
        return Told({**result["class_probabilities"], "probability": result["probability"]}, result["classification"])
    if "all_predictions" in result:
        ranked = {row["code"]: row["confidence"] for row in result["all_predictions"]}
        return Told(ranked, result["prediction"]["code"])
    return Told({"confidence": result["confidence"]}, str(result["prediction"]))


def told_of_image(task: ImageTask, diagnosis: Diagnosis, result: Result) -> Told:
    """A diagnosis in the shape of `result`: classes, labels of the data set, or one word."""
    by_code = {row.spec.code: min(1.0, float(row.probability)) for row in diagnosis.ranking}
    code = diagnosis.predicted.code
    if "class_probabilities" in result:
        totals, label = label_probabilities(by_code, task.datasets[0].labels), label_of(task, code)
        return Told({**totals, "probability": totals[label]}, label)
    if "all_predictions" in result:
        return Told(by_code, code)
    return Told({"confidence": by_code[code]}, diagnosis.predicted.type.capitalize())


def told_of_symptoms(ranking: Sequence[RankedDisease], matched: Sequence[MatchedSymptom]) -> Told:
    """A ranking of diseases, the most probable first, and how the symptoms were read."""
    rows = {disease.disease: disease.probability for disease in ranking}
    return Told(rows | {_matched(m.given, m.name): m.score for m in matched}, ranking[0].disease)


def told_of_risk(found: RiskAssessment) -> Told:
    """A risk with what each factor adds to it."""
    whole = {"baseline_log_odds": found.baseline_log_odds, "imputed_log_odds": found.imputed_log_odds}
    added = {_added_by(factor.name): factor.contribution for factor in found.factors}
    return Told({"probability": found.probability, **whole, **added}, _risk(found.condition, found.risk_level))


def _words_of(prediction: Mapping[str, Any]) -> dict[str, str]:
    return {name: prediction[name] for name in ("condition", "risk_level")}


def _risk(condition: str, risk_level: str) -> str:
    return f"{condition} ({risk_level})"


def _matched(given: str, name: str) -> str:
    return f"{given} -> {name}"


def _added_by(factor: str) -> str:
    return f"contribution of {factor}"
