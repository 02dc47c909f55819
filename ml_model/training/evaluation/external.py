"""Sets of other places, answered as the service answers: they judge a model, train nothing and settle no threshold."""

from __future__ import annotations

from collections.abc import Sequence

from ml_model.inference.measured import External
from ml_model.training.data.labels import label_space
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.answers import Evaluator
from ml_model.training.evaluation.evaluator import brief_of

FEWEST = 25  # cases of each label, from which a set judges the model


def external_figures(evaluator: Evaluator, samples: Sequence[Sample]) -> dict[str, External]:
    """By set, in the labels that it measures.

    A class that belongs to none of them is never right there, as on test.
    """
    figures = {}
    for source in sorted({s.source for s in samples}):
        own = [s for s in samples if s.source == source]
        answered = evaluator.answered(own, evaluator.predict(own), source)
        figures[source] = External(
            **dict(brief_of(answered)),
            groups=len({s.group for s in own}), labels=label_space(evaluator.task, source).names,
            judged=bool(min(answered.scored.truth.sum(axis=0)) >= FEWEST),
        )  # fmt: skip
    return figures
