"""Which classes are still in question: class-conditional conformal prediction where thresholds were fitted, else the
model's own estimate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml_model.tasks.labels import label_probabilities

SET_COVERAGE = 0.9  # of an answer without thresholds: an example, or a user's own model


def labels_in_question(
    labels: Mapping[str, Sequence[str]], probabilities: Mapping[str, float], thresholds: Mapping[str, float]
) -> tuple[str, ...]:
    """The labels (of the classes whose codes they hold) whose probability reaches their threshold, in output order;
    probabilities by class code."""
    totals = label_probabilities(probabilities, labels)
    return tuple(name for name, p in totals.items() if p >= thresholds[name])


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
