"""The answer to a person's risk factors: a probability with what each adds, how sure it is, and how soon to act.

Below the minimum of information that the task file states there is no estimate: the answer is withheld, names the
inputs to give next, and is in no band.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle
from ml_model.inputs.tabular import read_risk_values
from ml_model.tabular.logistic_model import MODEL_FILE, LogisticModel, model_from_json, sigmoid
from ml_model.tabular.risk_triage import Triage, band_of, percent, recommendations, risk_triage
from ml_model.tabular.risk_uncertainty import Uncertainty, inputs_to_reach, uncertainty
from ml_model.tasks.registry import RiskTask
from ml_model.tasks.tabular_schema import FactorRisk


@dataclass(frozen=True)
class RiskFactor:
    """One given factor.

    contribution: log-odds against the average patient of the data. risk: a word for it. value_level: where the value
    lies in the factor's own range, which says nothing of the estimate; None where it has none.
    """

    name: str
    value: float
    unit: str
    risk: FactorRisk
    contribution: float
    value_level: FactorRisk | None
    note: str | None


@dataclass(frozen=True)
class RiskAssessment:
    """baseline_log_odds + the factors' contributions + imputed_log_odds is the logit of `probability`.

    withheld: why there is no estimate; then the probability is no answer, and `risk_level` is in no band.
    """

    condition: str
    risk_level: str
    probability: float
    uncertainty: Uncertainty
    withheld: str | None
    triage: Triage
    factors: tuple[RiskFactor, ...]
    recommendations: tuple[str, ...]
    missing: tuple[str, ...]
    baseline_log_odds: float
    imputed_log_odds: float


class HeartRiskModel:
    """A loaded risk bundle. Immutable; safe to share between threads. evidence: how far it can be leant on."""

    def __init__(self, model: LogisticModel, task: RiskTask, evidence: str = "sufficient") -> None:
        if unknown := {c.feature for c in model.columns} - {f.name for f in task.features}:
            raise BundleInvalid(
                f"the risk model uses {', '.join(sorted(unknown))}, which {task.id}.toml does not declare"
            )
        self._model = model
        self._task = task
        self._evidence = evidence

    @classmethod
    def load(cls, bundle: Bundle, task: RiskTask) -> HeartRiskModel:
        """Read a verified bundle. Raises BundleInvalid when its parts do not fit together or the task."""
        model = model_from_json(bundle.file(MODEL_FILE).read_text(encoding="utf-8"))
        return cls(model, task, bundle.manifest.evidence)

    def assess(self, values: Mapping[str, float | None]) -> RiskAssessment:
        """Risk of one person from named values; None or absent is missing.

        Raises OutOfRange naming field, value and range.
        """
        checked = read_risk_values(self._task, values)
        average, parts = self._model.contributions(checked)
        added = {feature.name: 0.0 for feature in self._task.features}
        for column, part in zip(self._model.columns, parts, strict=True):
            added[column.feature] += float(part)
        probability = sigmoid(average + math.fsum(added.values()))
        unsure = uncertainty(self._model, checked)
        withheld = self._withheld(checked, unsure)
        triage = risk_triage(self._task, probability, unsure, checked, withheld, self._evidence)
        named = band_of(self._task, probability) if withheld is None else self._task.answer.withheld
        missing = tuple(name for name, value in checked.items() if value is None)
        return RiskAssessment(
            condition=named.condition,
            risk_level=named.risk_level,
            probability=probability,
            uncertainty=unsure,
            withheld=withheld,
            triage=triage,
            factors=factors_of(self._task, checked, added),
            recommendations=recommendations(self._task, triage, withheld=withheld is not None),
            missing=missing,
            baseline_log_odds=average,
            imputed_log_odds=math.fsum(added[name] for name in missing),
        )

    def _withheld(self, values: Mapping[str, float | None], unsure: Uncertainty) -> str | None:
        rules = self._task.answer
        if unsure.information >= rules.minimum_information:
            return None
        given = [name for name, value in values.items() if value is not None]
        missing = [name for name in values if name not in given]
        labels = {feature.name: feature.label for feature in self._task.features}
        asked = inputs_to_reach(self._model, given, missing, rules.minimum_information)
        return rules.withheld.reason.format(
            given=percent(unsure.information),
            minimum=percent(rules.minimum_information),
            next=", ".join(labels[name].lower() for name in asked),
        )


def factors_of(
    task: RiskTask, values: Mapping[str, float | None], added: Mapping[str, float]
) -> tuple[RiskFactor, ...]:
    """The given factors in the task's order. added: log-odds by name."""
    found = []
    for feature in task.features:
        if (value := values[feature.name]) is None:
            continue
        category, contribution = feature.category(value), added[feature.name]
        found.append(
            RiskFactor(
                name=feature.name,
                value=value,
                unit=feature.unit,
                risk=task.answer.factor_words.word(contribution, category),
                contribution=contribution,
                value_level=feature.value_level(value),
                note=category.note if category else None,
            )
        )
    return tuple(found)
