"""ECGs over HTTP: recordings in the field `record`, pages in `image`, the signal read off a page for download."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from beats import made_beats, twelve_leads
from samples import image_task, tiny_signal_probabilities

from backend.app import Application
from ml_model.diagnosis.pipeline import PAGE_AS_PICTURE
from ml_model.ecg.electrodes import with_limbs_exchanged
from ml_model.ecg.export import as_csv, as_wfdb
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording, load_recording, network_signal
from ml_model.tasks.registry import ImageTask

HEART = image_task("heart")
RECORDING = EcgRecording(twelve_leads(seed=4), 100.0)


def post(app: Application, files: list[tuple[str, str, bytes]], query: str = "") -> tuple[int, dict[str, Any]]:
    """Files as (field, name, content)."""
    data: dict[str, list[Any]] = {}
    for field, name, content in files:
        data.setdefault(field, []).append((io.BytesIO(content), name))
    reply = app.test_client().post(f"/analyze/heart{query}", data=data)
    return reply.status_code, json.loads(reply.text)


def wfdb_files(recording: EcgRecording = RECORDING) -> list[tuple[str, str, bytes]]:
    return [("record", name, content) for name, content in as_wfdb(recording, "r1").items()]


def page_jpeg(recording: EcgRecording = RECORDING, *, upside_down: bool = False) -> bytes:
    # Werkzeug's test client leaves the temporary file of a larger upload open.
    pixels = cv2.cvtColor(draw_page(recording).pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels[::-1, ::-1] if upside_down else pixels)[1].tobytes()


def test_a_wfdb_recording_is_answered_by_the_model_of_recordings(live_app: Application) -> None:
    status, answer = post(live_app, wfdb_files())
    assert status == 200, answer
    assert isinstance(HEART, ImageTask)
    assert HEART.signal is not None
    expected = tiny_signal_probabilities(HEART, network_signal(RECORDING, HEART.signal))
    found = {c["code"]: c["confidence"] for c in answer["all_predictions"]}
    assert found == pytest.approx(dict(zip(HEART.codes, expected, strict=True)), abs=2e-3)
    told = answer["recording"]
    assert (told["read_as"], told["format"], told["unit"], told["sampling_rate_hz"]) == ("recording", "WFDB", "mV", 100)
    assert told["duration_s"] == 10
    assert answer["explanation"]["peak_region"] is None
    start, end = answer["explanation"]["peak_seconds"]
    assert 0 <= start < end <= 10
    overlay = live_app.test_client().get(answer["explanation"]["heatmap_url"])
    assert overlay.data.startswith(b"\x89PNG")


def test_csv_in_microvolts_without_a_rate_needs_one(live_app: Application) -> None:
    lines = as_csv(EcgRecording(RECORDING.signal_mv * 1000, 100.0)).splitlines()
    text = "\n".join(line.split(",", 1)[1] for line in lines).encode()
    status, refused = post(live_app, [("record", "ecg.csv", text)])
    assert status == 422
    assert "sampling" in refused["error"]
    status, answer = post(live_app, [("record", "ecg.csv", text)], "?sampling_rate_hz=100")
    assert status == 200, answer
    assert (answer["recording"]["unit"], answer["recording"]["unit_told_by"]) == ("uV", "amplitude")


def test_missing_leads_are_refused_by_name(live_app: Application) -> None:
    rows = as_csv(RECORDING).splitlines()
    text = "\n".join(row.rsplit(",", 2)[0] for row in rows).encode()
    status, refused = post(live_app, [("record", "ecg.csv", text)])
    assert status == 422
    assert "V5" in refused["error"]
    assert "V6" in refused["error"]


def test_leads_that_cannot_be_used_are_warned_of_and_three_refused_by_name(live_app: Application) -> None:
    signal_mv = RECORDING.signal_mv.copy()
    signal_mv[:, 6] = 0.25
    signal_mv[:, 8] = np.clip(signal_mv[:, 8], *np.quantile(signal_mv[:, 8], (0.1, 0.9)))
    two = wfdb_files(EcgRecording(signal_mv, 100.0))
    status, answer = post(live_app, two)
    assert (status, answer["input_check"]["accepted"]) == (200, True)
    flat, clipped = answer["input_check"]["warnings"]
    assert flat == "V1 is flat: its standard deviation is 0 mV, at least 0.005 mV is needed"
    assert clipped.startswith("V3 is clipped: 2")
    quality = answer["input_check"]["quality"]
    assert quality["faults"][0] == {"lead": "V1", "fault": "flat", "value": 0.0, "limit": 0.005}
    assert (quality["flat_leads"], answer["recording"]["flat_leads"]) == (["V1"], ["V1"])
    signal_mv[200:700, 4] = signal_mv[200, 4]
    three = wfdb_files(EcgRecording(signal_mv, 100.0))
    status, refused = post(live_app, three)
    assert (status, refused["code"]) == (422, "poor_quality")
    assert (
        "3 leads cannot be used, at most 2 may be so: aVL keeps one value for 5 s, at most 2 s are" in refused["error"]
    )
    assert (
        "; V1 is flat: its standard deviation is 0 mV, at least 0.005 mV is needed; V3 is clipped" in refused["error"]
    )
    status, answer = post(live_app, three, "?gate=warn")
    assert (status, answer["input_check"]["accepted"]) == (200, False)
    assert answer["input_check"]["warnings"] == [refused["error"]]
    status, answer = post(live_app, three, "?gate=off")
    assert (status, answer["input_check"]["accepted"], answer["input_check"]["warnings"]) == (200, True, [])


def test_a_header_without_its_signals_says_what_is_missing(live_app: Application) -> None:
    status, refused = post(live_app, [f for f in wfdb_files() if f[1].endswith(".hea")])
    assert status == 422
    assert "(.dat)" in refused["error"]


def test_a_page_is_read_back_into_the_signal_and_can_be_downloaded(live_app: Application) -> None:
    status, answer = post(live_app, [("image", "page.jpg", page_jpeg())])
    assert status == 200, answer
    told = answer["recording"]
    assert told["read_as"] == "page_signal"
    assert (told["page"]["layout"], told["page"]["gain_mm_per_mv"], told["page"]["speed_mm_per_s"]) == ("3x4+1", 10, 25)
    client = live_app.test_client()
    rows = client.get(told["csv_url"]).text.splitlines()
    assert rows[0] == ",".join(["time_s", *STANDARD_LEADS])
    assert len(rows) == 1001
    with zipfile.ZipFile(io.BytesIO(client.get(told["wfdb_url"]).data)) as packed:
        files = [(name, packed.read(name)) for name in packed.namelist()]
    again = load_recording(files)
    lead_two = again.signal_mv[:, 1]
    seen = np.isfinite(lead_two)
    assert seen.mean() > 0.9  # the rhythm strip
    assert np.corrcoef(lead_two[seen], RECORDING.signal_mv[seen, 1])[0, 1] > 0.95
    assert client.get("/signals/none.csv").status_code == 404


def test_both_fields_at_once_and_too_many_files_are_refused(live_app: Application) -> None:
    status, refused = post(live_app, [*wfdb_files(), ("image", "p.png", b"x")])
    assert (status, refused["code"]) == (400, "unknown_field")
    status, refused = post(live_app, [*wfdb_files(), ("record", "more.dat", b"x")])
    assert "at most 2 files" in refused["error"]
    reply = live_app.test_client().post("/analyze/skin", data={"record": (io.BytesIO(b"x"), "a.hea")})
    assert reply.status_code == 400


def test_without_any_model_a_recording_is_answered_by_the_marked_example(demo_app: Application) -> None:
    status, answer = post(demo_app, wfdb_files())
    assert status == 200
    assert answer["demo_mode"] is True
    assert answer["warning"]
    assert answer["explanation"]["method"] == "none"


def measured(answer: dict[str, Any], code: str, lead: str | None = None) -> dict[str, Any]:
    found: list[dict[str, Any]] = [m for m in answer["measurements"] if (m["code"], m.get("lead")) == (code, lead)]
    assert len(found) == 1, code
    return found[0]


def test_measurements_are_told_with_ranges_of_age_and_sex(live_app: Application) -> None:
    files = wfdb_files(made_beats(pr_ms=230, qrs_ms=90, qt_ms=455, beats_per_minute=60))
    status, answer = post(live_app, files)
    assert status == 200, answer
    pr, qtc = measured(answer, "pr"), measured(answer, "qtc_fridericia")
    assert (pr["unit"], pr["low"], pr["high"], pr["state"]) == ("ms", 120, 200, "high")
    assert pr["value"] == pytest.approx(230, abs=15)
    finding = pr["finding"]
    assert (finding["code"], finding["level"], finding["lowers_claim"]) == ("long_pr", "routine", False)
    assert (qtc["high"], measured(answer, "heart_rate")["state"]) == (450, "normal")
    assert measured(answer, "st_level", "V2")["state"] == "measured"
    assert [m["lead"] for m in answer["measurements"] if m["code"] == "lead_quality"] == list(STANDARD_LEADS)
    _, of_woman = post(live_app, files, "?sex=female&age_years=40")
    assert measured(of_woman, "qtc_fridericia")["high"] == 460
    _, of_child = post(live_app, files, "?age_years=5")
    assert (measured(of_child, "heart_rate")["low"], measured(of_child, "heart_rate")["state"]) == (65, "low")
    assert answer["all_predictions"] == of_child["all_predictions"]


def test_an_irregular_rhythm_is_warned_of_and_a_regular_one_is_not(live_app: Application) -> None:
    _, regular = post(live_app, wfdb_files(made_beats()))
    assert regular["input_check"]["warnings"] == []
    _, irregular = post(live_app, wfdb_files(made_beats(rr_spread=0.25, p_mv=0.0, seed=3)))
    assert irregular["input_check"]["warnings"][0].startswith("Irregular rhythm: The beats follow each other")
    finding = measured(irregular, "irregularity")["finding"]
    assert (finding["code"], finding["level"], finding["lowers_claim"]) == ("irregular_rhythm", "soon", True)
    pr = measured(irregular, "pr")
    assert (pr["value"], pr["state"], pr["how"]) == (
        None,
        "not_measurable",
        "Not measurable: no P wave comes before most beats.",
    )


def test_exchanged_arms_are_said_and_put_right_where_that_is_certain(live_app: Application) -> None:
    right = made_beats(axis_degrees=70, rate_hz=100.0)
    _, as_made = post(live_app, wfdb_files(right))
    status, answer = post(live_app, wfdb_files(with_limbs_exchanged(right, "arms")))
    assert status == 200, answer
    assert "exchanged_leads" not in as_made["recording"]
    assert (answer["recording"]["exchanged_leads"], answer["recording"]["put_right"]) == ("arms", True)
    assert answer["input_check"]["warnings"][0].startswith("the electrodes of the two arms seem to be exchanged")
    assert answer["all_predictions"] == as_made["all_predictions"]
    assert measured(answer, "axis") == measured(as_made, "axis")
    _, leg = post(live_app, wfdb_files(with_limbs_exchanged(made_beats(axis_degrees=60), "right arm and leg")))
    assert (leg["recording"]["exchanged_leads"], leg["recording"]["put_right"]) == ("right arm and leg", False)


def test_a_page_whose_signal_was_read_is_measured(live_app: Application) -> None:
    status, answer = post(live_app, [("image", "page.jpg", page_jpeg(made_beats(rate_hz=100.0)))])
    assert status == 200, answer
    assert answer["recording"]["read_as"] == "page_signal"
    assert measured(answer, "heart_rate")["value"] == pytest.approx(66, abs=2)
    assert measured(answer, "qrs")["value"] == pytest.approx(90, abs=25)
    assert answer["input_check"]["warnings"] == []


def test_a_page_that_stands_on_its_head_is_turned_and_that_is_a_warning(live_app: Application) -> None:
    _, upright = post(live_app, [("image", "page.jpg", page_jpeg())])
    status, answer = post(live_app, [("image", "page.jpg", page_jpeg(upside_down=True))])
    assert status == 200, answer
    assert answer["recording"]["read_as"] == "page_signal"
    assert answer["input_check"]["warnings"][0].startswith("the page stood on its head")
    found, expected = ({c["code"]: c["confidence"] for c in a["all_predictions"]} for a in (answer, upright))
    assert found == pytest.approx(expected, abs=0.02)


def test_a_page_answered_as_a_picture_says_so(live_app: Application, picture: Callable[..., bytes]) -> None:
    status, answer = post(live_app, [("image", "page.jpg", picture())])
    assert status == 200, answer
    assert answer["recording"]["read_as"] == "page_picture"
    assert answer["input_check"]["warnings"] == [PAGE_AS_PICTURE]
