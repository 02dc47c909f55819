"""Series of slices over HTTP: put into order, some answered one by one, and the gravest counts."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from dicom_files import ct_slice, frames_of, write
from pictures import chest_film
from records.people import person
from samples import upload

from backend.app import Application
from backend.services.scans.slices import evenly

SERIES = "/api/analyze/series"
_ORDER = ("none", "routine", "soon", "urgent", "emergency")


def made(number: int, **changes: object) -> bytes:
    """A slice whose levels rise along the body."""
    told: dict[str, object] = {
        "SeriesInstanceUID": "1.2.3.4", "SOPInstanceUID": f"1.2.3.4.{number}", "InstanceNumber": number,
        "ImagePositionPatient": [0, 0, -2.5 * number], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "BodyPartExamined": "CHEST", "PatientName": "Nobody^Secret",
    }  # fmt: skip
    # Small: above 500 kB a form goes through a file that the test client leaves open.
    film = chest_film(number)[::2, ::2, 0].astype(np.int16) * 4 - 800 + 10 * number
    return ct_slice(film, **(told | changes))


def zipped(*files: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, data in enumerate(files):
            archive.writestr(f"Secret/{place}", data)
    return written.getvalue()


def begun(app: Application, data: bytes, query: str = "", status: int = 202, **headers: str) -> dict[str, Any]:
    reply = app.test_client().post(f"{SERIES}{query}", data=upload(data, field="file"), headers=headers)
    assert reply.status_code == status, reply.text
    told: dict[str, Any] = reply.get_json()
    assert status != 202 or reply.headers["Location"] == told["status_url"]
    assert "ecret" not in reply.text
    return told


def ended(app: Application, told: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The series once it is answered; what is told on the way only grows."""
    done, until = 0, time.monotonic() + 60
    while told["status"] == "working":
        assert time.monotonic() < until
        time.sleep(0.02)
        reply = app.test_client().get(told["status_url"], headers=headers)
        assert reply.status_code == 200, reply.text
        told = reply.get_json()
        assert done <= told["done"] <= told["of"]
        assert ("answer" in told) == (told["status"] == "done" and told["gravest"] is not None)
        done = told["done"]
    return told


@pytest.mark.parametrize(
    ("count", "wanted", "indices"),
    [(1, 5, [0]), (3, 3, [0, 1, 2]), (9, 3, [1, 4, 7]), (10, 1, [5]), (300, 4, [37, 112, 187, 262])],
)
def test_slices_are_the_middles_of_equal_parts(count: int, wanted: int, indices: Sequence[int]) -> None:
    assert evenly(count, wanted) == indices


def test_slices_are_answered_as_they_are_alone_whatever_their_order_in_the_zip(live_app: Application) -> None:
    slices = {number: made(number) for number in range(1, 19)}
    mixed = [slices[number] for number in (7, 3, 18, 1, 12, 2, 16, 5, 9, 11, 4, 14, 6, 8, 10, 13, 15, 17)]
    other = [made(40, SeriesInstanceUID="1.2.9"), b"a text beside them"]
    told = ended(live_app, begun(live_app, zipped(*other, *mixed), "?slices=6"))
    assert (told["slices_in_series"], told["other_files"], told["of"], told["done"]) == (18, 2, 6, 6)
    # Along the normal the last slice of the device is the first.
    assert [one["instance_number"] for one in told["slices"]] == [17, 14, 11, 8, 5, 2]
    assert [one["position"] for one in told["slices"]] == [2, 5, 8, 11, 14, 17]
    assert [one["place_mm"] for one in told["slices"]] == [-2.5 * n for n in (17, 14, 11, 8, 5, 2)]
    alone = []
    for one in told["slices"]:
        data = upload(slices[one["instance_number"]])
        answer = live_app.test_client().post("/analyze/lung-ct", data=data).get_json()
        alone.append(answer)
        assert (one["headline"], one["confidence"]) == (answer["headline"], answer["prediction"]["confidence"])
        assert one["triage_level"] == answer["triage"]["level"]
        states = [(f["code"], f["state"], f["probability"]) for f in answer["findings"]]
        assert [(f["code"], f["state"], f["probability"]) for f in one["findings"]] == states
    ranks = [
        (_ORDER.index(a["triage"]["level"]), max(f["probability"] for f in a["findings"])) for a in alone
    ]  # fmt: skip
    gravest = max(range(6), key=lambda i: (ranks[i], -i))
    assert told["gravest"] == told["slices"][gravest]["position"]
    assert told["triage_level"] == alone[gravest]["triage"]["level"]
    assert told["answer"]["all_predictions"] == alone[gravest]["all_predictions"]
    assert live_app.test_client().get(told["answer"]["heatmap_url"]).status_code == 200
    assert told["measured"] is False
    assert "not measured" in told["note"]


def test_frames_of_one_file_are_a_series(live_app: Application) -> None:
    several = frames_of(*([100] * 5), rows_px=160, columns_px=200)
    film = np.stack([chest_film(n)[:160, :200, 0] for n in range(5)])
    several.PixelData, several.Modality, several.BodyPartExamined = film.tobytes(), "MR", "BRAIN"
    told = ended(live_app, begun(live_app, write(several), "?slices=3"))
    assert [(one["frame"], one["position"]) for one in told["slices"]] == [(1, 1), (3, 3), (5, 5)]
    assert (told["slices_in_series"], told["answer"]["scan_type"]) == (5, "brain_mri")
    assert told["answer"]["input_check"]["dicom"][0]["frame"] == told["gravest"]


def test_a_slice_that_is_refused_does_not_end_the_others(live_app: Application) -> None:
    blank = made(2)[:-2000]
    told = ended(live_app, begun(live_app, zipped(made(1), blank, made(3))))
    assert [one.get("failure", {}).get("code") for one in told["slices"]] == [None, "unreadable_input", None]
    assert told["tumor_detected"] is not False
    nothing = ended(live_app, begun(live_app, zipped(blank)))
    assert (nothing["triage_level"], nothing["gravest"], nothing["tumor_detected"]) == (None, None, None)


@pytest.mark.parametrize(
    ("data", "status", "code", "told"),
    [
        (b"", 400, "empty_input", "the file is empty"),
        (b"words", 415, "unsupported_format", "neither a zip nor a DICOM picture"),
        (zipped(b"words"), 415, "unsupported_format", "no DICOM slice is in the zip"),
        (zipped(made(1))[:-40], 422, "archive_refused", "the zip is damaged"),
        (zipped(made(1, PatientID="a"), made(2, PatientID="b")), 422, "invalid_value", "several persons"),
    ],
)
def test_what_is_no_series_is_refused(live_app: Application, data: bytes, status: int, code: str, told: str) -> None:
    error = begun(live_app, data, status=status)
    assert error["code"] == code
    assert told in error["error"]


def test_files_of_any_kind_say_where_a_zip_belongs(live_app: Application) -> None:
    reply = live_app.test_client().post("/api/analyze", data=upload(zipped(made(1)), field="file"))
    assert (reply.status_code, reply.get_json()["code"]) == (415, "unsupported_format")
    assert f"POST {SERIES}" in reply.get_json()["error"]


def test_an_accounts_series_is_nobody_elses_and_goes_through_a_file(records_file_app: Application) -> None:
    owner, other = ({"Authorization": f"Bearer {person(records_file_app).access_token}"} for _ in range(2))
    told = begun(records_file_app, zipped(made(1)), "?scan_type=skin&gate=off", **owner)
    client = records_file_app.test_client()
    assert [client.get(told["status_url"], headers=who).status_code for who in ({}, other, owner)] == [404, 404, 200]
    assert ended(records_file_app, told, **owner)["done"] == 1
