"""What an answer's claims are worth on the test split: calibration, prediction sets, abstention, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.decision import Decision
from ml_model.inference.bundle import Manifest
from ml_model.inference.interval import Interval
from ml_model.inference.measured import (
    AbstentionMeasured,
    CalibrationFigures,
    CalibrationMeasured,
    Failure,
    Familiar,
    LabelCoverage,
    PredictionSetsMeasured,
)
from ml_model.inference.predictor import Prediction
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import label_space
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.answers import Answered
from ml_model.training.evaluation.calibration_error import (
    BINS,
    brier_score,
    calibration_error,
    confidences,
    error_of_perfect_calibration,
)
from ml_model.training.evaluation.intervals import proportion
from ml_model.training.evaluation.metrics import Scored, accuracy, accuracy_interval, bootstrap

DRAWS = 200
SHARES_ANSWERED = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
MOST_FAILURES = 12


def trust_figures(manifest: Manifest, raw: Prediction, answered: Answered) -> dict[str, Any]:
    """Everything of this module, as fields of an ImageTest. raw: the outputs as the model gave them, a row a sample;
    each sample has a label that is measured."""
    scored, names = answered.scored, label_space(answered.task).names
    figures: dict[str, Any] = {"failures": failures(scored, names)}
    figures["calibration"] = calibration_figures(answered.task, raw, scored)
    if manifest.prediction_sets:
        figures["prediction_sets"] = set_figures(answered.samples, scored, answered.decisions, names)
        figures["abstention"] = abstention_figures(answered.decisions, scored)
    if manifest.familiarity:
        beyond = raw.distance >= manifest.familiarity.refuse_from
        figures["familiarity"] = Familiar(own_refused=round(float(beyond.mean()), 4))
    return figures


def calibration_figures(task: ImageTask, prediction: Prediction, scored: Scored) -> CalibrationMeasured:
    """Calibration error and Brier score before and after calibration, what the error would be if calibration were
    perfect, and the bins of the reliability plot."""
    raw = prediction.uncalibrated.astype(np.float64) @ label_space(task).projection
    before = replace(scored, probabilities=raw)
    confidence, right = confidences(scored)
    bins = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    return CalibrationMeasured(
        before=calibration_of(before),
        after=calibration_of(scored),
        perfect=CalibrationFigures(calibration_error=error_of_perfect_calibration(scored, draws=DRAWS)),
        reliability=tuple(
            (round(float(confidence[b].mean()), 4), round(float(right[b].mean()), 4), len(b)) for b in bins if len(b)
        ),
    )


def calibration_of(s: Scored) -> CalibrationFigures:
    """Calibration error and Brier score of answers as they are given."""
    return CalibrationFigures(
        calibration_error=bootstrap(s, calibration_error, draws=DRAWS),
        brier_score=bootstrap(s, brier_score, draws=DRAWS),
    )


def label_sets(names: Sequence[str], decisions: Sequence[Decision]) -> NDArray[np.bool_]:
    """(N, labels): whether a label is in question."""
    return np.array([[name in (decision.in_question or ()) for name in names] for decision in decisions], dtype=bool)


def set_figures(
    samples: Sequence[Sample], scored: Scored, decisions: Sequence[Decision], names: Sequence[str]
) -> PredictionSetsMeasured:
    """How often the true label is in the set, by label and by source, and how large the sets are."""
    sets = label_sets(names, decisions)
    sizes, sources = sets.sum(axis=1), np.array([s.source for s in samples])
    of_label = {}
    for i, name in enumerate(names):
        if (true := scored.truth[:, i]).any():
            covered = proportion(sets[true, i], scored.groups[true])
            of_label[name] = LabelCoverage(count=int(true.sum()), coverage=covered.value, coverage_interval=covered)
    every = _covered(scored, sets)
    return PredictionSetsMeasured(
        by_label=of_label,
        by_source={n: _covered(scored.rows(sources == n), sets[sources == n]).value for n in sorted(set(sources))},
        coverage=every.value,
        coverage_interval=every,
        mean_size=round(float(sizes.mean()), 3),
        sizes={str(size): round(float((sizes == size).mean()), 4) for size in range(sets.shape[1] + 1)},
    )


def _covered(scored: Scored, sets: NDArray[np.bool_]) -> Interval:
    """Share of the true labels that lie in the sets."""
    rows, _ = np.nonzero(scored.truth)
    return proportion(sets[scored.truth], scored.groups[rows])


def abstention_figures(decisions: Sequence[Decision], scored: Scored) -> AbstentionMeasured:
    """How often the service abstains, what that leaves, and accuracy by the share of pictures that is answered."""
    abstains = np.array([bool(decision.abstain_reasons) for decision in decisions])
    order = np.argsort(-_surest_first(scored), kind="stable")
    answered = {f"{s:.1f}": order[: max(1, round(s * len(order)))] for s in SHARES_ANSWERED}
    share = proportion(abstains, scored.groups)
    return AbstentionMeasured(
        share=share.value,
        share_interval=share,
        accuracy_when_answering=accuracy_interval(scored.rows(~abstains)),
        accuracy_when_abstaining=round(accuracy(scored.rows(abstains)), 4) if abstains.any() else None,
        accuracy_by_share_answered={k: round(accuracy(scored.rows(rows)), 4) for k, rows in answered.items()},
    )


def _surest_first(s: Scored) -> NDArray[np.float64]:
    """(N,) probability of what was named; of a multi-label answer its least sure label."""
    p = s.probabilities.astype(np.float64)
    return np.where(s.predicted, p, 1 - p).min(axis=1) if s.predicted.sum() != len(p) else p[s.predicted]


def failures(s: Scored, names: Sequence[str]) -> tuple[Failure, ...]:
    """The surest wrong answers: number of the picture within the test split, from 0, its labels and those named."""
    wrong = np.flatnonzero((s.truth != s.predicted).any(axis=1))
    sure = _surest_first(s)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:MOST_FAILURES]

    def called(row: NDArray[np.bool_]) -> str:
        return " + ".join(n for n, there in zip(names, row, strict=True) if there) or "none"

    return tuple(
        Failure(
            picture=int(i),
            truth=called(s.truth[i]),
            named=called(s.predicted[i]),
            confidence=round(float(sure[i]), 4),
        )
        for i in surest
    )
