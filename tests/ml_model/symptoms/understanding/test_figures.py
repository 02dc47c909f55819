"""Age, sex, how long, how bad, how it began, and measured figures."""

from __future__ import annotations

import pytest

from ml_model.symptoms.understanding import TextReader


@pytest.mark.parametrize(
    ("text", "age_years", "sex"),
    [
        ("45 year old Female with cough", 45, "female"),
        ("45-year-old man", 45, "male"),
        ("A 45 y/o woman", 45, "female"),
        ("45F with cough", 45, "female"),
        ("67M c/o cough", 67, "male"),
        ("F 45 cough", None, None),
        ("3-month-old boy", 0.25, "male"),
        ("6 wk old girl", 0.115, "female"),
        ("10 days old", 0.027, None),
        ("newborn girl", 0.02, "female"),
        ("My 3 year old daughter has a fever", 3, "female"),
        ("my husband, 54, has a cough. I think he is ill", 54, "male"),
        ("I'm a 30 year old woman", 30, "female"),
        ("I am 30 and have a cough", 30, None),
        ("i'm 19, male", 19, "male"),
        ("forty-five-year-old lady", 45, "female"),
        ("a man aged 60", 60, "male"),
        ("a woman in her sixties", 65, "female"),
        ("She has a cough and her throat hurts", None, "female"),
        ("He has a cough", None, "male"),
        ("pregnant with a cough", None, "female"),
        ("temperature 101 F for 3 days", None, None),
        ("I have a cough and my wife has one too", None, None),
        ("6 months old baby boy", 0.5, "male"),
        ("my son is 4 years old", 4, "male"),
        ("cough for 12 years", None, None),
        ("Baby 5 months, cough", 0.417, None),
        ("my wrist hurts when lifting my baby", None, None),
    ],
)
def test_age_and_sex(reader: TextReader, text: str, age_years: float | None, sex: str | None) -> None:
    understanding = reader.read(text)
    assert understanding.age_years == (pytest.approx(age_years, abs=0.01) if age_years is not None else None)
    assert understanding.sex == sex


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("cough for three days", 3),
        ("cough for 2 weeks", 14),
        ("cough x2d", 2),
        ("cough since last night", 0.5),
        ("cough that started 2 weeks ago", 14),
        ("cough over the past 6 months", 180),
        ("a 3-day history of cough", 3),
        ("two week history of cough", 14),
        ("cough for a few days", 3),
        ("cough for an hour", 1 / 24),
        ("cough for 2-3 weeks", 21),
        ("cough since yesterday", 1),
        ("45 year old with cough", None),
        ("cough every 3 days", None),
        ("cough", None),
        ("fever for 2 days and cough for 3 weeks", 21),
        ("12 weeks pregnant, cough for 2 days", 2),
    ],
)
def test_how_long(reader: TextReader, text: str, days: float | None) -> None:
    found = reader.read(text).duration_days
    assert found == (pytest.approx(days) if days is not None else None)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("temperature 39", "high_fever"),
        ("temp of 38.5", "fever"),
        ("temp 101.5 F", "fever"),
        ("37.8 °C", "low_grade_fever"),
        ("temperature 36.8", ""),
        ("T 34.5 C", "low_body_temperature"),
        ("BP 180/110", "blood_pressure_high"),
        ("blood pressure is 85/50", "blood_pressure_low"),
        ("BP 120/80", ""),
        ("pulse 120", "pulse_fast"),
        ("HR 40", "pulse_slow"),
        ("heart rate of 72 bpm", ""),
        ("SpO2 88 %", "oxygen_low"),
        ("SpO2 98%", ""),
        ("glucose 400", "blood_sugar_high"),
        ("blood sugar of 50", "blood_sugar_low"),
        ("respiratory rate 32", "rapid_breathing"),
    ],
)
def test_measured_figures(reader: TextReader, text: str, findings: str) -> None:
    assert {m.finding for m in reader.read(text).mentions if m.present} == set(findings.split())


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("pain 8/10", 8),
        ("pain is 7 out of 10", 7),
        ("worst headache of my life", 10),
        ("mild cough", 2),
        ("cough", None),
    ],
)
def test_how_bad(reader: TextReader, text: str, severity: float | None) -> None:
    assert reader.read(text).severity_0_10 == severity


@pytest.mark.parametrize(
    ("text", "sudden", "recurrent"),
    [
        ("sudden headache", True, None),
        ("it came out of the blue", True, None),
        ("gradual onset of cough", False, None),
        ("headache", None, None),
        ("it comes and goes", None, True),
        ("it happens every few weeks", None, True),
        ("he had similar episodes", None, True),
        ("this is the first time", None, False),
    ],
)
def test_how_it_began_and_came_again(
    reader: TextReader, text: str, sudden: bool | None, recurrent: bool | None
) -> None:
    understanding = reader.read(text)
    assert (understanding.onset_sudden, understanding.recurrent) == (sudden, recurrent)
