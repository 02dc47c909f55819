"""Which classes are still in question: class-conditional conformal prediction where thresholds were fitted, else the
model's own estimate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml_model.inference.bundle import PredictionSets

SET_COVERAGE = 0.9  # of an answer without thresholds: an example, or a user's own model


def labels_in_question(
    labels: Mapping[str, Sequence[str]],
    probabilities: Mapping[str, float],
    sets: PredictionSets,
    judged_as: str | None = None,
) -> tuple[str, ...]:
    """The labels (of the classes whose codes they hold) whose summed probability reaches their threshold, in output
    order; probabilities by class code. judged_as: key of the thresholds where there are own ones."""
    thresholds = sets.by_population.get(judged_as or "", sets.thresholds)
    return tuple(
        label for label, codes in labels.items() if sum(probabilities[code] for code in codes) >= thresholds[label]
    )


def own_estimate(ranked: Sequence[tuple[str, float]], multi_label: bool) -> tuple[str, ...]:
    """Codes in question by the model's own estimate: the most probable ones that together reach SET_COVERAGE; of a
    multi-label task every finding that is not ruled out at that level. ranked: code and probability, most probable
    first."""
    if multi_label:
        return tuple(code for code, p in ranked if p > 1 - SET_COVERAGE)
    total, codes = 0.0, []
    for code, p in ranked:
        codes.append(code)
        total += p
        if total >= SET_COVERAGE:
            break
    return tuple(codes)
