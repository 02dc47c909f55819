"""What is let through of a language model's text: sentences that the evidence bears out, and no others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from backend.services.chat.numbers import Borne
from backend.services.chat.passages import Passage
from backend.services.chat.words import chat_language, words_of
from ml_model.tasks.triage_scale import AT_LEAST, LEVELS, TriageLevel

REASONS = {
    "number": "sentences with numbers that are not in the result",
    "calmer": "sentences calmer than the result",
    "surer": "sentences surer than the result can be",
    "link": "sentences with links or markup",
    "repeated": "sentences that only repeat the question",
}
MOST_CHARACTERS = 6000
_RUN_WORDS = 5
_END = re.compile(r"(?<=[.!?])(?<!\d\.)\s+|\n+")  # "1. See" is one
_CITATION = re.compile(r"\s?\[(\d{1,4})\]")
_LISTED = re.compile(r"^\s{0,8}(?:\d{1,2}[.)]|[-*\u2022])\s+")
_MARKUP = re.compile(r"(?:https?|ftp|data|javascript|mailto|file):|www\.|<[a-z!/]|\]\(|!\[|`", re.IGNORECASE)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def _runs(text: str) -> set[tuple[str, ...]]:
    """Its words, so many at a time as nobody writes by chance."""
    words = words_of(text)
    return {tuple(words[at : at + _RUN_WORDS]) for at in range(len(words) - _RUN_WORDS + 1)}


class CheckedText:
    """Takes the text of a model piece by piece and gives back whole sentences that may stand.

    evidence: what the model was given, in the order of its numbers; number_of: that a passage has in the reply;
    level: of the triage, if there is one; asked: the words of the asker, which are no evidence.
    """

    def __init__(
        self, evidence: Sequence[Passage], number_of: Callable[[Passage], int], level: TriageLevel | None,
        asked: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._asked = {run for text in asked for run in _runs(text)}
        self._borne = Borne(p.text for p in evidence)
        self._evidence, self._number_of = evidence, number_of
        self._grave = level is not None and LEVELS.index(level) >= LEVELS.index(AT_LEAST)
        self._held, self._taken = "", 0
        self.left_out: Counter[str] = Counter()

    def passed(self, pieces: Iterable[str]) -> Iterator[str]:
        """Sentence by sentence, each with the break before it; ends after `MOST_CHARACTERS`."""
        for piece in pieces:
            self._held += _UNSEEN.sub("", piece[: MOST_CHARACTERS - self._taken])
            self._taken += len(piece)
            *whole, self._held = _END.split(self._held)
            yield from self._standing(whole)
            if self._taken >= MOST_CHARACTERS:
                break
        yield from self._standing([self._held])

    def _standing(self, sentences: Iterable[str]) -> Iterator[str]:
        for sentence in filter(None, map(str.strip, sentences)):
            if reason := self._objection(sentence):
                self.left_out[reason] += 1
            else:
                yield _CITATION.sub(self._citation, sentence)

    def _objection(self, sentence: str) -> str | None:
        language = chat_language()
        if _MARKUP.search(sentence):
            return "link"
        if language.tells(sentence, "sure"):
            return "surer"
        if not self._asked.isdisjoint(_runs(sentence)):
            return "repeated"
        if self._grave and language.tells(sentence, "calming"):
            return "calmer"
        return None if self._borne(_CITATION.sub(" ", _LISTED.sub("", sentence))) else "number"

    def _citation(self, found: re.Match[str]) -> str:
        """One that there is stays, with the number that it has in this reply."""
        number = int(found[1])
        return f" [{self._number_of(self._evidence[number - 1])}]" if 1 <= number <= len(self._evidence) else ""
