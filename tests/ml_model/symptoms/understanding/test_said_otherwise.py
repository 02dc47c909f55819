"""Words written as they are said, relatives who are the patient, and complaints that one phrase puts together."""

from __future__ import annotations

import pytest

from ml_model.symptoms.reading.amounts import amounts
from ml_model.symptoms.understanding import TextReader


def said(reader: TextReader, text: str) -> set[str]:
    """Findings that are there now."""
    return {m.finding for m in reader.read(text).mentions if m.present and not m.history}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("coughin", "cough"),
        ("wheezin", "wheeze"),
        ("shiverin", "chills"),
        ("mouf ulcer", "mouth_ulcer"),
        ("froat is swollen", "throat_swelling"),
        ("i cant breeve", "shortness_of_breath"),
        ("vomitin blud", "vomiting_blood"),
        ("she cannae breathe", "shortness_of_breath"),
        ("ma heid is bangin sair, worst heidache ever", "headache_worst_ever"),
        ("had a siezure", "seizures"),
        ("an electrik shock", "electric_shock"),
        ("palpitashuns", "palpitations"),
    ],
)
def test_words_written_as_they_are_said_are_read(everything: TextReader, text: str, finding: str) -> None:
    assert finding in said(everything, text)


@pytest.mark.parametrize(
    "text", ["a coffin", "a cabin", "the raisin", "a vain man", "i am fat", "a fan", "van", "a fin"]
)
def test_words_that_there_are_stay_as_they_are(everything: TextReader, text: str) -> None:
    assert everything._book.speller.correct(text.split()[-1]) is None


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("today grandad has rigors", "rigors"),
        ("me dad's got a droopy face", "facial_droop"),
        ("mother 82 vomiting blood", "vomiting_blood"),
        ("I am worried about my mum, she has a droopy face", "facial_droop"),
        ("I have found my dad on the floor, he has slurred speech", "slurring_words"),
    ],
)
def test_a_relative_is_the_patient_of_whom_it_is_told(everything: TextReader, text: str, finding: str) -> None:
    assert finding in said(everything, text)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("my mother had a stroke and I have a cough", "one_sided_weakness"),
        ("I have a cough, my dad has chest pain", "chest_pain"),
        ("he has a rash, her mother has diabetes", "history_diabetes"),
    ],
)
def test_what_relatives_have_is_not_the_patients(everything: TextReader, text: str, finding: str) -> None:
    assert finding not in said(everything, text)


def test_a_phrase_for_two_complaints_leaves_both(everything: TextReader) -> None:
    assert {"fever", "neck_stiffness"} <= said(everything, "fever and a stiff neck")
    assert {"chest_pain", "pain_radiating_jaw"} <= said(everything, "my chest hurts and my jaw aches")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("i think my mum is having a stroke", "emergency_named"),
        ("I reckon he is having a heart attack", "emergency_named"),
        ("could it be meningitis", "grave_illness_named"),
        ("they said she has sepsis", "grave_illness_named"),
    ],
)
def test_an_emergency_that_is_named_is_heard(everything: TextReader, text: str, finding: str) -> None:
    assert finding in said(everything, text)


@pytest.mark.parametrize(
    "text",
    [
        "had a stroke in 1998",
        "my mother had a stroke at 60",
        "I had meningitis as a child",
        "what does a stroke feel like?",
        "the article was about sepsis",
        "I am not having a stroke",
        "family history of heart attack",
    ],
)
def test_of_the_past_or_only_spoken_of_it_is_none(everything: TextReader, text: str) -> None:
    assert not {"emergency_named", "grave_illness_named"} & said(everything, text)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("took 8 paracetamol this morning, 8 at dinner and 10 tonight", True),
        ("took 2 paracetamol this morning, 2 at lunch and 2 tonight", False),
        ("took 1 aspirin at 8 this morning and 1 at 10 at night", False),
        ("swallowed 24 paracetamol last night", True),
        ("had 8 biscuits this morning and 10 tonight", False),
    ],
)
def test_tablets_taken_in_parts_are_added(text: str, there: bool) -> None:
    assert ("overdose_taken" in {told.finding for told in amounts(text)}) is there


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("the toddler ate my pills", True),
        ("tot eat sum of grans tablits", True),
        ("grandson got into the dog's tablets", True),
        ("my baby is fine and i took my tablets", False),
        ("my child had calpol", False),
    ],
)
def test_a_child_that_took_what_is_anothers(text: str, there: bool) -> None:
    assert ("poison_taken" in {told.finding for told in amounts(text)}) is there


@pytest.mark.parametrize("text", ["terrible belly pain", "the pain in my leg is unbearable", "the pain is so bad"])
def test_great_pain_is_heard_wherever_it_is(everything: TextReader, text: str) -> None:
    assert "pain_severe" in said(everything, text)


def test_great_pain_that_is_denied_is_none(everything: TextReader) -> None:
    assert "pain_severe" not in said(everything, "no terrible belly pain")


@pytest.mark.parametrize("text", ["no seizures", "denies fits", "without seizures"])
def test_no_seizure_is_no_seizure_that_does_not_stop(everything: TextReader, text: str) -> None:
    assert "seizure_prolonged" not in said(everything, text)
