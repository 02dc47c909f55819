"""Sentences, their labels ("Family history: ...") and the segments between commas and joining words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml_model.symptoms.reading.words import Word

Section = Literal["now", "absent", "past", "family", "other"]
MAX_SENTENCE_WORDS = 120
_ENDS = frozenset(".!?;\n•")
_PARTS = frozenset(',:()[]/&+*"|')
_JOINS = frozenset({"and", "or", "nor", "but", "plus", "however", "although", "though", "except", "whereas"})
_SHORTENED = frozenset({"dr", "mr", "mrs", "ms", "vs", "etc", "approx", "eg", "ie", "e", "i", "g", "st"})
_LABELS: dict[str, Section] = {
    "absent": "absent", "negatives": "absent", "negative": "absent", "pertinent negatives": "absent",
    "not present": "absent", "denies": "absent", "denied": "absent", "negative symptoms": "absent",
    "absent symptoms": "absent", "absent findings": "absent", "no": "absent", "without": "absent",
    "family history": "family", "family medical history": "family", "family": "family",
    "past history": "past", "past medical history": "past", "medical history": "past", "previous history": "past",
    "past surgical history": "past", "surgical history": "past", "past": "past", "background": "past",
    "past illnesses": "past", "comorbidities": "past", "previous illnesses": "past",
}  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """Words from `start` to before `end`; `segments` are stretches of them without marks and joining words."""

    start: int
    end: int
    section: Section
    segments: tuple[tuple[int, int], ...]


def sentences(words: Sequence[Word]) -> list[Sentence]:
    """The sentences of a text in order, each with the section that it stands in."""
    found: list[Sentence] = []
    section: Section = "now"
    listing = False  # a label alone on its line: what follows it is a list, up to an empty line
    last = 0
    for start, end in _stretches(words):
        between = [w.text for w in words[last:start]]
        if (label := _label(words, start, end)) is not None:
            section, start = label
            listing = (
                not any(w.text[0].isalnum() for w in words[start:end])
                and words[end : end + 1] != []
                and (words[end].text == "\n")
            )
        elif between != [";"] and not (listing and between.count("\n") < 2):
            section, listing = "now", False
        if end > start:
            found.append(Sentence(start, end, section, _segments(words, start, end)))
        last = end
    return found


def _stretches(words: Sequence[Word]) -> list[tuple[int, int]]:
    found = []
    start = 0
    for at, word in enumerate(words):
        if at - start >= MAX_SENTENCE_WORDS or (word.text in _ENDS and _ends(words, at)):
            if at > start:
                found.append((start, at))
            start = at + 1 if word.text in _ENDS else at
    if start < len(words):
        found.append((start, len(words)))
    return found


def _ends(words: Sequence[Word], at: int) -> bool:
    """Whether a mark ends the sentence: not the stop of "Dr.", nor a line wrapped within a sentence."""
    before = words[at - 1].text if at else ""
    after = words[at + 1].text if at + 1 < len(words) else ""
    if words[at].text == "?" and after in ("no", "nope", "none", "yes"):
        return False
    if words[at].text == ".":
        return before not in _SHORTENED or words[at].start > words[at - 1].end
    return True


def _label(words: Sequence[Word], start: int, end: int) -> tuple[Section, int] | None:
    """The section that "label:" at a sentence's start opens, and where its content begins."""
    for at in range(start, min(start + 5, end)):
        if words[at].text == ":":
            label = " ".join(w.text for w in words[start:at] if not w.is_mark)
            if label in _LABELS:
                return _LABELS[label], at + 1
            return ("now" if len(label) > 2 and at - start <= 3 else "other"), start
    return None


def _segments(words: Sequence[Word], start: int, end: int) -> tuple[tuple[int, int], ...]:
    found = []
    first = start
    for at in range(start, end + 1):
        if at == end or words[at].text in _PARTS or words[at].text in _JOINS:
            if at > first:
                found.append((first, at))
            first = at + 1
    return tuple(found)
