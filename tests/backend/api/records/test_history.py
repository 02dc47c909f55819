"""What is kept of cases, over HTTP, on both databases."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from records.people import PASSWORD, Person, person
from sqlalchemy import event

from backend.app import Application
from backend.services.records import history
from ml_model.tasks.registry import load_task

Picture = Callable[..., bytes]
MakeApp = Callable[..., Application]


@pytest.fixture(scope="module")
def ada(records_app: Application, picture: Picture) -> Person:
    """With five records, of two patients."""
    found = person(records_app)
    for seed in range(5):
        found.predict(picture(seed=seed), patient_ref="p-1" if seed < 3 else "p-2")
    return found


def test_the_answer_is_the_pipelines_and_is_kept_whole(records_app: Application, picture: Picture) -> None:
    ada, sent = person(records_app), picture(seed=9)
    kept = ada.predict(sent, patient_ref="p-9", age_years="61")
    open_answer = records_app.test_client().post("/analyze/skin?age_years=61", data={"image": (io.BytesIO(sent), "x")})
    answer = open_answer.get_json()
    assert kept["result"]["all_predictions"] == answer["all_predictions"]
    assert kept["result"]["triage"] == answer["triage"]
    assert kept["prediction"] == answer["prediction"]["name"]
    assert kept["confidence_scores"] == {one["name"]: one["confidence"] for one in answer["all_predictions"]}
    assert kept["processing_time"] > 0
    whole = ada.get(f"/history/{kept['prediction_id']}")
    assert whole["result"] == kept["result"]
    assert whole["record"]["patient_ref"] == "p-9"
    assert whole["record"]["model_sha256"] == answer["model"]["sha256"]
    assert whole["scores"][answer["prediction"]["code"]] == answer["prediction"]["confidence"]
    shown = ada.call("GET", kept["heatmap_url"].removeprefix("/api/v1"))
    assert (shown.mimetype, Image.open(io.BytesIO(shown.data)).size) == ("image/png", (448, 336))


def test_an_upload_is_answered_by_its_id_with_the_same_bits(records_app: Application, picture: Picture) -> None:
    ada, sent = person(records_app), picture(seed=10)
    file_id = ada.upload(sent)
    by_id = ada.call("POST", "/predict", json={"file_id": file_id, "task": "skin", "explain": "none"}).get_json()
    by_file = ada.predict(sent)
    assert (by_id["file_id"], by_id["heatmap_url"]) == (file_id, None)
    assert by_id["confidence_scores"] == by_file["confidence_scores"]
    stored = ada.call("GET", f"/files/{file_id}")
    assert stored.headers["Content-Disposition"] == f'attachment; filename="{file_id}.jpeg"'
    assert Image.open(io.BytesIO(stored.data)).tobytes() == Image.open(io.BytesIO(sent)).tobytes()
    assert by_id["result"]["provenance"]["input_sha256"] == by_file["result"]["provenance"]["input_sha256"]


def test_pages_hold_each_record_once_newest_first_and_new_ones_move_nothing(ada: Person, picture: Picture) -> None:
    first = ada.get("/history?per_page=2")
    assert (first["count"], first["total"], first["page"], first["pages"]) == (2, 5, 1, 3)
    numbers = [one["number"] for one in ada.get("/history")["history"]]
    assert numbers == sorted(numbers, reverse=True)
    by_page = [one["number"] for page in (1, 2, 3) for one in ada.get(f"/history?per_page=2&page={page}")["history"]]
    assert by_page == numbers
    assert ada.get("/history?per_page=2&page=4")["history"] == []
    new = ada.predict(picture(seed=20))
    seen, before = [one["number"] for one in first["history"]], first["next_before"]
    while before is not None:
        page = ada.get(f"/history?per_page=2&before={before}")
        seen, before = seen + [one["number"] for one in page["history"]], page["next_before"]
    assert seen == numbers
    assert ada.call("DELETE", f"/history/{new['prediction_id']}").status_code == 200


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("patient_ref=p-1", 3), ("patient_ref=p-1&task=skin", 3), ("task=xray", 0), ("from=2020-01-01", 5),
        ("to=2020-01-01", 0), ("patient_ref=p-3", 0), ("q=SKIN", 5), ("q=kin%20P-1", 3), ("q=%25", 0), ("q=_", 0),
        ("q=%5C", 0), ("q='%20OR%201=1%20--", 0), ("q=p-1&task=xray", 0), ("q=p-2&per_page=1&page=2", 1),
        ("q=s%20k%20i%20n%C2%A0s%20k%20%20i%20n%20", 5),
    ],
)  # fmt: skip
def test_filters(ada: Person, query: str, count: int) -> None:
    found = ada.get(f"/history?{query}")
    assert found["count"] == count
    assert found["total"] == (2 if "page=2" in query else count)


def test_every_page_of_a_search_knows_how_many_there_are_and_a_short_one_looks_once(
    records_app: Application, ada: Person
) -> None:
    looked, engine = list[str](), records_app.services.records.open().database.engine

    def note(_link: Any, _cursor: Any, statement: str, *_: Any) -> None:
        looked.extend([statement] if "LIKE" in statement else [])

    event.listen(engine, "before_cursor_execute", note)
    found = []
    for asked in ("", "&page=2", "&page=3", "&q=p-1", "&q=zebra", "&before=0"):
        page = ada.get(f"/history?per_page=2&q=p-1{asked}" if "q=" not in asked else f"/history?{asked[1:]}")
        found.append((page["count"], page["total"], len(looked)))
        looked.clear()
    event.remove(engine, "before_cursor_execute", note)
    assert found == [(2, 3, 2), (1, 3, 1), (0, 3, 2), (3, 3, 1), (0, 0, 1), (0, 3, 2)]


@pytest.mark.parametrize(
    "query",
    [
        "patient_ref=' OR 1=1 --",
        "page=0",
        "per_page=101",
        "from=yesterday",
        "triage=calm",
        "sort=x",
        "q=",
        "q=%20",
        "q=a%00b",
        f"q={'a' * 65}",
        "q=a%20b%20c%20d%20e%20f%20g%20h%C2%A0i",
        "q=%C2%A0",
    ],
)
def test_a_query_that_means_nothing_is_refused(ada: Person, query: str) -> None:
    assert ada.call("GET", f"/history?{query}").status_code in (400, 422)


def test_words_are_looked_for_in_classes_and_notes_of_own_records_alone(
    records_app: Application, picture: Picture
) -> None:
    ada, grace = person(records_app), person(records_app, "clinician")
    mine, theirs = (one.predict(picture(seed=61)) for one in (ada, grace))
    path = f"/history/{mine['prediction_id']}"
    ada.call("POST", f"{path}/share", json={"shared": True})
    said = {"agrees": True, "note": "100% wie Невус_1, Tübingen"}
    assert grace.call("POST", f"{path}/feedback", json=said).status_code == 201

    def hits(whose: Person, words: str) -> list[str]:
        reply = whose.call("GET", "/history", query_string={"q": words})
        assert reply.status_code == 200, reply.text
        return [one["id"] for one in reply.get_json()["history"]]

    first = mine["prediction"].split()[0].lower()
    for words in ("невус_1", "100% TÜBINGEN", mine["prediction"].upper(), f"wie {first}"):
        assert hits(ada, words) == [mine["prediction_id"]], words
    for words in ("невус%", "0_%", "wie unicorn"):
        assert hits(ada, words) == [], words
    assert hits(grace, "wie") == [], "a shared record is no own one"
    assert hits(grace, mine["prediction"]) == [theirs["prediction_id"]]


def test_a_patients_course_and_what_changed(ada: Person) -> None:
    found = ada.get("/patients/p-1/timeline")
    points = found["timeline"]
    assert [point["change"] is None for point in points] == [True, False, False]
    assert [point["record"]["number"] for point in points] == sorted(point["record"]["number"] for point in points)
    first, second = (ada.get(f"/history/{point['record']['id']}") for point in points[:2])
    change = points[1]["change"]
    assert change["since"] == first["record"]["id"]
    assert change["scores"] == {c: second["scores"][c] - first["scores"][c] for c in load_task("skin").codes}
    assert change["class_changed"] == (first["record"]["class_code"] != second["record"]["class_code"])
    assert ada.get("/patients/nobody/timeline")["timeline"] == []


def test_statistics_count_answers_and_refusals(records_app: Application, picture: Picture) -> None:
    ada = person(records_app)
    kept = [ada.predict(picture(seed=seed)) for seed in (1, 2)]
    flat = io.BytesIO()
    Image.new("RGB", (300, 300), "red").save(flat, "PNG")
    form = {"file": (io.BytesIO(flat.getvalue()), "x"), "task": "skin"}
    refused = ada.call("POST", "/predict", data=form)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "poor_quality")
    stats = ada.get("/stats")
    assert (stats["total"], stats["by_task"], stats["refusals"]) == (2, {"skin": 2}, {"poor_quality": 1})
    codes = [one["class_code"] for one in kept]
    assert stats["class_distribution"] == {"skin": {code: codes.count(code) for code in codes}}
    assert [one["count"] for one in stats["per_day"]] == [2]
    assert sum(stats["triage"].values()) == 2
    assert stats["mean_processing_ms"] > 0
    assert ada.get("/stats?task=xray") | {"success": True} == {
        "success": True, "total": 0, "by_task": {}, "class_distribution": {}, "triage": {}, "per_day": [],
        "refusals": {}, "mean_processing_ms": None,
    }  # fmt: skip


def test_an_example_is_answered_and_never_kept_or_counted(records_app: Application, picture: Picture) -> None:
    ada = person(records_app)
    answer = ada.predict(picture(), task="lung-ct")
    assert (answer["demo_mode"], answer["prediction_id"], answer["file_id"]) == (True, None, None)
    assert answer["warning"].startswith("EXAMPLE ONLY")
    assert (ada.get("/history")["total"], ada.get("/stats")["total"], ada.get("/auth/me")["files_bytes"]) == (0, 0, 0)


def test_feedback_is_a_clinicians_on_own_and_shared_records(
    records_app: Application, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, grace = person(records_app), person(records_app, "clinician")
    kept = ada.predict(picture(seed=6))
    path = f"/history/{kept['prediction_id']}"
    right = next(code for code in load_task("skin").codes if code != kept["class_code"])
    said = {"agrees": False, "right_class": right, "note": "regular network"}
    assert ada.call("POST", f"{path}/feedback", json=said).status_code == 403
    assert grace.call("POST", f"{path}/feedback", json=said).status_code == 404, "not shared"
    assert ada.call("POST", f"{path}/share", json={"shared": True}).get_json()["shared"] is True
    reply = grace.call("POST", f"{path}/feedback", json=said)
    assert reply.status_code == 201
    assert grace.get(path)["feedback"] == [reply.get_json()["feedback"]]
    assert reply.get_json()["feedback"]["right_class"] == right
    for wrong in ({"agrees": False, "right_class": "unicorn"}, {"agrees": True, "right_class": right}):
        assert grace.call("POST", f"{path}/feedback", json=wrong).status_code == 422
    monkeypatch.setattr(history, "MOST_FEEDBACK", 2)
    for note in ("second", "third"):
        assert grace.call("POST", f"{path}/feedback", json={"agrees": True, "note": note}).status_code == 201
    assert [one["note"] for one in grace.get(path)["feedback"]] == ["second", "third"]
    assert ada.call("POST", f"{path}/share", json={"shared": False}).status_code == 200
    assert grace.call("GET", path).status_code == 404


def test_a_quota_holds(make_records_app: MakeApp, tmp_path: Path, picture: Picture) -> None:
    sent = picture()
    ada = person(make_records_app(tmp_path, quota_bytes=len(sent) + 100))
    ada.upload(sent)
    for reply in (
        ada.call("POST", "/upload", data={"file": (io.BytesIO(sent), "x")}),
        ada.call("POST", "/predict", data={"file": (io.BytesIO(sent), "x"), "task": "skin"}),
    ):
        assert (reply.status_code, reply.get_json()["code"]) == (413, "quota_exceeded")
    assert len(list((tmp_path / "data" / "files").glob("*/*"))) == 1
    assert ada.get("/history")["total"] == 0


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"file_id": "../../etc/passwd"}}, {"json": {"task": "skin"}}, {"json": {"file_id": "x", "nothing": 1}},
        {"data": {"task": "skin"}}, {"json": {"file_id": "00000000-0000-4000-8000-000000000000", "task": "../x"}},
    ],
)  # fmt: skip
def test_a_case_that_is_none_is_refused(ada: Person, sent: dict[str, Any]) -> None:
    assert ada.call("POST", "/predict", **sent).status_code in (400, 404, 415, 422)


@pytest.mark.parametrize("path", ["/files/..%2f..%2fsecret_key", "/history/1", "/files/%00", "/history/x/heatmap.png"])
def test_no_path_leads_out_of_the_store(ada: Person, path: str) -> None:
    assert ada.call("GET", path).status_code == 404


def test_the_log_tells_who_and_never_of_whom(
    make_records_app: MakeApp, tmp_path: Path, picture: Picture, capfd: pytest.CaptureFixture[str]
) -> None:
    app = make_records_app(tmp_path, log=True)
    ada = person(app)
    ada.predict(picture(), patient_ref="Smith-1970")
    ada.get("/patients/Smith-1970/timeline")
    ada.get("/history?patient_ref=Smith-1970")
    user_id = ada.get("/auth/me")["user"]["id"]
    audit = str(ada.get("/auth/export")["audit"])
    app.log.drain()
    log = capfd.readouterr().out
    assert log.count(user_id) >= 4
    for secret in ("Smith-1970", ada.access_token, ada.username, "example.org", PASSWORD):
        assert secret not in log
        assert secret not in audit
