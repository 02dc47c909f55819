"""Findings and triage of an answer, and what clients that know neither are told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.schemas.common import TriageAnswer, TriageReasonAnswer
from backend.schemas.findings import FindingAnswer, IntervalAnswer, OperatingPointAnswer, SiteThresholdsAnswer
from ml_model.diagnosis.decision import Decision
from ml_model.diagnosis.findings import Finding
from ml_model.diagnosis.population import PAGE, Judgement
from ml_model.diagnosis.triage import Triage
from ml_model.inference.bundle import Manifest
from ml_model.inference.interval import Interval
from ml_model.inference.measured import ImageMetrics, ImageTest, PageFigures
from ml_model.inference.measured_findings import FindingMeasured, LocalOrigin
from ml_model.tasks.registry import ImageTask

NOT_MEASURED = "no thresholds were measured for this model"
PREDICTIVE = ("prevalence", "positive_predictive_value", "negative_predictive_value")
SHARES = ("sensitivity", "suspected", "specificity", "ruled_out")


def triage_answer(triage: Triage) -> TriageAnswer:
    """Level, reasons and what to do."""
    reasons = tuple(TriageReasonAnswer(code=r.code, level=r.level, text=r.text) for r in triage.reasons)
    advice, urgency = triage.advice, triage.urgency
    return TriageAnswer(level=triage.level, reasons=reasons, text=f"{advice.title}. {urgency.action}")


def finding_answers(
    task: ImageTask, decision: Decision, manifest: Manifest | None, prevalence: float | None
) -> tuple[FindingAnswer, ...]:
    """Every finding of the task, with its figures on test."""
    measured = _figures(manifest, decision.judgement)
    return tuple(_finding(finding, measured.get(finding.rule.code), prevalence) for finding in decision.findings)


def _finding(finding: Finding, told: FindingMeasured | None, prevalence: float | None) -> FindingAnswer:
    rule, thresholds = finding.rule, finding.thresholds
    local = thresholds.local if thresholds else None
    on_test = None if local else told  # which was measured with the bundle's own thresholds
    figures = _shares(on_test)
    if (worth := local.measured if local else told) and prevalence is not None:
        figures |= predictive_values(worth, prevalence)
    if local:
        figures["site"] = _site(local)
    messages = {"suspected": rule.suspected, "indeterminate": rule.open.message}
    return FindingAnswer(
        code=rule.code,
        name=rule.name,
        classes=rule.classes,
        probability=finding.probability,
        state=finding.state,
        message=messages.get(finding.state),
        rule_out_below=thresholds.rule_out_below if thresholds else None,
        rule_in_from=thresholds.rule_in_from if thresholds else None,
        why_never_ruled_out=thresholds.never_ruled_out if thresholds else NOT_MEASURED,
        count=on_test.count if on_test else None,
        **figures,
    )


def _shares(told: FindingMeasured | None) -> dict[str, Any]:
    return {name: _interval(getattr(told, name, None)) for name in SHARES}


def _site(local: LocalOrigin) -> SiteThresholdsAnswer:
    told = local.measured
    count = told.count if told else None
    return SiteThresholdsAnswer(made_on=local.made_on, cases=local.cases, count=count, **_shares(told))


def local_sha256(decision: Decision) -> str | None:
    """Of the site's operating points that a finding was held against; None where all were the bundle's."""
    origins = (f.thresholds.local for f in decision.findings if f.thresholds)
    return next((origin.settings_sha256 for origin in origins if origin), None)


def _interval(share: Interval | None) -> IntervalAnswer | None:
    return IntervalAnswer(**dict(share)) if share else None


def _figures(manifest: Manifest | None, judged: Judgement | None) -> dict[str, FindingMeasured]:
    """By finding: of the population or its view that the answer was judged for, with the age where that moved it, of
    pages where it was read off one, else of all test cases."""
    metrics = manifest.metrics if manifest else None
    if not isinstance(metrics, ImageMetrics) or (test := metrics.test) is None:
        return {}
    if judged and judged.judged_as == PAGE:
        return pages.findings if (pages := measured_pages(metrics)) else {}
    aged = test.age_given.findings if test.age_given and judged and judged.age_told_by else {}
    return {**test.findings, **aged, **_of_population(test, judged)}


def measured_pages(metrics: ImageMetrics) -> PageFigures | None:
    """Figures that answers to pages carry: of pages in many looks."""
    return metrics.pages.many_looks if metrics.pages else None


def _of_population(test: ImageTest, judged: Judgement | None) -> dict[str, FindingMeasured]:
    if judged is None or judged.population is None:
        return {}
    part = test.part(judged.population, judged.view, "age_and_view") or test.part(judged.population, judged.view)
    return part.findings if part else {}


def predictive_values(told: FindingMeasured, prevalence: float) -> dict[str, float | None]:
    """By Bayes' rule, all 0-1: how often a suspected finding is there, and one that is ruled out is not."""
    if not (told.sensitivity and told.suspected and told.specificity and told.ruled_out):
        return {}
    called = told.suspected.value * prevalence + (1 - told.specificity.value) * (1 - prevalence)
    ruled_out = told.ruled_out.value * (1 - prevalence) + (1 - told.sensitivity.value) * prevalence
    right, absent = told.suspected.value * prevalence, told.ruled_out.value * (1 - prevalence)
    return {
        "prevalence": prevalence,
        "positive_predictive_value": right / called if called > 0 else None,
        "negative_predictive_value": absent / ruled_out if ruled_out > 0 else None,
    }


def operating_points(found: Sequence[FindingAnswer]) -> tuple[OperatingPointAnswer, ...]:
    """The findings that have a threshold, as called or not."""
    return tuple(
        OperatingPointAnswer(
            finding=one.name,
            classes=one.classes,
            probability=one.probability,
            threshold=one.rule_in_from,
            reached=one.state == "suspected",
            rule="suspected from this probability on; findings says from where on it is open",
            sensitivity=one.suspected,
            specificity=one.specificity,
            message=one.message,
            **one.model_dump(include=set(PREDICTIVE), exclude_unset=True),
        )
        for one in found
        if one.rule_in_from is not None
    )


def operating_point(task: ImageTask, decision: Decision) -> dict[str, Any] | None:
    """Of a task with one finding, as it was held against: the class and the threshold from which it is named."""
    if len(decision.findings) != 1 or (own := decision.findings[0].thresholds) is None:
        return None
    (finding,) = decision.findings
    return {"positive": finding.rule.classes[0], "threshold": own.rule_in_from, "rule_out_below": own.rule_out_below}
