"""Findings and triage of an answer: every state, its figures, and what follows from it in all other parts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_tasks import thresholds
from rendered import rendered, rendered_example, sent, strings
from samples import image_task, measured_test

from backend.services.rendering.findings import NOT_MEASURED, predictive_values
from ml_model.diagnosis.decision import Beside
from ml_model.diagnosis.population import PAGE, KnownFacts
from ml_model.inference.bundle import PredictionSets
from ml_model.inference.interval import Interval
from ml_model.inference.measured import ImageMetrics, PageFigures, Pages, Subgroup
from ml_model.inference.measured_findings import FindingMeasured
from ml_model.tasks.registry import ImageTask, load_image_tasks

SKIN, XRAY, HEART = (image_task(name) for name in ("skin", "xray", "heart"))
MELANOMA, OTHER_CANCER = SKIN.findings
SETTLED: dict[str, Any] = {
    "findings": {"melanoma": thresholds(0.1, 0.3), "other_skin_cancer": thresholds(0.1, 0.4)},
    "prediction_sets": PredictionSets(coverage=0.9, thresholds=dict.fromkeys(SKIN.codes, 0.2)),
}


def at(value: float) -> Interval:
    return Interval(value=value, low=value - 0.05, high=value + 0.05)


def measured(sensitivity: float, suspected: float = 0.7, specificity: float = 0.8, out: float = 0.5) -> FindingMeasured:
    shares = {"sensitivity": sensitivity, "suspected": suspected, "specificity": specificity, "ruled_out": out}
    return FindingMeasured(count=40, auc=at(0.9), **{name: at(value) for name, value in shares.items()})


def part(task: ImageTask, view: str | None, known: str, finding: FindingMeasured) -> dict[str, Subgroup]:
    one = Subgroup(
        population=task.datasets[1].name, view=view, known=known, count=9, accuracy=at(0.5),
        findings={task.findings[0].code: finding},
    )  # fmt: skip
    return {one.title: one}


@pytest.mark.parametrize(
    ("mel", "state", "message", "level", "headline"),
    [
        (0.05, "ruled_out", None, "routine", "Melanocytic nevus"),
        (0.15, "indeterminate", MELANOMA.open.message, "soon", "Melanocytic nevus most likely; melanoma not ruled out"),
        (0.35, "suspected", MELANOMA.suspected, "urgent", "Melanoma suspected"),
    ],
)
def test_every_state_says_what_it_is_and_what_to_do(
    mel: float, state: str, message: str | None, level: str, headline: str
) -> None:
    test = measured_test(findings={"melanoma": measured(0.95)})
    body = sent(rendered(SKIN, {"nv": 1 - mel, "mel": mel}, metrics=ImageMetrics(test=test), **SETTLED))
    first, other = body["findings"]
    assert first == {
        "code": "melanoma",
        "name": "melanoma",
        "classes": ["mel"],
        "probability": pytest.approx(mel),
        "state": state,
        "message": message,
        "rule_out_below": 0.1,
        "rule_in_from": 0.3,
        "why_never_ruled_out": None,
        "count": 40,
        "sensitivity": dict(at(0.95)),
        "suspected": dict(at(0.7)),
        "specificity": dict(at(0.8)),
        "ruled_out": dict(at(0.5)),
    }
    assert (other["code"], other["state"], other["count"], other["sensitivity"]) == (
        "other_skin_cancer", "ruled_out", None, None,
    )  # fmt: skip
    assert (body["triage"]["level"], body["headline"]) == (level, headline)


def test_why_a_finding_is_never_ruled_out() -> None:
    never = {**SETTLED, "findings": {**SETTLED["findings"], "melanoma": thresholds(None, 0.3)}}
    told = sent(rendered(SKIN, {"nv": 1.0}, **never))["findings"][0]
    assert (told["state"], told["rule_out_below"]) == ("indeterminate", None)
    assert told["why_never_ruled_out"] == "too few"
    bare = sent(rendered(SKIN, {"nv": 1.0}))
    assert [one["state"] for one in bare["findings"]] == ["indeterminate", "indeterminate"]
    assert {one["why_never_ruled_out"] for one in bare["findings"]} == {NOT_MEASURED}
    assert {one["rule_in_from"] for one in bare["findings"]} == {None}
    assert bare["operating_points"] == []


@pytest.mark.parametrize(
    ("mel", "level", "severity", "advice", "urgency"),
    [
        (0.05, "routine", "low", SKIN.recommendations["low"], SKIN.by_code["nv"].urgency),
        (0.15, "soon", "moderate", MELANOMA.open, MELANOMA.open),
        (0.35, "urgent", "high", SKIN.recommendations["high"], SKIN.by_code["mel"].urgency),
    ],
)
def test_severity_urgency_and_recommendation_follow_the_triage(
    mel: float, level: str, severity: str, advice: Any, urgency: Any
) -> None:
    body = sent(rendered(SKIN, {"nv": 1 - mel, "mel": mel}, **SETTLED))
    assert (body["triage"]["level"], body["severity"]) == (level, severity)
    assert body["urgency"] == {"timeline": urgency.timeline, "action": urgency.action, "color": urgency.color}
    assert body["recommendation"] == {
        "level": severity, "title": advice.title, "message": advice.message, "actions": list(advice.actions),
    }  # fmt: skip
    assert body["recommendations"] == body["recommendation"]
    assert body["triage"]["text"] == f"{advice.title}. {urgency.action}"


def test_the_reasons_of_a_triage_come_the_gravest_first() -> None:
    body = sent(rendered(SKIN, {"mel": 0.35, "bcc": 0.14, "nv": 0.3, "bkl": 0.21}, **SETTLED))
    assert body["triage"]["reasons"] == [
        {"code": "suspected", "level": "urgent", "text": MELANOMA.suspected},
        {"code": "not_ruled_out", "level": "soon", "text": OTHER_CANCER.open.message},
        {"code": "in_question", "level": "routine", "text": "Melanocytic nevus is still in question."},
        {"code": "in_question", "level": "routine", "text": "Benign keratosis is still in question."},
    ]


def test_clients_that_read_a_list_get_the_actions_of_the_triage() -> None:
    fields = {"findings": {"pneumonia": thresholds(0.1, 0.4)}}
    body = sent(rendered(XRAY, {"normal": 0.8, "pneumonia": 0.2}, **fields))
    assert (body["triage"]["level"], body["recommendations"]) == (
        XRAY.findings[0].open_level, list(XRAY.findings[0].open.actions),
    )  # fmt: skip
    assert body["model"]["operating_point"] == {"positive": "pneumonia", "threshold": 0.4, "rule_out_below": 0.1}


def test_stage_and_treatment_belong_to_a_settled_class_only() -> None:
    nevus = SKIN.by_code["nv"]
    calm = sent(rendered(SKIN, {"nv": 1.0}, **SETTLED))
    assert (calm["prediction"]["settled"], calm["staging"]) == (True, nevus.staging.model_dump())
    assert calm["treatment_options"] == list(nevus.treatment_options)
    open_ = sent(rendered(SKIN, {"nv": 0.85, "mel": 0.15}, **SETTLED))
    assert (open_["prediction"]["code"], open_["prediction"]["settled"]) == ("nv", False)
    assert open_["staging"]["description"] == SKIN.unsettled.staging
    assert open_["staging"]["stage"] == open_["staging"]["prognosis"] == "Not settled"
    assert open_["treatment_options"] == [SKIN.unsettled.treatment]
    weak = sent(rendered(SKIN, {"nv": 1.0}, evidence="insufficient", **SETTLED))
    assert (weak["prediction"]["settled"], weak["triage"]["level"]) == (False, "soon")
    assert weak["treatment_options"] == [SKIN.weak_evidence.message]
    assert weak["recommendation"]["title"] == SKIN.weak_evidence.title
    assert weak["triage"]["reasons"][0]["code"] == "insufficient_evidence"


def test_an_abstained_answer_has_no_calm_text() -> None:
    body = sent(rendered(SKIN, {"nv": 1.0}, beside=Beside(unfit=("The film lies on its side.",)), **SETTLED))
    assert (body["prediction"]["abstain"], body["prediction"]["settled"]) == (True, False)
    assert body["prediction"]["abstain_reason"] == "The film lies on its side."
    assert (body["headline"], body["severity"]) == ("No statement can be made", "moderate")
    first, *others = body["triage"]["reasons"]
    assert first == {"code": "abstained", "level": "soon", "text": "The film lies on its side."}
    assert [(other["code"], other["level"]) for other in others] == [("not_ruled_out", "soon")] * len(SKIN.findings)
    assert body["triage"]["text"] == f"{SKIN.undecided.title}. {SKIN.undecided.action}"
    assert body["recommendation"]["message"] == SKIN.undecided.message
    assert body["treatment_options"] == [SKIN.unsettled.treatment]
    assert not own_texts(SKIN, "nv") & set(strings(body))


def own_texts(task: ImageTask, code: str) -> set[str]:
    """What is said where a class is settled."""
    spec = task.by_code[code]
    told = task.recommendations[spec.severity]
    stage = (spec.staging.stage, spec.staging.description, spec.staging.prognosis)
    return {*stage, *spec.treatment_options, spec.urgency.action, told.title, told.message, *told.actions}


def test_figures_are_those_of_what_the_answer_was_judged_for() -> None:
    adults = XRAY.datasets[1].name
    apart = {name: {"pneumonia": thresholds(0.1, 0.4)} for name in (adults, f"{adults}, view AP")}
    by_group = part(XRAY, None, "nothing", measured(0.92)) | part(XRAY, "AP", "age_and_view", measured(0.93))
    test = measured_test(findings={"pneumonia": measured(0.91)}, by_group=by_group)
    fields = {"findings": apart[adults], "findings_by_population": apart, "metrics": ImageMetrics(test=test)}
    for facts, expected in (
        (KnownFacts(), 0.91),
        (KnownFacts(age_years=40), 0.92),
        (KnownFacts(age_years=40, view="PA"), 0.92),
        (KnownFacts(age_years=40, view="AP"), 0.93),
        (KnownFacts(age_years=4), 0.91),
    ):
        told = sent(rendered(XRAY, {"normal": 1.0}, facts=facts, **fields))["findings"][0]
        assert told["sensitivity"]["value"] == expected, facts


def test_a_signal_that_was_read_off_a_page_is_held_against_thresholds_of_pages_and_has_their_figures() -> None:
    general = {rule.code: thresholds(0.1, 0.4) for rule in HEART.findings}
    own = {"infarction": thresholds(0.2, 0.6)}
    test = measured_test(findings={"infarction": measured(0.91)})
    of_pages = PageFigures(pages=9, answered=1, from_signal=1, findings={"infarction": measured(0.87)})
    metrics = ImageMetrics(test=test, pages=Pages(many_looks=of_pages))
    fields = {"findings": general, "findings_by_population": {PAGE: {**general, **own}}, "metrics": metrics}
    for page, state, expected in ((False, "suspected", 0.91), (True, "indeterminate", 0.87)):
        answer = sent(rendered(HEART, {"mi": 0.5}, facts=KnownFacts(page=page), **fields))
        (told,) = [f for f in answer["findings"] if f["code"] == "infarction"]
        assert (told["state"], told["sensitivity"]["value"]) == (state, expected)
        assert answer["model"]["judged_as"] == (PAGE if page else None)
    nowhere = fields | {"findings_by_population": {}}
    answer = sent(rendered(HEART, {"mi": 0.5}, facts=KnownFacts(page=True), **nowhere))
    assert answer["model"]["judged_as"] is None


def test_a_prevalence_gives_predictive_values() -> None:
    """At .1: suspected of .7 * .1 rightly and .2 * .9 wrongly, ruled out .5 * .9 rightly and .05 * .1 wrongly."""
    fields = {**SETTLED, "metrics": ImageMetrics(test=measured_test(findings={"melanoma": measured(0.95)}))}
    first, other = sent(rendered(SKIN, {"nv": 1.0}, prevalence=0.1, **fields))["findings"]
    assert first["prevalence"] == 0.1
    assert first["positive_predictive_value"] == pytest.approx(0.07 / (0.07 + 0.18))
    assert first["negative_predictive_value"] == pytest.approx(0.45 / (0.45 + 0.005))
    assert "prevalence" not in other
    assert "prevalence" not in sent(rendered(SKIN, {"nv": 1.0}, **fields))["findings"][0]


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(0.001, 0.999))
def test_predictive_values_are_probabilities(shares: list[float], prevalence: float) -> None:
    each = [Interval(value=share, low=share, high=share) for share in shares]
    told = FindingMeasured(
        count=1, auc=each[0], sensitivity=each[0], suspected=each[1], specificity=each[2], ruled_out=each[3]
    )
    for value in predictive_values(told, prevalence).values():
        assert value is None or 0 <= value <= 1
    assert predictive_values(FindingMeasured(count=1, auc=each[0]), prevalence) == {}


def test_old_clients_find_the_findings_as_operating_points() -> None:
    fields = {**SETTLED, "metrics": ImageMetrics(test=measured_test(findings={"melanoma": measured(0.95)}))}
    body = sent(rendered(SKIN, {"nv": 0.5, "mel": 0.35, "bcc": 0.15}, prevalence=0.1, **fields))
    melanoma, other = body["operating_points"]
    assert (melanoma["finding"], melanoma["classes"], melanoma["threshold"]) == ("melanoma", ["mel"], 0.3)
    assert (melanoma["reached"], melanoma["message"]) == (True, MELANOMA.suspected)
    assert melanoma["sensitivity"] == dict(at(0.7))  # of the threshold that is told: who is suspected
    assert melanoma["positive_predictive_value"] == pytest.approx(0.28)
    assert (other["reached"], other["message"], other["sensitivity"]) == (False, OTHER_CANCER.open.message, None)
    assert "prevalence" not in other
    assert body["model"]["operating_point"] is None  # of a task with one finding only


def test_a_set_says_how_often_it_held_on_test() -> None:
    rows = {
        "nv": {"count": 9, "coverage": 0.88, "coverage_interval": dict(at(0.88))},
        "mel": {"count": 0, "coverage": 0},
    }
    sets = {"by_label": rows, "by_source": {}, "coverage": 0.9, "mean_size": 1, "sizes": {}}
    test = measured_test(prediction_sets=sets)
    told = sent(rendered(SKIN, {"nv": 1.0}, metrics=ImageMetrics(test=test), **SETTLED))["prediction_set"]
    assert (told["classes"], told["measured"]) == (["nv"], {"nv": dict(at(0.88))})
    assert sent(rendered(SKIN, {"nv": 1.0}, metrics=ImageMetrics(test=test)))["prediction_set"]["measured"] == {}


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_an_example_settles_nothing(task: ImageTask) -> None:
    body = sent(rendered_example(task))
    assert (body["demo_mode"], body["prediction"]["settled"]) == (True, False)
    assert {one["state"] for one in body["findings"]} == {"indeterminate"}
    assert body["triage"]["level"] in ("soon", "urgent", "emergency")
    assert {"not_ruled_out", "insufficient_evidence"} <= {reason["code"] for reason in body["triage"]["reasons"]}
    assert body["treatment_options"] == [task.weak_evidence.message]
    assert body["staging"]["description"] == task.unsettled.staging


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_a_model_of_one_s_own_settles_nothing(task: ImageTask) -> None:
    """Its manifest has no thresholds, and nothing was measured of it."""
    calm = {task.harmless[0]: 1.0}
    body = sent(rendered(task, calm, source="user", evidence="insufficient"))
    assert (body["model"]["source"], body["model"]["evidence"]) == ("user", "insufficient")
    assert {(one["state"], one["sensitivity"], one["rule_in_from"]) for one in body["findings"]} == {
        ("indeterminate", None, None)
    }
    assert {"not_ruled_out", "insufficient_evidence"} <= {reason["code"] for reason in body["triage"]["reasons"]}
    assert (body["prediction"]["code"], body["prediction"]["settled"]) == (task.harmless[0], False)
    assert body["severity"] not in ("healthy", "low")
    assert body["treatment_options"] == [task.weak_evidence.message]
    assert (body["operating_points"], body["model"]["operating_point"]) == ([], None)
