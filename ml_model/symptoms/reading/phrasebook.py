"""The phrases of a vocabulary as three indexes: what is said of now, of the family, and which spellings are meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ml_model.symptoms.reading.language import Language
from ml_model.symptoms.reading.lexicon import PhraseIndex
from ml_model.symptoms.reading.spelling import Speller
from ml_model.symptoms.reading.words import WordReader, plain_text
from ml_model.symptoms.vocabulary import FindingVocabulary

_OF_HISTORY = frozenset(
    [
        "history",
        "known",
        "diagnosed",
        "diagnosis",
        "previous",
        "previously",
        "past",
        "prior",
        "had",
        "have",
        "has",
        "of",
        "with",
        "a",
        "an",
        "hx",
    ]
)
_VAGUE = frozenset({"cardiac", "ulcer", "ulcers", "polyp", "polyps", "operation", "endo", "ectopic", "transplanted"})
_OF_FAMILY = frozenset(
    [
        "family",
        "history",
        "mother",
        "mothers",
        "father",
        "fathers",
        "sister",
        "brother",
        "parent",
        "parents",
        "grandmother",
        "grandfather",
        "aunt",
        "uncle",
        "cousin",
        "relative",
        "relatives",
        "sibling",
        "siblings",
        "mum",
        "mom",
        "dad",
        "grandparent",
        "in",
        "the",
        "my",
        "a",
        "an",
        "of",
        "with",
        "had",
        "has",
        "have",
        "runs",
        "side",
        "whose",
        "hereditary",
        "inherited",
        "strong",
        "and",
        "or",
        "close",
        "first",
        "degree",
        "member",
        "members",
        "also",
    ]
)


@dataclass(frozen=True)
class Phrasebook:
    """`now`: every finding; `family`: family_* by the disease alone, for clauses that speak of relatives."""

    now: PhraseIndex
    family: PhraseIndex
    speller: Speller


def build_phrasebook(vocabulary: FindingVocabulary, reader: WordReader, language: Language) -> Phrasebook:
    """Index all phrases of a vocabulary."""
    phrases = [(finding, text, reader.phrase(text)) for finding, text in _phrases(vocabulary)]
    phrases.sort(key=lambda phrase: len(vocabulary.ancestors(phrase[0])))  # of equals the more general is meant
    diseases = _known_diseases(vocabulary, {text for _, text, _ in phrases})
    words = Counter(w.text for _, _, said in phrases for w in said)
    everyday = language.stop | language.light | language.common | set(language.also) | set(language.irregular)
    everyday |= frozenset().union(*language.groups.values())
    now = [(finding, said) for finding, _, said in phrases] + [(f, reader.phrase(text)) for f, text in diseases]
    family = [(finding, reader.phrase(text)) for finding, text in _family_diseases(vocabulary)]
    return Phrasebook(
        PhraseIndex(now, reader, language),
        PhraseIndex(family, reader, language),
        Speller(words + Counter([*language.irregular, *language.groups["place"]]), everyday, set(words) | everyday),
    )


def _phrases(vocabulary: FindingVocabulary) -> Iterator[tuple[str, str]]:
    """Phrases, then names; how long it has been there is read as a figure, not here."""
    told = [f for f in vocabulary.findings.values() if not f.id.startswith("duration_")]
    for finding in told:
        for phrase in finding.phrases:
            yield finding.id, phrase
    for finding in told:
        yield finding.id, finding.name.partition("(")[0].strip()


def _known_diseases(vocabulary: FindingVocabulary, taken: set[str]) -> Iterator[tuple[str, str]]:
    """ "history of hypertension" is also said as "hypertension", where no other finding is."""
    for finding in vocabulary.findings.values():
        if not finding.id.startswith("history_"):
            continue
        for phrase in finding.phrases:
            core = _stripped(phrase, _OF_HISTORY)
            if core and core != phrase and core not in taken | _VAGUE and (len(core) > 3 or core.isupper()):
                yield finding.id, core


def _family_diseases(vocabulary: FindingVocabulary) -> Iterator[tuple[str, str]]:
    for finding in vocabulary.findings.values():
        if finding.id.startswith("family_"):
            for phrase in (*finding.phrases, finding.name):
                if core := _stripped(plain_text(phrase).text.partition("(")[0], _OF_FAMILY):
                    yield finding.id, core


def _stripped(phrase: str, outer: frozenset[str]) -> str:
    """A phrase without the words of `outer` at its beginning and end."""
    words = phrase.split()
    while words and words[0] in outer:
        words.pop(0)
    while words and words[-1] in outer:
        words.pop()
    return " ".join(words)
