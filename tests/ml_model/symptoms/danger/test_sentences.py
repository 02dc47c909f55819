"""Dangers, harmless complaints and thoughts of dying as people tell them, answered by the checker as it is shipped."""

from __future__ import annotations

import tomllib

import pytest

from ml_model.symptoms.checker import SymptomAssessment, SymptomChecker, Words
from ml_model.training.symptoms.sentence_models import SENTENCES

SOON_ENOUGH = ("emergency", "urgent")


def sentences(file: str) -> dict[str, list[str]]:
    """Lines of a file, by class."""
    table = tomllib.loads((SENTENCES / file).read_text(encoding="utf-8"))
    return {name: text.strip().splitlines() for name, text in table.items()}


DANGERS, OTHERS = sentences("dangers.toml"), sentences("others.toml")


def told(checker: SymptomChecker, text: str) -> SymptomAssessment:
    return checker.assess(Words(text))


@pytest.mark.parametrize("kind", DANGERS)
def test_a_danger_is_called_emergency_or_urgent(shipped_checker: SymptomChecker, kind: str) -> None:
    calm = [text for text in DANGERS[kind] if told(shipped_checker, text).triage.level not in SOON_ENOUGH]
    assert calm == []


def test_words_near_those_of_danger_are_seldom_one(shipped_checker: SymptomChecker) -> None:
    levels = [told(shipped_checker, text).triage.level for text in OTHERS["harmless"]]
    assert levels.count("emergency") <= 0.05 * len(levels)
    assert sum(level in SOON_ENOUGH for level in levels) <= 0.1 * len(levels)


@pytest.mark.parametrize("text", OTHERS["past"])
def test_thoughts_of_long_ago_of_others_or_only_asked_about_are_no_crisis(
    shipped_checker: SymptomChecker, text: str
) -> None:
    answer = told(shipped_checker, text)
    assert not answer.self_harm
    assert not {"suicidal_thoughts", "self_harm"} & answer.case.present


@pytest.mark.parametrize("text", OTHERS["idioms"])
def test_sayings_about_dying_are_no_crisis(shipped_checker: SymptomChecker, text: str) -> None:
    assert not told(shipped_checker, text).self_harm


@pytest.mark.parametrize("text", OTHERS["present"])
def test_where_anything_leaves_a_doubt_it_is_a_crisis(shipped_checker: SymptomChecker, text: str) -> None:
    answer = told(shipped_checker, text)
    assert answer.self_harm
    assert answer.triage.level == "emergency"
    assert answer.ranking == ()


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("took sixty of my sleeping pills", "overdose_taken"),
        ("i took way 2 many painkilers", "overdose_taken"),
        ("she swallowed a whole box of panadol", "overdose_taken"),
        ("he od'd last night", "overdose_taken"),
        ("jerking all over for like seven minutes", "seizure_prolonged"),
        ("30 weeks along and barely a kick today", "reduced_fetal_movements"),
        ("busting to pee and not a drop comes out", "cannot_pass_urine"),
        ("hot oil went over my arm and the skin is peeling off in sheets", "burn_large"),
        ("my suger is 34", "blood_sugar_low"),
        ("my crotch has gone numb", "saddle_numbness"),
        ("i dived in the shallow end", "neck_injury"),
        ("past out at practise", "syncope_on_exertion"),
        ("he is talking gobbledygook", "confusion"),
        ("not sweating and talking gibberish", "confusion"),
        ("he does not know who i am", "confusion"),
        ("my knee is killing me", "pain_severe"),
        ("it is killing me", "pain_severe"),
        ("numb down there", "saddle_numbness"),
        ("my face blew up", "facial_swelling"),
    ],
)
def test_what_is_read(shipped_checker: SymptomChecker, text: str, finding: str) -> None:
    assert finding in told(shipped_checker, text).case.present


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("took twenty minutes to fall asleep", "overdose_taken"),
        ("had ten tablets of iron a month", "overdose_taken"),
        ("took half a tablet of aspirin", "overdose_taken"),
        ("nothing helps when i pee", "cannot_pass_urine"),
        ("my sunburn is peeling, skin coming off", "burn_large"),
        ("ate one nut bar", "pain_in_testicles"),
        ("my boss is giving me orders", "command_voices"),
        ("hernia pushed back in", "back_pain"),
        ("choked up at the film", "choking"),
        ("i do not know when it started", "confusion"),
        ("dribbling after i pee", "drooling"),
        ("i am not feeling down", "saddle_numbness"),
        ("i want to kill this cough", "violent_thoughts"),
        ("bleeding out of my gums", "severe_bleeding"),
        ("trouble hearing things", "hallucinations"),
        ("my baby is still coughing", "reduced_fetal_movements"),
        ("all my headaches began at school", "carbon_monoxide_exposure"),
    ],
)
def test_what_is_not(shipped_checker: SymptomChecker, text: str, finding: str) -> None:
    assert finding not in told(shipped_checker, text).case.present


def test_thoughts_of_dying_that_only_sound_so_do_not_hide_another_emergency(shipped_checker: SymptomChecker) -> None:
    alone = "Every tablet in this house is counted and it's enough."
    text = f"{alone} I have crushing pain in my chest and my left arm."
    assert not shipped_checker.knowledge.self_harm.found(text)
    assert shipped_checker.knowledge.self_harm.heard(text)
    answer = told(shipped_checker, text)
    assert (answer.self_harm, answer.triage.level) == (False, "emergency")
    heard = told(shipped_checker, alone)
    assert (heard.self_harm, heard.ranking) == (True, ())


def test_what_sounds_like_a_danger_is_seen_today_although_no_rule_holds_it(shipped_checker: SymptomChecker) -> None:
    answer = told(shipped_checker, "Nan can't find the right words since lunch and keeps dropping the fork.")
    assert answer.case.sounds_grave
    assert (answer.flags, answer.triage.level, answer.triage.reasons[0].code) == ((), "urgent", "sounds_grave")
    calm = told(shipped_checker, "My scalp itches and my lips are chapped.")
    assert (calm.case.sounds_grave, calm.triage.level) == (False, "routine")
    long = told(
        shipped_checker, "My scalp itches. " * 3 + "Nan can't find the right words and keeps dropping the fork."
    )
    assert not long.case.sounds_grave
