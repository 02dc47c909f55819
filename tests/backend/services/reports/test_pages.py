"""What stands on the pages of a report, for answers of every kind of task."""

from __future__ import annotations

import io
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ecg_files import heart, wfdb_record
from PIL import Image
from records.pages import code_on, page_sizes_mm, page_texts, pictures_on
from reportlab.graphics.shapes import Rect

from backend.app import Application
from backend.schemas.records import FeedbackEntry
from backend.services.reports.blocks import Bar, Gauge, Gauges, Picture, Pictures, Report, Section, Words
from backend.services.reports.content import LEVELS, Told, report
from backend.services.reports.document import WATERMARK, report_pdf
from backend.services.reports.figures import bar, gauge
from backend.services.reports.kept_answer import KeptAnswer
from backend.services.reports.typefaces import marked, set_up
from ml_model.tasks.registry import load_task

Answers = dict[str, dict[str, Any]]  # by task
Printed = dict[str, list[str]]  # by task, the text of each page
KINDS = ("skin", "heart", "disease", "heart-risk")
AT = datetime(2026, 11, 30, 9, 5, 7, tzinfo=UTC)
RECORD_ID = uuid.UUID("0f1e2d3c-4b5a-4968-8776-655443322110")
SHA256 = "5e" * 32
ADDRESS = f"https://records.example.org/api/v1/verify/{RECORD_ID}?sha256={SHA256}"
RISK = {"age": 54, "sex": 1, "blood_pressure": 130, "cholesterol": 246, "chest_pain": 3, "max_heart_rate": 150,
        "exercise_angina": 0}  # fmt: skip


@pytest.fixture(scope="module")
def answers(live_app: Application, picture: Callable[..., bytes]) -> Answers:
    """As they were sent."""
    client = live_app.test_client()
    ecg = [(io.BytesIO(data), name) for name, data in wfdb_record(heart())]
    told = "I am 54 and have chest pain spreading to my left arm and sweating, no fever"
    replies = {
        "skin": client.post("/analyze/skin?age_years=61", data={"image": (io.BytesIO(picture()), "x")}),
        "heart": client.post("/analyze/heart?age_years=61&sex=male", data={"record": ecg}),
        "disease": client.post("/predict-disease", json={"description": told, "age": 54, "sex": "male"}),
        "heart-risk": client.post("/predict-heart", json=RISK),
    }
    assert {reply.status_code for reply in replies.values()} == {200}
    return {kind: reply.get_json() for kind, reply in replies.items()}


def drawn(width_px: int, height_px: int) -> Picture:
    stream = io.BytesIO()
    Image.new("RGB", (width_px, height_px), "pink").save(stream, "PNG")
    return Picture(stream.getvalue(), f"{width_px} by {height_px}")


def laid(kind: str, answer: dict[str, Any], *notes: str) -> Report:
    said = tuple(
        FeedbackEntry(id=RECORD_ID, by=RECORD_ID, agrees=False, right_class="nv", note=note, created_at=AT)
        for note in notes
    )
    pictures = (drawn(448, 336), drawn(300, 600)) if kind == "skin" else ()
    page = drawn(936, 1250) if kind == "heart" else None
    told = Told(RECORD_ID, "case-17", AT, KeptAnswer.model_validate(answer), said, pictures, page, SHA256, ADDRESS)
    return report(told, load_task(kind), AT)


@pytest.fixture(scope="module")
def printed(answers: Answers) -> Printed:
    return {kind: page_texts(report_pdf(laid(kind, answers[kind]), "A4")) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_triage_comes_first_and_everything_of_the_answer_after_it(
    kind: str, answers: Answers, printed: Printed
) -> None:
    answer, pages = answers[kind], printed[kind]
    whole, task = " ".join(pages), load_task(kind)
    triage = answer["triage"]
    first = [task.title, "Patient reference case-17", "Answered 2026-11-30 09:05:07 UTC",
             f"Triage: {LEVELS[triage['level']]}", triage["text"]]  # fmt: skip
    first += [one["text"] for one in triage["reasons"]]
    at = [pages[0].find(text) for text in first]
    assert min(at) >= 0, dict(zip(first, at, strict=True))
    assert at[:5] == sorted(at[:5])
    assert at[3] < whole.find("Model and data")
    model = answer["model"]
    for text in (model["version"], model["sha256"], model["trained_on"], answer["provenance"]["preprocessing_sha256"],
                 *answer["provenance"]["input_sha256"], SHA256, *task.limits_of_use, answer["disclaimer"]):  # fmt: skip
        assert text in whole


@pytest.mark.parametrize("kind", ["skin", "heart"])
def test_findings_with_their_states_and_every_class_with_its_probability(
    kind: str, answers: Answers, printed: Printed
) -> None:
    answer, whole = answers[kind], " ".join(printed[kind])
    words = {"ruled_out": "ruled out", "indeterminate": "not ruled out", "suspected": "suspected"}
    for one in answer["findings"]:
        assert f"{one['name']} {words[one['state']]}" in whole
        assert one["message"] is None or one["message"] in whole
    for one in answer["all_predictions"]:
        share = one["confidence"]
        assert f"{one['name']} {share:.{2 if share < 0.01 else 1}%}" in whole
    names = {one["code"]: one["name"] for one in answer["all_predictions"]}
    still = ", ".join(names[code] for code in answer["prediction_set"]["classes"])
    assert f"still in question at 90%: {still or 'none of the classes'}" in whole
    assert answer["recommendation"]["actions"][0] in whole
    assert "Input check" in whole


def test_an_ecg_has_its_measurements_and_a_page(answers: Answers, printed: Printed) -> None:
    whole = " ".join(printed["heart"])
    rate = next(one for one in answers["heart"]["measurements"] if one["code"] == "heart_rate")
    assert f"Heart rate {rate['value']:g} 1/min 50 to 100 {rate['state']}" in whole
    assert "Lead I II III aVR aVL aVF V1 V2 V3 V4 V5 V6" in whole
    assert printed["heart"][-1].startswith(f"Recording Heart rate {rate['value']:g} 1/min · PR interval")
    assert "936 by 1250" in printed["heart"][-1]


def test_symptoms_and_risk_say_what_they_lean_on(answers: Answers, printed: Printed) -> None:
    symptoms, risk = " ".join(printed["disease"]), " ".join(printed["heart-risk"])
    first = answers["disease"]["top_predictions"][0]
    assert f"{first['disease']} (ICD-10 {first['icd10']})" in symptoms
    there = answers["disease"]["symptoms_analyzed"]
    said = [name if name in there else f"no {name}" for name in first["speaks_for"]]
    assert f"for it: {', '.join(said)}" in symptoms
    assert "Said not to be there: fever." in symptoms
    assert "54 years, male" in symptoms
    interval = answers["heart-risk"]["prediction"]["interval"]
    assert f"90% interval {interval['low']:.1%} to {interval['high']:.1%}" in risk
    assert "Type of chest pain asymptomatic" in risk
    assert f"Age 54 years {answers['heart-risk']['risk_factors']['age']['value_level']}" in risk


@pytest.mark.parametrize(("paper", "size_mm"), [("A4", (210, 297)), ("Letter", (216, 279))])
def test_every_page_has_its_size_number_and_watermark(paper: Any, size_mm: tuple[int, int], answers: Answers) -> None:
    pdf = report_pdf(laid("skin", answers["skin"]), paper)
    pages = page_texts(pdf)
    assert len(pages) > 1
    assert page_sizes_mm(pdf) == {size_mm}
    assert pictures_on(pdf) == 2
    assert b"ASCII85" not in pdf, "bytes as they are: a quarter shorter than as text, and quicker written"
    for number, page in enumerate(pages, 1):
        assert page.count(WATERMARK) == 2, "across the page, and at its foot"
        assert f"page {number} of {len(pages)}" in page
        assert f"Record {RECORD_ID}" in page
        assert "patient case-17" in page
    assert code_on(pdf) == ADDRESS


def test_scripts_come_out_or_are_named(answers: Answers) -> None:
    note = "Ωμέγα, Жук, ½ ≥ µm; 患者参考 複雑; 日本の患者カルテ; 한국어 환자; שלום עולם; नमस्ते; <b>&amp; \x00\u202eend"
    whole = " ".join(page_texts(report_pdf(laid("disease", answers["disease"], note), "A4")))
    named = [f"[{count} script, see the record]" for count in ("9 characters of Hebrew", "6 characters of Devanagari")]
    for text in ("Ωμέγα, Жук, ½ ≥ µm; ", "患者参考 複雑", "日本の患者カルテ", "한국어 환자", "<b>&amp; end", *named):
        assert text in whole
    set_up()
    assert marked("患者") == '<font name="ReportSansSC">患者</font>'
    assert marked("患者の") == '<font name="ReportSansJP">患者の</font>'
    assert marked("a\nb") == "a<br/>b"


def test_whatever_is_long_stays_on_a_few_pages_and_takes_no_longer(answers: Answers) -> None:
    many = [{"code": f"c{i}", "name": f"class{i}" + "x" * 180, "confidence": 0.001} for i in range(900)]
    answer = {**answers["skin"], "all_predictions": many, "warning": "w" * 5000}
    answer["triage"] = {**answer["triage"], "reasons": answer["triage"]["reasons"] * 60}
    answer["prediction_set"] = {**answer["prediction_set"], "classes": [one["code"] for one in many]}
    notes = ["患" * 2000, "n" * 2000, "two words " * 200] * 20
    began = time.process_time()
    pages = page_texts(report_pdf(laid("skin", answer, *notes), "Letter"))
    assert time.process_time() - began < 20
    assert len(pages) < 30
    whole = " ".join(pages)
    assert "885 less probable ones are in the record." in whole
    assert re.search(r"and \d+ more, see the record", whole)
    assert "n" * 80 in re.sub(" ", "", whole)


def test_no_title_stands_alone_at_the_end_of_a_page(answers: Answers) -> None:
    """Wherever on a page it comes: each time a line further down."""
    found = Gauges((Gauge("Qx", "suspected", "urgent", 0.5, (0.1,), ("n " * 300,)),))
    sections = []
    for lines in range(1, 50, 3):
        sections.append(Section("Before", (Words("a line"),) * lines))
        sections += [Section(f"Title {lines}p", (Pictures((drawn(448, 336),)),)), Section(f"Title {lines}g", (found,))]
    pages = page_texts(report_pdf(replace(laid("skin", answers["skin"]), sections=tuple(sections)), "A4"))
    assert len(pages) > 10
    for page in pages:
        assert len(re.findall(r"Title \d+p", page)) == page.count("448 by 336")
        assert len(re.findall(r"Title \d+g", page)) == page.count("Qx")


def test_bars_are_as_long_as_their_shares() -> None:
    def widths(shown: Any) -> list[float]:
        return [one.width for one in shown.contents if isinstance(one, Rect)]

    assert widths(bar(Bar("x", 0.25), 200)) == [200, 50]
    assert widths(bar(Bar("x", 0.0), 200)) == [200, 0]
    assert widths(bar(Bar("x", 1e-6), 200)) == [200, 0.6]
    marks = gauge(Gauge("x", "suspected", "urgent", 0.75, (0.1, 0.5), ()), 200)
    assert widths(marks) == [200, 150]
    assert [one.x1 for one in marks.contents if not isinstance(one, Rect)] == [20, 100]
    spanned = bar(Bar("x", 0.5, span=(0.4, 0.9)), 100)
    assert [one.x1 for one in spanned.contents if not isinstance(one, Rect)] == [40, 40, 90]


def test_an_answer_of_an_earlier_version_is_printed(answers: Answers) -> None:
    kept = ("triage", "model", "provenance", "all_predictions", "headline")
    answer = {name: answers["skin"][name] for name in kept}
    whole = " ".join(page_texts(report_pdf(laid("disease", answer), "A4")))
    assert answers["skin"]["headline"] in whole
    assert "Calibrated probabilities" in whole


def test_the_part_that_was_read_is_told_of_each_picture(answers: Answers) -> None:
    answer, first, third = answers["skin"], [1, 2, 30, 40], [0, 9, 8, 7]

    def told(**cropped: Any) -> str:
        cut = answer | {"input_check": answer["input_check"] | cropped}
        return " ".join(page_texts(report_pdf(laid("skin", cut), "A4")))

    assert "Only a part of the picture was read: 30 × 40 pixels from (1, 2)." in told(cropped=first)
    several = told(cropped=first, cropped_pictures=[first, None, third])
    assert "Only a part of picture 1 was read: 30 × 40 pixels from (1, 2)." in several
    assert "Only a part of picture 3 was read: 8 × 7 pixels from (0, 9)." in several
    assert several.count("Only a part of") == 2
