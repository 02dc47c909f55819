"""How far the cases of a site are from those that a model was measured on: two-sample tests, of figures that its bundle
holds, or, where it holds none, between the newest records and those before them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.schemas.monitoring import DriftFigure, Reference
from ml_model.inference.bundle import Manifest
from ml_model.inference.measured import ImageMetrics

LEAST = 50  # records; with fewer nothing is said
WARN_BELOW = 0.001  # of the probability that chance alone makes such a difference
LEAST_EXPECTED = 5  # of a class, on either side, for the distribution of chi-square
DRAWN = 19_999  # tables in its place: `WARN_BELOW` is then told within a quarter of it
UNFAMILIAR = "out_of_distribution"
_OF_VALIDATION = re.compile(r"warned of beyond (0\.\d+) of the validation pictures")
_NOTHING: Reference = "none"


@dataclass(frozen=True)
class Seen:
    """The newest records of a task by one model, the newest first, and the refusals of their days, by code. quality: by
    figure, of each record."""

    classes: tuple[str, ...]
    distances: tuple[float, ...]
    quality: Mapping[str, tuple[float, ...]]
    refusals: Mapping[str, int]


@dataclass(frozen=True)
class Known:
    """What a bundle holds of the pictures it was measured on; None or empty where it does not. classes: how many were
    named so. unusual, refused: of how many pictures, how many are far from those of training."""

    classes: Mapping[str, int]
    warn_from: float | None
    unusual: tuple[int, int] | None
    refused: tuple[int, int] | None


def known_of(manifest: Manifest) -> Known:
    """Of a bundle of a task that takes pictures."""
    metrics, limits = manifest.metrics, manifest.familiarity
    test = metrics.test if isinstance(metrics, ImageMetrics) else None
    validation = metrics.validation if isinstance(metrics, ImageMetrics) else None
    named: dict[str, int] = {}
    if test and test.labels == tuple(manifest.classes):
        named = {code: sum(row[i] for row in test.confusion_matrix) for i, code in enumerate(test.labels)}
    share = _OF_VALIDATION.match(limits.rule) if limits else None
    unusual = (round((1 - float(share[1])) * validation.count), validation.count) if share and validation else None
    refused = (round(test.familiarity.own_refused * test.count), test.count) if test and test.familiarity else None
    return Known(named, limits.warn_from if limits else None, unusual, refused)


def figures_of(seen: Seen, known: Known) -> tuple[DriftFigure, ...]:
    """All that is compared of one task."""
    count = len(seen.classes)
    asked = count + sum(seen.refusals.values())
    far = sum(distance > (known.warn_from or 0) for distance in seen.distances)
    return (
        _class_mix(seen.classes, known.classes),
        _shares("embedding_distance", (far, len(seen.distances)), known.unusual),
        _shares("refusals", (seen.refusals.get(UNFAMILIAR, 0), asked), known.refused),
        *(_over_time(f"quality_{name}", values) for name, values in sorted(seen.quality.items())),
    )


def _class_mix(now: Sequence[str], before: Mapping[str, int]) -> DriftFigure:
    """The share of each class among those named; the difference is half the sum of the shares' differences."""
    if not before:
        return DriftFigure(name="class_mix", state="no_reference", reference=_NOTHING, count=len(now))
    counts, total = Counter(now), sum(before.values())
    if min(len(now), total) < LEAST:
        return DriftFigure(name="class_mix", state="too_small", reference="test", count=len(now))
    columns = [(counts[code], before.get(code, 0)) for code in sorted({*before, *counts})]
    apart = sum(abs(one / len(now) - other / total) for one, other in columns) / 2
    return _judged("class_mix", "test", len(now), apart, _by_chance([pair for pair in columns if sum(pair)]))


def _by_chance(columns: Sequence[tuple[int, int]]) -> float:
    """How probable it is that one mix of classes gives two rows that differ at least so much. columns: of each class,
    how often it was named in either, in all at least once.

    Exact for two classes. For more by chi-square, whose distribution holds where at least five of each are expected;
    where fewer are, by tables with the same sums, drawn at random and always the same.
    """
    from scipy.stats import chi2_contingency, fisher_exact

    if len(columns) < 2:
        return 1.0
    table = np.array(columns).T
    if len(columns) == 2:
        return float(fisher_exact(table).pvalue)
    found = chi2_contingency(table)
    if found.expected_freq.min() >= LEAST_EXPECTED:
        return float(found.pvalue)
    now, expected = table[0], found.expected_freq[0]  # as the other row follows from the sums
    drawn = np.random.default_rng(0).multivariate_hypergeometric(table.sum(axis=0), now.sum(), size=DRAWN)
    apart = (np.square(np.vstack([now, drawn]) - expected) / expected).sum(axis=1)
    return float((apart >= apart[0] * (1 - 1e-9)).mean())


def _shares(name: str, now: tuple[int, int], before: tuple[int, int] | None) -> DriftFigure:
    """The difference of two shares; each of so many out of so many."""
    if before is None:
        return DriftFigure(name=name, state="no_reference", reference=_NOTHING, count=now[1])
    reference: Reference = "validation" if name == "embedding_distance" else "test"
    if min(now[1], before[1]) < LEAST:
        return DriftFigure(name=name, state="too_small", reference=reference, count=now[1])
    from scipy.stats import fisher_exact

    p = float(fisher_exact([[yes, of - yes] for yes, of in (now, before)]).pvalue)
    return _judged(name, reference, now[1], now[0] / now[1] - before[0] / before[1], p)


def _over_time(name: str, values: Sequence[float]) -> DriftFigure:
    """No bundle holds how its pictures were taken: the newer half of the records against the older."""
    half = len(values) // 2
    if half < LEAST:
        return DriftFigure(name=name, state="too_small", reference="earlier_records", count=len(values))
    from scipy.stats import ks_2samp

    found = ks_2samp(values[:half], values[half:])
    return _judged(name, "earlier_records", len(values), float(found.statistic), float(found.pvalue))


def _judged(name: str, reference: Reference, count: int, difference: float, p: float) -> DriftFigure:
    state = "drifted" if p < WARN_BELOW else "steady"
    return DriftFigure.model_validate(
        {"name": name, "state": state, "reference": reference, "count": count, "difference": difference, "p_value": p}
    )
