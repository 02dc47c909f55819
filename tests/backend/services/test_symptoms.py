"""What is answered to symptoms and to descriptions over HTTP: by the checker, by the old table, and without a model."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import Any

import pytest
from samples import ROOT

from backend.app import Application, create_app
from backend.config import Config
from ml_model.inference.bundle import MODELS_DIR
from ml_model.symptoms.engine import shipped_knowledge
from ml_model.symptoms.urgency import TO_DO
from ml_model.tasks.triage_scale import LEVELS

# Of the contract before the checker was there; clients read them.
FIELDS = {
    "success", "prediction", "top_predictions", "symptoms_analyzed", "symptoms_matched", "symptoms_unrecognized",
    "recommendations", "model", "provenance", "demo_mode", "request_id", "processing_ms", "disclaimer",
}  # fmt: skip
ADDED = {
    "triage", "red_flags", "understood", "prediction_set", "abstain", "next_questions", "not_understood", "severity",
    "something_else", "ranking", "age_years", "sex", "abstain_reasons",
}  # fmt: skip
STORY = "I am a 34 year old woman. Since yesterday it burns when I pee, and I go all the time. No fever."
DYING = "I can't go on, I want to die"


def asked(app: Application, status: int = 200, **body: Any) -> dict[str, Any]:
    reply = app.test_client().post("/predict-disease", json=body)
    assert reply.status_code == status, reply.text
    return dict(reply.get_json())


def test_a_description_alone_is_ranked_explained_and_asked_about(live_app: Application) -> None:
    found = asked(live_app, description=STORY)
    assert set(found) >= FIELDS | ADDED
    assert (found["ranking"], found["demo_mode"], found["age_years"], found["sex"]) == (
        "knowledge",
        False,
        34,
        "female",
    )
    first = found["top_predictions"][0]
    assert found["prediction"]["disease"] == first["disease"]
    assert found["prediction"]["confidence"] == first["probability"]
    assert len(found["top_predictions"]) == 5
    for row in found["top_predictions"]:
        assert {"disease", "probability", "description", "precautions", "icd10", "lay_name"} <= set(row)
    assert "painful urination" in " ".join(first["speaks_for"]).lower() or first["speaks_for"]
    assert sum(row["probability"] for row in found["top_predictions"]) + found["something_else"] <= 1 + 1e-9
    assert len(found["next_questions"]) == 3
    assert all(q["question"].endswith("?") for q in found["next_questions"])


def test_what_was_understood_stands_where_it_says(live_app: Application) -> None:
    text = f"😀 {STORY} Zzzqx wvvyk."
    found = asked(live_app, description=text)
    assert found["understood"]
    for row in (*found["understood"], *found["not_understood"]):
        assert text[row["start"] : row["end"]] == row["text"] != ""
    said = {row["finding"]: row["present"] for row in found["understood"]}
    assert said["fever"] is False
    assert "fever" not in found["symptoms_analyzed"]
    assert any("wvvyk" in row["text"] for row in found["not_understood"])


def test_what_speaks_for_a_condition_is_called_as_what_is_there(live_app: Application) -> None:
    """Whoever shows it tells by the name what is there from what is not."""
    told = asked(live_app, description="My chest gets tight when I climb stairs and goes away when I rest. No fever.")
    absent = {one["name"] for one in told["understood"] if not one["present"]}
    assert "chest tightness" in told["symptoms_analyzed"]
    assert "chest tightness" in told["top_predictions"][0]["speaks_for"]
    for one in told["top_predictions"]:
        assert {*one["speaks_for"], *one["speaks_against"]} <= {*told["symptoms_analyzed"], *absent}


def test_both_and_answers_come_together(live_app: Application) -> None:
    found = asked(live_app, description=STORY, symptoms=["back pain", "qwxyz"], answers={"chills": "yes"}, age=70)
    assert {"back pain", "chills"} <= {name.lower() for name in found["symptoms_analyzed"]}
    assert found["age_years"] == 70
    assert [m["given"] for m in found["symptoms_matched"]] == ["back pain"]
    assert [u["given"] for u in found["symptoms_unrecognized"]] == ["qwxyz"]


def test_answers_to_the_questions_move_the_ranking_and_are_not_asked_again(live_app: Application) -> None:
    first = asked(live_app, description=STORY)
    question = first["next_questions"][0]["finding"]
    given = {q["finding"]: "no" for q in first["next_questions"][1:]} | {question: "yes"}
    second = asked(live_app, description=STORY, answers=given)
    assert not set(given) & {q["finding"] for q in second["next_questions"]}
    before, after = ({r["disease"]: r["probability"] for r in a["top_predictions"]} for a in (first, second))
    assert before != after
    alone = asked(live_app, answers={question: "yes"})
    assert alone["top_predictions"]


def test_the_set_says_what_such_sets_held_on_vignettes(live_app: Application) -> None:
    told = asked(live_app, description=STORY)
    manifest = json.loads((MODELS_DIR / "disease" / "manifest.json").read_text(encoding="utf-8"))
    assert told["prediction_set"]["measured"] == {"vignettes": manifest["metrics"]["checker"]["set_coverage"]}
    assert told["prediction_set"]["coverage"] == 0.9
    assert "nine in ten sets" in told["prediction_set"]["note"]
    assert told["prediction"]["disease"] in told["prediction_set"]["classes"]
    table = asked(live_app, symptoms=["fever"], ranking="table")["prediction_set"]
    assert (table["classes"], table["measured"]) == ([], {})
    assert table["note"].startswith("No set is made")


def test_urgency_is_one_voice(live_app: Application) -> None:
    found = asked(live_app, description="crushing chest pain spreading to my left arm, and I am sweating", age=60)
    triage = found["triage"]
    assert (triage["level"], found["severity"], triage["text"]) == ("emergency", "critical", TO_DO["emergency"])
    assert found["red_flags"]
    assert found["recommendations"][0] == triage["text"]
    assert {flag["message"] for flag in found["red_flags"]} <= set(found["recommendations"])
    levels = [LEVELS.index(row["level"]) for row in found["red_flags"]]
    assert levels == sorted(levels, reverse=True)
    assert {reason["code"] for reason in triage["reasons"]} == {"red_flag", "in_question", "named"}


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"description": STORY, "answers": {"no_such_finding": "yes"}}, "invalid_value", "no_such_finding"),
        ({"description": STORY, "answers": {"Not an id": "yes"}}, "invalid_value", "answers"),
        ({"description": STORY, "answers": {"fever": "maybe"}}, "invalid_value", "answers"),
        ({"description": "x" * 5001}, "invalid_value", "description"),
        ({"description": STORY, "ranking": "other"}, "invalid_value", "ranking"),
        ({"description": "qwxyz"}, "no_symptom_recognised", "GET /symptoms"),
        ({"symptoms": ["hedacheqx"]}, "no_symptom_recognised", "nearest known: headache"),
        ({"answers": {"fever": "unsure"}}, "no_symptom_recognised", "GET /symptoms"),
        ({"description": STORY, "ranking": "table"}, "no_symptom_recognised", "a table ranks `symptoms` alone"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_what_to_do(
    live_app: Application, body: dict[str, Any], code: str, says: str
) -> None:
    refused = asked(live_app, 422, **body)
    assert refused["code"] == code
    assert says in refused["error"]


@pytest.mark.parametrize("body", [{}, {"symptoms": []}, {"description": "  \n"}, {"symptoms": [], "answers": {}}])
def test_nothing_told_is_refused(live_app: Application, body: dict[str, Any]) -> None:
    refused = asked(live_app, 422, **body)
    assert "send symptoms, a description, or answers" in refused["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"description": DYING},
        {"symptoms": [DYING]},
        {"symptoms": ["fever", DYING], "ranking": "table"},
        {"description": "chest pain", "answers": {"suicidal_thoughts": "yes"}},
    ],
    ids=["description", "symptom", "table", "answer"],
)
@pytest.mark.parametrize("mode", ["live", "demo", "nothing"])
def test_whoever_wants_to_die_is_answered_with_help(
    request: pytest.FixtureRequest, body: dict[str, Any], mode: str
) -> None:
    found = asked(request.getfixturevalue(f"{mode}_app"), **body)
    assert (found["prediction"], found["top_predictions"], found["prediction_set"]["classes"]) == (None, [], [])
    assert (found["next_questions"], found["demo_mode"], found.get("warning")) == ([], False, None)
    assert (found["triage"]["level"], found["triage"]["reasons"][0]["code"]) == ("emergency", "self_harm")
    answer = shipped_knowledge().self_harm.answer
    assert tuple(found["recommendations"]) == answer.actions
    assert "crisis line" in " ".join(found["recommendations"])
    assert found["severity"] == "critical"


@pytest.fixture(scope="module")
def nothing_app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """Neither a model nor an example."""
    root = tmp_path_factory.mktemp("nothing")
    app = create_app(Config(model_dirs=(), user_models_dir=root, data_dir=root / "data", log=False, demo_mode=False))
    assert app.services.models.wait_ready()
    return app


def test_without_a_model_and_without_examples_all_else_is_refused(nothing_app: Application) -> None:
    assert asked(nothing_app, 503, description=STORY)["code"] == "model_unavailable"


def test_the_ranking_of_the_table_stays_with_its_fields(live_app: Application) -> None:
    symptoms = ["fever", "head ache", "tired", "qwxyz"]
    found = asked(live_app, symptoms=symptoms, age=34, sex="female", ranking="table")
    assert set(found) >= FIELDS | ADDED
    assert found["ranking"] == "table"
    assert [row["name"] for row in found["symptoms_matched"]] == ["fever", "headache", "fatigue"]
    assert found["symptoms_unrecognized"][0]["given"] == "qwxyz"
    assert len(found["top_predictions"]) == 5
    assert (found["abstain"], found["something_else"], found["next_questions"]) == (True, None, [])
    assert "synthetic" in found["abstain_reasons"][0]
    other = asked(live_app, symptoms=symptoms, age=34, sex="female")
    assert other["ranking"] == "knowledge"
    assert other["prediction"] != found["prediction"]


def test_the_table_hears_the_description_for_how_soon(live_app: Application) -> None:
    text = "crushing chest pain spreading to my left arm, Zzzqx"
    found = asked(live_app, symptoms=["nausea"], description=text, ranking="table")
    assert found["triage"]["level"] == "emergency"
    assert found["recommendations"][0] == TO_DO["emergency"]
    for row in (*found["understood"], *found["not_understood"]):
        assert text[row["start"] : row["end"]] == row["text"] != ""


def test_the_example_of_demo_mode_says_how_soon_by_the_rules(demo_app: Application) -> None:
    found = asked(demo_app, description="crushing chest pain spreading to my left arm, and I am sweating")
    assert set(found) >= FIELDS | ADDED
    assert next(iter(found)) == "warning"
    assert (found["demo_mode"], found["abstain"], found["triage"]["level"]) == (True, True, "emergency")
    assert found["recommendations"][0] == found["triage"]["text"]


@pytest.mark.parametrize(
    "description",
    [
        "," * 5000,
        "😀" * 5000,
        "\x07\x1b[31m fever \x7f",
        "no " * 1666,
        "fever " * 833,
        "a" * 5000,
        "ﷺ" * 5000,
        "e\u0301" * 2500,
    ],
    ids=["commas", "emoji", "control", "negations", "words", "one word", "wide", "combining"],
)
def test_any_text_is_answered_in_bounded_time(live_app: Application, description: str) -> None:
    client = live_app.test_client()
    start = time.perf_counter()
    reply = client.post("/predict-disease", json={"description": description})
    assert time.perf_counter() - start < 3  # a tenth of that where nothing else runs
    assert reply.status_code in (200, 422)


def test_a_hundred_long_symptoms_that_nobody_knows_take_no_longer(live_app: Application) -> None:
    start = time.perf_counter()
    refused = asked(live_app, 422, symptoms=[(f"zqx wv {n} " * 40)[:200] for n in range(100)])
    assert time.perf_counter() - start < 6
    assert refused["code"] == "no_symptom_recognised"


def test_symptoms_are_listed_sorted_with_the_ids_of_earlier_versions(live_app: Application) -> None:
    found = live_app.test_client().get("/symptoms").get_json()
    names = [(row["name"], row["id"]) for row in found["symptoms"]]
    assert names == sorted(names)
    assert found["count"] == len(names) == len({id_ for _, id_ in names})
    vocabulary = shipped_knowledge().vocabulary
    assert {id_ for _, id_ in names} == {*vocabulary.findings, *vocabulary.aliases}


def documented() -> list[dict[str, Any]]:
    """Bodies of the calls of /predict-disease that the documents show."""
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/api.md"))
    calls = [line for line in text.replace("\\\n", " ").splitlines() if re.match(r"curl .*predict-disease", line)]
    return [json.loads(words[words.index("-d") + 1]) for words in map(shlex.split, calls)]


@pytest.mark.parametrize("body", documented(), ids=lambda body: "-".join(body))
def test_the_calls_that_the_documents_show_are_answered_with_what_they_name(
    live_app: Application, body: dict[str, Any]
) -> None:
    found = asked(live_app, **body)
    assert found["top_predictions"]
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    section = page.split("## Symptoms", 1)[1].split("## Heart risk", 1)[0]
    assert {name for name in ADDED if f"`{name}`" not in section} == set()


def test_the_documents_show_a_list_and_a_description() -> None:
    assert {"symptoms", "description", "answers"} <= {name for body in documented() for name in body}
