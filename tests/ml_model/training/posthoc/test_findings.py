"""Thresholds of findings: what they promise, counted by group, on cases that fitted nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import made_finding, made_task
from numpy.typing import NDArray
from samples import image_task

from ml_model.diagnosis.population import AGE_GIVEN, PAGE, view_key
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample, cases_of
from ml_model.training.posthoc.calibration import by_group_folds
from ml_model.training.posthoc.crossed import Answers, Crossed, crossed_answers, crossed_pages
from ml_model.training.posthoc.findings import Weighted, allowed, finding_thresholds, group_weights, suspected_from
from ml_model.training.posthoc.settle import _judged_apart, _settled

TWO = made_task("low", "high", findings=[made_finding("f", ["c1"])])


def samples_of(codes: list[str], groups: list[str], source: str = "d", **attributes: str) -> list[Sample]:
    rows = zip(codes, groups, strict=True)
    return [Sample(Path(f"{i}"), source, c, (c,), g, "val", attributes) for i, (c, g) in enumerate(rows)]


def drawn(count: int, gap: float, seed: int = 0, groups_of: int = 1) -> tuple[list[Sample], NDArray[np.float64]]:
    """As many with the finding as without; logits that lie `gap` apart, the pictures of a group near each other."""
    rng = np.random.default_rng(seed)
    ill = np.arange(count) % 2 > 0
    own = np.repeat(rng.normal(0, 1, count), groups_of) + 0.2 * rng.normal(0, 1, count * groups_of)
    p = 1 / (1 + np.exp(-(own + np.where(np.repeat(ill, groups_of), gap, -gap))))
    codes = np.repeat(np.where(ill, "c1", "c0"), groups_of).tolist()
    return samples_of(codes, np.repeat(np.arange(count), groups_of).astype(str).tolist()), np.stack([1 - p, p], axis=1)


def test_few_groups_allow_no_miss_and_fewer_no_promise() -> None:
    assert allowed(19, 0.95) == pytest.approx(0)
    assert allowed(39, 0.95) == pytest.approx(1)
    assert allowed(18, 0.95) < 0
    assert allowed(33, 0.97) > 0 > allowed(32, 0.97)


def test_a_poor_model_is_open_between_its_targets() -> None:
    samples, p = drawn(800, 0.7)
    found = finding_thresholds(TWO, samples, p, 0.9)["f"]
    score, ill = p[:, 1], np.array([s.label == "c1" for s in samples])
    assert found.rule_out_below is not None
    assert found.rule_out_below < found.rule_in_from
    missed, called = (score[ill] < found.rule_out_below).sum(), (score[~ill] >= found.rule_in_from).sum()
    assert missed == 19  # (19 + 1) / (400 + 1) <= .05; 20 would be too many
    assert called == 39
    assert (found.groups_with, found.groups_without) == (400, 400)
    assert found.sensitivity_at_least == pytest.approx(0.930, abs=0.005)
    assert found.specificity_at_least < 1 - called / 400
    again, fresh = drawn(4000, 0.7, seed=1)
    sick = np.array([s.label == "c1" for s in again])
    assert (fresh[sick, 1] >= found.rule_out_below).mean() == pytest.approx(0.95, abs=0.02)
    assert (fresh[~sick, 1] < found.rule_in_from).mean() == pytest.approx(0.90, abs=0.02)


def test_a_good_model_keeps_the_middle_between_its_targets_open() -> None:
    samples, p = drawn(400, 4)
    found = finding_thresholds(TWO, samples, p, 0.9)["f"]
    score, ill = p[:, 1], np.array([s.label == "c1" for s in samples])
    assert found.rule_out_below is not None
    assert 0 < found.rule_out_below < found.rule_in_from
    assert (score[ill] < found.rule_out_below).mean() < 0.05
    assert (score[~ill] >= found.rule_in_from).mean() < 0.10
    assert found.rule_out_below <= 0.5


def test_what_is_likelier_than_not_is_never_ruled_out() -> None:
    samples, p = drawn(200, 30)
    found = finding_thresholds(TWO, samples, np.stack([0.2 - p[:, 1] / 5, 0.8 + p[:, 1] / 5], axis=1), 0.9)["f"]
    assert found.rule_out_below == 0.5
    assert found.rule_in_from > 0.8


def test_too_few_cases_rule_nothing_out_and_say_how_many_are_needed() -> None:
    samples, p = drawn(30, 4)
    found = finding_thresholds(TWO, samples, p, 0.9)["f"]
    assert found.rule_out_below is None
    assert found.never_ruled_out == (
        "15 cases are too few to promise that 95 % of them are not ruled out; 19 are needed"
    )
    never = made_finding("f", ["c1"]).model_copy(update={"never_ruled_out": "These data cannot tell."})
    many, q = drawn(400, 4)
    told = finding_thresholds(TWO.model_copy(update={"findings": (never,)}), many, q, 0.9)["f"]
    assert (told.rule_out_below, told.never_ruled_out) == (None, "These data cannot tell.")


def test_a_group_counts_once_and_no_larger_a_share_of_all_answers_is_missed() -> None:
    """One patient with 200 poor pictures among 40 with one each: alone it is one miss of 41, but nearly all answers."""
    scores = np.array([*np.linspace(0.5, 0.9, 40), *[0.1] * 200])
    samples = samples_of(
        ["c1"] * 240 + ["c0"] * 100, [*map(str, range(40)), *["large"] * 200, *map(str, range(100, 200))]
    )
    p = np.array([*scores, *np.linspace(0, 0.05, 100)])
    found = finding_thresholds(TWO, samples, np.stack([1 - p, p], axis=1), 0.9)["f"]
    assert found.groups_with == 41
    assert found.rule_out_below is not None
    assert found.rule_out_below <= 0.1
    alone = Weighted(scores, group_weights([s.group for s in samples[:240]])[0])
    assert alone.lowest_with_below(allowed(41, 0.95)) == pytest.approx(0.5)


def test_several_findings_do_not_add_up_to_more_false_alarms() -> None:
    rng = np.random.default_rng(0)
    scores = {"a": rng.random(500), "b": rng.random(500)}
    limits = suspected_from(scores, [str(i) for i in range(500)], 0.9)
    alarms = (scores["a"] >= limits["a"]) | (scores["b"] >= limits["b"])
    assert 0.08 < alarms.mean() <= 0.1
    own = [(scores[code] >= limits[code]).mean() for code in scores]
    assert own[0] == pytest.approx(own[1], abs=0.01)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30)), min_size=1, max_size=80), st.floats(0, 5))
def test_a_threshold_keeps_its_word_for_any_scores(rows: list[tuple[float, int]], most: float) -> None:
    scores = np.array([score for score, _ in rows])
    for weights in group_weights([str(group) for _, group in rows]):
        ranked = Weighted(scores, weights)
        below, above = ranked.lowest_with_below(most), ranked.reached_by(most)
        assert weights[scores < below].sum() <= most + 1e-6
        assert weights[scores >= above].sum() <= most + 1e-6
        assert ranked.groups == len({group for _, group in rows})


def test_answers_are_calibrated_by_a_fit_that_has_not_seen_their_group() -> None:
    """Were a group in its own fit, moving its labels would move its own answers."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (200, 2))
    p = (np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)).astype(np.float32)
    codes = [("c0", "c1")[int(rng.random() < 1 / (1 + np.exp(a - b)))] for a, b in logits]
    samples = samples_of(codes, [str(i // 2) for i in range(200)])
    masks = np.array([[c == "c0", c == "c1"] for c in codes], np.float32)
    before = crossed_answers(TWO, [], samples, p, masks, "temperature", None).probabilities
    assert (np.abs(before - p) > 0.01).any()
    others, own = by_group_folds([s.group for s in samples])[0]
    assert {samples[i].group for i in own}.isdisjoint(samples[i].group for i in others)
    turned = masks.copy()
    turned[own] = 1 - turned[own]
    after = crossed_answers(TWO, [], samples, p, turned, "temperature", None).probabilities
    assert (after[own] == before[own]).all()
    assert (after[others] != before[others]).any()
    pages, of_pages = Answers(samples[::-1], p[::-1]), []
    for labels in (masks, turned):  # pages of the recordings, and no label of their own patients
        of_pages.append(crossed_pages(Answers(samples, p), labels, "temperature", pages).probabilities[::-1])
    assert (of_pages[0] == before).all()
    assert (of_pages[1] == after).all()


def xray_answers(children: int, adults: int, of_view: int) -> Crossed:
    """Half of each with pneumonia at .8, the others at .1; the adults' first films have a view."""
    task = image_task("xray")
    rows = []
    for name, count in zip([d.name for d in task.datasets], (children, adults), strict=False):
        for i in range(count):
            view = {"view": "PA"} if name != task.datasets[0].name and i < of_view else {}
            code = ("normal", "pneumonia")[i % 2]
            rows.append(Sample(Path("x"), name, code, (code,), f"{name}{i}", "val", view))
    p = np.array([0.8 if s.label == "pneumonia" else 0.1 for s in rows], np.float32)
    p += np.linspace(0, 0.05, len(p), dtype=np.float32)
    return Crossed(rows, np.stack([1 - p, p], axis=1))


def test_what_has_cases_enough_is_judged_apart_with_its_own_specificity() -> None:
    task = image_task("xray")
    children, adults = (d.name for d in task.datasets[:2])
    apart = _judged_apart(task, xray_answers(400, 200, 100))
    assert {key: specificity for key, (_, specificity) in apart.items()} == {
        children: 0.98, adults: 0.9, view_key(adults, "PA"): 0.9
    }  # fmt: skip
    assert set(_judged_apart(task, xray_answers(400, 200, 30))) == {children, adults}  # 15 with it: no promise
    assert set(_judged_apart(task, xray_answers(60, 200, 0))) == {adults}  # .98 takes 49 without


def test_everything_is_settled_at_once_and_agrees() -> None:
    task = image_task("xray")
    crossed = xray_answers(400, 200, 100)
    fainter = Answers(crossed.samples, np.stack([crossed.probabilities[:, i] * (1, 0.5)[i] for i in (0, 1)], axis=1))
    pages = {PAGE: fainter, "too few": Answers(crossed.samples[:20], crossed.probabilities[:20])}
    settled = _settled(cast("Any", SimpleNamespace(task=task)), crossed, pages)
    assert set(settled["findings"]) == {"pneumonia"}
    assert {PAGE, "too few"} & set(settled["findings_by_population"]) == {PAGE}
    assert settled["findings_by_population"][PAGE]["pneumonia"].rule_in_from < 0.4
    assert set(settled["findings_by_population"]) == set(settled["prediction_sets"].by_population)
    found = settled["findings"]["pneumonia"]
    assert 0.1 < found.rule_out_below < found.rule_in_from < 0.8
    assert settled["prediction_sets"].thresholds["pneumonia"] >= found.rule_out_below


def test_ages_and_views_that_are_averaged_are_settled_as_they_are_served() -> None:
    task = image_task("mammogram")
    codes = [("no_cancer", "cancer")[i % 2] for i in range(200)]
    samples = [
        replace(s, attributes={"side": "L", "age": "60" if i % 4 < 2 else ""}, group=f"w{i % 2}{i // 4}")
        for i, s in enumerate(samples_of(codes, ["x"] * 200))
    ]
    p = np.array([0.7 if c == "cancer" else 0.2 for c in codes], np.float32)
    crossed = Crossed(samples, np.stack([1 - p, p], axis=1), np.stack([0.9 - p, p + 0.1], axis=1))
    part = crossed.rows(np.ones(200, bool))
    several = [rows for rows in cases_of(samples) if len(rows) > 1]
    assert (len(several), len(part.samples)) == (100, 300)
    assert part.probabilities[200:, 1] == pytest.approx([p[rows].mean() for rows in several])
    apart = _judged_apart(task, crossed)
    assert set(apart) == {AGE_GIVEN}
    answers, _ = apart[AGE_GIVEN]
    assert len(answers.samples) == 100
    assert sorted({round(float(v), 1) for v in answers.probabilities[:, 1]}) == [0.3, 0.8]


def every_class(task: ImageTask) -> set[str]:
    return {code for rule in task.findings for code in rule.classes} | set(task.harmless)


def test_each_class_of_the_registry_is_in_a_finding_or_harmless() -> None:
    for name in ("skin", "breast", "brain-mri", "heart", "lung-ct", "mammogram", "xray", "histopathology"):
        task = image_task(name)
        assert every_class(task) == set(task.codes)
