"""Symptoms in plain words: read as the vocabulary's own, or left alone."""

from __future__ import annotations

import string
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_symptoms import TASK

from ml_model.inference.bundle import Bundle
from ml_model.tabular.symptom_matcher import SymptomMatcher, Vocabulary, normalise
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.training.symptoms import bundle as symptom_bundle

PHRASES = tomllib.loads(symptom_bundle.PHRASES.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("fever", "fever"), ("high_fever", "fever"), ("Head Ache", "headache"), ("tired", "fatigue"),
        ("tummy ache", "sharp abdominal pain"), ("can’t breathe", "difficulty breathing"),
        ("chest pain", "sharp chest pain"), ("my throat is sore", "sore throat"),
        ("pain in my chest", "sharp chest pain"), ("feverr", "fever"), ("no appetite", "decreased appetite"),
        ("hand pain", "hand or finger pain"), ("shortnes of breth", "shortness of breath"),
    ],
)  # fmt: skip
def test_plain_language_is_read(disease_model: SymptomModel, phrase: str, name: str) -> None:
    assert disease_model.match([phrase]).names == (name,)


def test_paraphrases_and_nonsense_as_the_manifest_says(disease_model: SymptomModel, disease_bundle: Bundle) -> None:
    measured = symptom_bundle.measure_matching(SymptomMatcher(disease_model._matcher._vocabulary))
    assert measured == disease_bundle.manifest.metrics.matching
    assert measured.right >= 0.88
    assert measured.other_symptom <= 0.02
    assert measured.nonsense_matched == 0


def test_none_of_the_measured_phrases_is_an_alias() -> None:
    aliases = {normalise(a) for name, words in TASK.language.aliases.items() for a in words}
    shared = [p for p in PHRASES["meant"] if p in aliases]
    assert shared == []


@pytest.mark.parametrize("phrase", PHRASES["nonsense"]["phrases"])
def test_nonsense_is_left_alone(disease_model: SymptomModel, phrase: str) -> None:
    assert disease_model.match([phrase]).matched == ()


def test_several_symptoms_negation_and_suggestions(disease_model: SymptomModel) -> None:
    assert disease_model.match(["fever and a bad cough"]).names == ("fever", "cough")
    assert disease_model.match(["fever but no cough"]).names == ("fever",)
    assert disease_model.match(["no fever and cough"]).matched == ()
    assert disease_model.match(["no shortness of breath", "not difficulty breathing"]).matched == ()
    assert disease_model.match(["fever", "high temperature"]).names == ("fever",)
    unrecognised = disease_model.match(["bad headake"]).unrecognised[0]
    assert unrecognised.given == "bad headake"
    assert "headache" in unrecognised.suggestions
    assert disease_model.match(["asdfghjkl"]).unrecognised[0].suggestions == ()
    assert disease_model.match(["lip pain"]).matched == (), "a known word is no misspelling of another"
    assert disease_model.match(["rear pain"]).names == ("back pain",)  # whose synonyms hold "pain in the rear"


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_single_slip_in_a_name_is_read_as_it_or_one_as_near(
    disease_model: SymptomModel, data: st.DataObject
) -> None:
    from rapidfuzz.distance import DamerauLevenshtein

    names = [s.name for s in disease_model.symptoms if len(normalise(s.name)) >= 6]
    name = normalise(data.draw(st.sampled_from(names)))
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    kind = data.draw(st.sampled_from(["drop", "double", "swap", "change"]))
    slip = {
        "drop": name[:at] + name[at + 1 :],
        "double": name[:at] + letter + name[at:],
        "swap": name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
        "change": name[:at] + letter + name[at + 1 :],
    }[kind]
    matches = disease_model.match([slip])
    known = disease_model._matcher._known_words
    if any(w in known and w not in name.split() for w in slip.split()):
        return  # the slip made another word of the vocabulary: not to be read as a misspelling
    assert matches.matched, f"{slip!r} for {name!r}"
    spellings = [
        normalise(t) for s in disease_model.symptoms if s.name == matches.matched[0].name for t in (s.name, *s.synonyms)
    ]
    squeezed = slip.replace(" ", "")
    nearest = min(DamerauLevenshtein.distance(squeezed, t.replace(" ", "")) for t in spellings)
    other = any(set(slip.split()) <= set(t.split()) for t in spellings)  # "rear pain" of "pain in the rear"
    assert name in map(normalise, matches.names) or nearest <= 1 or other


@given(st.lists(st.text(max_size=300), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_text_is_answered(disease_model: SymptomModel, texts: list[str]) -> None:
    matches = disease_model.match(texts)
    known = {s.name for s in disease_model.symptoms}
    assert set(matches.names) <= known
    assert {u.given for u in matches.unrecognised} <= set(texts)
    assert all(set(u.suggestions) <= known for u in matches.unrecognised)


def test_shared_word_order_keys_do_not_pick_a_side() -> None:
    vocabulary = Vocabulary(("pain in eye", "eye pain"), {}, {}, frozenset({"in", "my"}), frozenset())
    matcher = SymptomMatcher(vocabulary)
    assert matcher.match(["eye pain"]).names == ("eye pain",)
    assert matcher.match(["pain in my eye"]).matched == ()


def test_vocabulary_is_sorted_and_ids_are_unique(disease_model: SymptomModel) -> None:
    names = [s.name for s in disease_model.symptoms]
    assert names == sorted(names)
    assert len({s.id for s in disease_model.symptoms}) == len(names) == 327
    fever = next(s for s in disease_model.symptoms if s.name == "fever")
    assert fever.id == "fever"
    assert "high temperature" in fever.synonyms
    assert list(fever.synonyms) == sorted(fever.synonyms)
