"""Sets of other places, answered as the service answers: they judge a model, train nothing and settle no threshold."""

from __future__ import annotations

from collections.abc import Sequence

from ml_model.inference.bundle import OperatingPoint
from ml_model.inference.measured import External
from ml_model.training.data.labels import label_space
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.evaluator import Evaluator, brief
from ml_model.training.evaluation.uncertainty_metrics import alert_figures

FEWEST = 25  # cases of each label, from which a set judges the model


def external_figures(evaluator: Evaluator, samples: Sequence[Sample]) -> dict[str, External]:
    """By set, in the labels that it measures.

    A class that belongs to none of them is never right there, as on test.
    """
    figures, manifest = {}, evaluator.manifest
    for source in sorted({s.source for s in samples}):
        own = [s for s in samples if s.source == source]
        prediction = evaluator.predict(own)
        scored, names = evaluator.score(own, prediction, source=source), label_space(evaluator.task, source).names
        point, alerts = manifest.operating_point, None
        positive = point.positive if isinstance(point, OperatingPoint) else None
        if manifest.alerts:
            alerts = alert_figures(evaluator.task, manifest, own, prediction)
        figures[source] = External(
            **dict(brief(scored, names.index(positive) if positive in names else None)),
            groups=len(set(scored.groups)), labels=names, alerts=alerts,
            judged=bool(min(scored.truth.sum(axis=0)) >= FEWEST),
        )  # fmt: skip
    return figures
