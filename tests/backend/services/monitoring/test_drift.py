"""What is compared with a bundle's own figures, and what is said where there are too few records or no figures."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import comb, exp, prod

import pytest
from scipy.stats import chi2_contingency

from backend.schemas.monitoring import DriftFigure
from backend.services.monitoring.drift import (
    LEAST,
    LEAST_EXPECTED,
    UNFAMILIAR,
    WARN_BELOW,
    Known,
    Seen,
    figures_of,
    known_of,
)
from backend.services.monitoring.monitor import share
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.tasks.registry import ImageTask, load_image_tasks

KNOWN = Known({"a": 60, "b": 40}, 0.5, (4, 200), (2, 100))


def seen(a: int, b: int, far: int = 0, **refusals: int) -> Seen:
    distances = (0.9,) * far + (0.1,) * (a + b - far)
    return Seen(("a",) * a + ("b",) * b, distances, {"sharpness": tuple(map(float, range(a + b)))}, refusals)


def found(one: Seen, known: Known = KNOWN) -> dict[str, DriftFigure]:
    return {figure.name: figure for figure in figures_of(one, known)}


def exact(now: tuple[int, ...], before: tuple[int, ...]) -> float:
    """The share of all ways to draw `now` out of both rows that are at least as far from their mix, by chi-square."""
    sums, count = [a + b for a, b in zip(now, before, strict=True)], sum(now)

    def distance(row: tuple[int, ...]) -> float:
        expected = [count * one / sum(sums) for one in sums]
        return sum((a - b) ** 2 / b for a, b in zip(row, expected, strict=True))  # of one row; the other's follows

    rows = [(*head, count - sum(head)) for head in product(*(range(one + 1) for one in sums[:-1]))]
    ways = {row: prod(map(comb, sums, row)) for row in rows if 0 <= row[-1] <= sums[-1]}
    far = sum(ways[row] for row in ways if distance(row) >= distance(now) - 1e-9)
    return far / sum(ways.values())


@pytest.mark.parametrize(
    ("now", "before", "state", "by_chi_square"),
    [
        ((30, 29, 1), (100, 100, 0), "steady", "steady"),
        ((30, 29, 1), (1000, 1000, 1), "steady", "drifted"),  # one case of a class that was seen once
        ((46, 1, 3), (380, 19, 1), "steady", "drifted"),
        ((40, 2, 8), (190, 9, 1), "drifted", "drifted"),
    ],
)
def test_a_few_cases_of_a_rare_class_are_judged_by_all_that_chance_may_do(
    now: tuple[int, ...], before: tuple[int, ...], state: str, by_chi_square: str
) -> None:
    table = chi2_contingency([now, before])
    assert table.expected_freq.min() < LEAST_EXPECTED
    assert ("drifted" if table.pvalue < WARN_BELOW else "steady") == by_chi_square
    classes = tuple(code for code, count in zip("abc", now, strict=True) for _ in range(count))
    known = replace(KNOWN, classes=dict(zip("abc", before, strict=True)))
    found = figures_of(Seen(classes, (), {}, {}), known)[0]
    assert (found.name, found.state) == ("class_mix", state)
    assert found.p_value == pytest.approx(exact(now, before), rel=0.2, abs=1e-4)
    assert figures_of(Seen(classes[::-1], (), {}, {}), known)[0] == found, "the same records, the same word"


def test_many_of_every_class_are_judged_by_chi_square() -> None:
    now, before = (40, 35, 25), (500, 300, 200)
    classes = tuple(code for code, count in zip("abc", now, strict=True) for _ in range(count))
    found = figures_of(Seen(classes, (), {}, {}), replace(KNOWN, classes=dict(zip("abc", before, strict=True))))[0]
    share = [(a + b) / 1100 for a, b in zip(now, before, strict=True)]
    rows = ((now, 100), (before, 1000))
    statistic = sum((a - n * s) ** 2 / (n * s) for row, n in rows for a, s in zip(row, share, strict=True))
    assert found.state == "steady"
    assert found.p_value == pytest.approx(exp(-statistic / 2)), "of two degrees of freedom"


def test_the_same_mix_is_steady_and_another_drifted() -> None:
    same, other = found(seen(60, 40))["class_mix"], found(seen(20, 80))["class_mix"]
    assert (same.state, same.difference, same.p_value) == ("steady", 0, 1)
    assert (other.state, other.reference, other.count) == ("drifted", "test", 100)
    assert other.difference == pytest.approx(0.4)
    assert other.p_value == pytest.approx(exact((20, 80), (60, 40)), rel=1e-6)
    only = found(seen(60, 0), replace(KNOWN, classes={"a": 60}))["class_mix"]
    assert (only.state, only.p_value) == ("steady", 1)


def test_far_pictures_and_refusals_are_shares_against_those_of_the_bundle() -> None:
    few, many = found(seen(60, 40, far=2)), found(seen(60, 40, far=30, **{UNFAMILIAR: 40, "poor_quality": 60}))
    assert (few["embedding_distance"].state, few["embedding_distance"].difference) == ("steady", 0)
    assert many["embedding_distance"].state == "drifted"
    assert many["embedding_distance"].difference == pytest.approx(0.28)
    assert (many["refusals"].state, many["refusals"].count) == ("drifted", 200)
    assert many["refusals"].difference == pytest.approx(40 / 200 - 0.02)
    assert few["refusals"].state == "steady"


def test_quality_is_compared_with_earlier_records() -> None:
    rising = found(seen(60, 40))["quality_sharpness"]
    assert (rising.state, rising.reference, rising.difference) == ("drifted", "earlier_records", 1)
    mixed = Seen(("a",) * 100, (), {"sharpness": (1.0, 2.0) * 50}, {})
    assert found(mixed)["quality_sharpness"].state == "steady"


def test_few_records_and_bundles_without_figures_say_so_and_warn_of_nothing() -> None:
    few = found(seen(LEAST - 1, 0, far=LEAST - 1))
    assert {figure.state for figure in few.values()} == {"too_small"}
    bare = found(seen(60, 40, far=90), Known({}, None, None, None))
    assert {name: figure.state for name, figure in bare.items() if not name.startswith("quality")} == {
        "class_mix": "no_reference", "embedding_distance": "no_reference", "refusals": "no_reference",
    }  # fmt: skip
    assert all(figure.p_value is None for figure in (*few.values(), bare["class_mix"]))


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda task: task.id)
def test_every_shipped_bundle_has_a_reference_or_says_none(task: ImageTask) -> None:
    manifest = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256).manifest
    known = known_of(manifest)
    test, validation = manifest.image_metrics.test, manifest.image_metrics.validation
    assert test is not None
    assert validation is not None
    assert known.unusual is not None
    assert known.unusual == (round(0.02 * validation.count), validation.count)
    assert known.refused is not None
    assert sum(known.classes.values()) in (0, sum(map(sum, test.confusion_matrix)))
    assert bool(known.classes) == (test.labels == task.codes)


def test_wilsons_interval() -> None:
    some, none, all_ = share(8, 10), share(0, 4), share(4, 4)
    assert (some.low, some.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert (none.low, none.high) == (0, pytest.approx(0.4899, abs=1e-4))
    assert all_.high == pytest.approx(1)
