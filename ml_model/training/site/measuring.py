"""A site's cases measured by the code that measures bundles, beside the bundle's own test figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ml_model.diagnosis.case import InputCheck
from ml_model.inference.bundle import Bundle, Manifest
from ml_model.inference.measured import Brief, CalibrationMeasured, External, ImageTest
from ml_model.inference.measured_tabular import GateMetrics
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.image_quality import Quality, quality_refusal
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import fully_labelled, label_space
from ml_model.training.evaluation.answers import Answered, Evaluator
from ml_model.training.evaluation.evaluator import brief_of
from ml_model.training.evaluation.external import FEWEST
from ml_model.training.evaluation.intervals import proportion
from ml_model.training.evaluation.uncertainty_metrics import trust_figures
from ml_model.training.site.cases import SITE, SiteCases
from ml_model.training.site.figures import Drift, LabelCases, QualityMeasured, SiteEvaluation, Trust
from ml_model.training.site.operating_points import points_measured
from ml_model.training.site.served import Served, answer_all

MOST_REASONS = 6


def evaluate_site(cases: SiteCases, data: Path, predictor: Predictor, gate: Predictor | None) -> SiteEvaluation:
    """Everything that the page says. Raises ValueError where no case can be read."""
    served = answer_all(cases.task, cases.samples, predictor, gate)
    return measured(cases, data, served, predictor.bundle, gate.bundle.manifest if gate else None)


def measured(cases: SiteCases, data: Path, served: Served, bundle: Bundle, gate: Manifest | None) -> SiteEvaluation:
    """The same of cases that were answered."""
    task, manifest, test = cases.task, bundle.manifest, bundle.manifest.image_test
    evaluator = Evaluator(task, lambda *_: served.prediction, manifest)  # nothing more is answered
    answered = evaluator.answered(served.samples, served.prediction, SITE)
    here = External(
        **dict(brief_of(answered)),
        groups=len({s.group for s in served.samples}), labels=label_space(task, SITE).names,
        judged=bool(answered.scored.truth.sum(axis=0).min() >= FEWEST),
    )  # fmt: skip
    return SiteEvaluation(
        task=task.id, title=task.title, model=manifest.task, version=manifest.version, sha256=bundle.sha256,
        evidence=manifest.evidence, data=data.resolve().name, made_on=datetime.now(UTC).strftime("%Y-%m-%d"),
        unread=dict(served.unread), left_out=cases.left_out, labels=_labels(answered, test), here=here,
        home=_home(test), home_groups=test.groups, home_labels=test.labels, trust=_trust(evaluator, served, test),
        drift=_drift(task, served, manifest, gate), points=points_measured(evaluator, served),
    )  # fmt: skip


def _home(test: ImageTest) -> Brief:
    return Brief(
        count=test.count, accuracy=test.accuracy, balanced_accuracy=test.balanced_accuracy, macro_auc=test.macro_auc,
        findings=test.findings, triage=test.triage,
    )  # fmt: skip


def _labels(answered: Answered, test: ImageTest) -> dict[str, LabelCases]:
    scored, space = answered.scored, label_space(answered.task, SITE)
    found = {}
    for i, name in enumerate(space.names):
        true = scored.truth[:, i]
        own = test.per_class.get(name)
        found[name] = LabelCases(
            cases=int(true.sum()), groups=len(set(scored.groups[true])), share=round(float(true.mean()), 4),
            told=round(float(scored.probabilities[:, i].mean()), 4),
            home_share=round(own.count / test.count, 4) if own and test.count else None,
        )  # fmt: skip
    return found


def _trust(evaluator: Evaluator, served: Served, test: ImageTest) -> Trust:
    whole = fully_labelled(evaluator.task, served.samples)
    home: dict[str, Any] = {
        "home_calibration": test.calibration,
        "home_coverage": test.prediction_sets.by_label if test.prediction_sets else {},
        "home_abstained": test.abstention.share_interval if test.abstention else None,
    }
    if not whole.any():
        return Trust(cases=0, **home)
    raw = served.prediction.rows(whole)
    samples = [s for s, own in zip(served.samples, whole, strict=True) if own]
    told = trust_figures(evaluator.manifest, raw, evaluator.answered(samples, raw))
    calibration: CalibrationMeasured = told["calibration"]
    return Trust(
        cases=len(samples),
        calibration=calibration,
        coverage=told["prediction_sets"].by_label if "prediction_sets" in told else {},
        abstained=told["abstention"].share_interval if "abstention" in told else None,
        **home,
    )


def _drift(task: ImageTask, served: Served, manifest: Manifest, gate: Manifest | None) -> Drift:
    groups = np.array([s.group for s in served.samples])
    limits, test, distance = manifest.familiarity, manifest.image_test, served.prediction.distance
    told: dict[str, Any] = {
        "unfit": proportion(np.array([bool(c.abstain_reasons) for c in served.checks]), groups),
        "refused": proportion(np.array([not c.accepted for c in served.checks]), groups),
    }
    if limits is not None and distance.size:
        told |= {name: proportion(distance >= getattr(limits, limit), groups) for name, limit in _FAR.items()}
        told["home_beyond"] = test.familiarity.own_refused if test.familiarity else None
    if served.gated or task.signal:
        told["gated"] = proportion(np.array([_gated(task, check) for check in served.checks]), groups)
    if served.gated and gate and isinstance(gate.metrics, GateMetrics) and gate.metrics.test:
        own = gate.metrics.test.accepted.get(task.input.modality, {}).get(task.input.modality)
        told["home_gated"] = None if own is None else round(1 - own, 4)
    reasons = Counter(_short(w) for c in served.checks if not c.accepted for w in c.warnings)
    return Drift(**told, reasons=dict(reasons.most_common(MOST_REASONS)), quality=_quality(served))


_FAR = {"unusual": "warn_from", "beyond": "refuse_from"}


def _gated(task: ImageTask, check: InputCheck) -> bool:
    """Whether kind or quality alone would have been refused."""
    if not isinstance(check.quality, Quality):
        return check.quality.refusal is not None
    known = check.recognition is None or check.recognition.accepted
    return not known or quality_refusal(check.quality, task.input) is not None


def _short(warning: str) -> str:
    """Without figures, which differ from picture to picture."""
    return " ".join(warning.split(";")[0].split(":")[0].split())


def _quality(served: Served) -> dict[str, QualityMeasured]:
    """Of pictures; of recordings nothing is averaged."""
    rows = [asdict(c.quality) for c in served.checks if isinstance(c.quality, Quality)]
    found = {}
    for name in rows[0] if rows else ():
        values = np.array([row[name] for row in rows], np.float64)
        found[name] = QualityMeasured(mean=round(float(values.mean()), 4), deviation=round(float(values.std()), 4))
    return found
