"""What an account takes with it: whole, and in little memory."""

from __future__ import annotations

import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from records.batches import accepted, finished
from records.people import Person, person
from sqlalchemy import delete, insert, select

from backend.app import Application
from backend.services.records import feedback
from backend.storage.tables import StoredFile, User

FILES, MOST_BYTES = 6000, 4_000_000


@pytest.fixture
def hoarder(records_app: Application) -> Iterator[Person]:
    """Somebody with many rows of files that are in no store: they must not stay for those who look at all of them."""
    ada, now = person(records_app), datetime.now(UTC)
    database = records_app.services.records.open().database
    with database.writing() as session:
        user_id = session.scalars(select(User.id).where(User.username == ada.username)).one()
        rows = [
            {"id": uuid.uuid4(), "user_id": user_id, "kind": "upload", "format": "JPEG", "size_bytes": number,
             "sha256": f"{number:064}", "frames": 1, "warnings": [], "created_at": now}
            for number in range(FILES)
        ]  # fmt: skip
        session.execute(insert(StoredFile), rows)
    yield ada
    with database.writing() as session:
        session.execute(delete(StoredFile).where(StoredFile.user_id == user_id))


def test_an_export_of_many_rows_holds_a_few_at_a_time(hoarder: Person) -> None:
    ada, found = hoarder, hoarder.get("/auth/export")
    assert sorted(one["size_bytes"] for one in found["files"]) == list(range(FILES))
    assert (found["predictions"], found["next_before"], found["user"]["username"]) == ([], None, ada.username)
    tracemalloc.start()
    try:
        reply = ada.call("GET", "/auth/export")
        sent = sum(map(len, reply.response))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sent == int(reply.headers["Content-Length"]) > FILES * 200
    assert peak < MOST_BYTES


def test_pages_have_every_prediction_once_and_the_first_all_else(
    records_app: Application, picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "_PER_EXPORT", 2)
    monkeypatch.setattr(feedback, "_ROWS_AT_ONCE", 1)
    ada = person(records_app, "clinician")
    ids = [ada.predict(picture(seed=seed))["prediction_id"] for seed in range(3)]
    said = ada.call("POST", f"/history/{ids[0]}/feedback", json={"agrees": True, "note": 'größer "als"'}).get_json()
    batches = [accepted(ada, [("ä.jpg", picture(seed=9))], keep_names="true")["batch_id"] for _ in range(2)]
    finished(ada, batches[0])
    finished(ada, batches[1])
    first = ada.get("/auth/export")
    assert len(first["predictions"]) == 2
    assert first["feedback"] == [{**said["feedback"], "prediction_id": ids[0]}]
    assert [(one["batch_id"], one["names"]) for one in first["batches"]] == [(one, {"1": "ä.jpg"}) for one in batches]
    assert len(first["files"]) == 10
    pages = [first]
    while pages[-1]["next_before"] is not None:
        pages.append(ada.get(f"/auth/export?before={pages[-1]['next_before']}"))
    assert [len(page["predictions"]) for page in pages] == [2, 2, 1]
    listed = [one["id"] for one in ada.get("/history")["history"]]
    assert [one["id"] for page in pages for one in page["predictions"]] == listed
    assert all(page["files"] == page["batches"] == page["audit"] == page["feedback"] == [] for page in pages[1:])
