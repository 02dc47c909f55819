"""Findings said in nearly the same words: each phrase of the vocabulary is read as the finding it belongs to."""

from __future__ import annotations

import pytest

from ml_model.symptoms.engine import shipped_knowledge
from ml_model.symptoms.understanding import TextReader


@pytest.mark.parametrize(
    ("text", "finding", "other"),
    [
        ("a sore throat", "sore_throat", "sore_throat_severe"),
        ("a very sore throat", "sore_throat_severe", "sore_throat"),
        ("she is not breathing", "not_breathing", "shortness_of_breath"),
        ("i cannot breathe", "shortness_of_breath", "not_breathing"),
        ("he was stabbed in the chest", "stab_or_gunshot_wound", "pain_stabbing"),
        ("i hit my head", "head_injury", "thunderclap_onset"),
        ("my leg is weak", "leg_weakness", "weakness_both_legs"),
        ("my legs are weak", "weakness_both_legs", "leg_weakness"),
        ("my ankle is swollen", "ankle_swelling", "ankle_swelling_both"),
        ("swollen ankles", "ankle_swelling_both", "ankle_swelling"),
        ("pressure in my chest", "chest_pressure", "pain_crushing"),
        ("eye pain", "pain_in_eye", "pain_in_eye_severe"),
    ],
)
def test_of_two_the_one_whose_words_they_are_is_meant(
    everything: TextReader, text: str, finding: str, other: str
) -> None:
    found = {mention.finding for mention in everything.read(text).mentions}
    assert finding in found
    assert other not in found


def test_phrases_are_read_as_what_they_belong_to(everything: TextReader) -> None:
    """Some mean two things, some hold a denial of their own: less than one in a hundred is read as something else."""
    findings = [f for f in shipped_knowledge().vocabulary.findings.values() if not f.id.startswith("duration_")]
    phrases = [(f.id, phrase) for f in findings for phrase in f.phrases][::7]
    astray = [(id_, p) for id_, p in phrases if id_ not in {m.finding for m in everything.read(p).mentions}]
    assert len(phrases) > 2000
    assert len(astray) < len(phrases) / 100, astray
