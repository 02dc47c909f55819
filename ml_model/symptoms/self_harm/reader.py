"""Thoughts of dying and of self-harm, read apart from everything else so that none is missed."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from ml_model.symptoms.reading.spelling import Speller
from ml_model.symptoms.self_harm.patterns import NEGATIONS, pattern_tree, spans
from ml_model.symptoms.self_harm.words import Said, words_of
from ml_model.symptoms.sentences import SentenceModel

MAX_CHARACTERS = 5_000
LONG_WORD = 6
MAX_LENGTH = 20
MAX_MENDED = 600
MAX_SOUNDED = 60
_NAME = re.compile(r"<(\w+)>")
_NEGATED_REACH = 4
_PERSONS = frozenset({"i", "im", "ive", "my", "he", "she", "they"})
_BETWEEN = frozenset([
    "any", "really", "ever", "actually", "even", "current", "active", "recent", "feel", "feeling", "had", "have",
    "having", "been", "to", "thoughts", "thought", "ideas", "of", "about", "thinking", "plans", "plan",
    "intention", "or", "self", "harm", "suicidal", "ideation", "want", "wanting", "no",
])  # fmt: skip


@dataclass(frozen=True)
class SelfHarmAnswer:
    """What is said then: warm, plain, and whom to call."""

    title: str
    message: str
    actions: tuple[str, ...]


class SelfHarmReader:
    """Looks for what a list says of dying and self-harm. Immutable after construction."""

    def __init__(
        self,
        phrases: Iterable[str],
        not_meant: Iterable[str],
        patterns: Iterable[str],
        answer: SelfHarmAnswer,
        not_now: Iterable[str] = (),
        doubt: Iterable[str] = (),
        sentences: SentenceModel | None = None,
    ) -> None:
        self.answer, self._sentences = answer, sentences
        meant, other, past = [*phrases, *patterns], list(not_meant), list(not_now)
        count = Counter(w.text for text in [*meant, *other, *past, *doubt] for w in words_of(text.replace("*", " ")))
        self._long: dict[str, list[str]] = {}  # by their first letter, which a slip leaves alone
        for word in (w for w, _ in count.most_common() if len(w) >= LONG_WORD):
            self._long.setdefault(word[0], []).append(word)
        self._known = frozenset(count)
        self._speller = Speller(count, (), self._known)
        self._meant, self._not_meant, self._not_now, self._doubt = map(pattern_tree, (meant, other, past, doubt))

    @classmethod
    def from_file(cls, path: Path) -> SelfHarmReader:
        """Read the lists and the answer from a TOML file, and what was fitted to sentences from the file beside it.
        Raises KeyError where a list is missing, OSError where a file is."""
        return cls.from_lists(path, SentenceModel.read(path.with_suffix(".npz")))

    @classmethod
    def from_lists(cls, path: Path, sentences: SentenceModel | None = None) -> SelfHarmReader:
        """Read the lists and the answer alone."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        told = SelfHarmAnswer(**{**table["answer"], "actions": tuple(table["answer"]["actions"])})
        rows = ("patterns", "not_meant", "not_now", "doubt")
        meant, other, past, doubt = ([filled(text, table["words"]) for text in table[row]] for row in rows)
        return cls(table["phrases"], other, meant, told, past, doubt, sentences)

    def found(self, text: str) -> tuple[int, int] | None:
        """The characters of the first passage that speaks of dying or self-harm by a pattern, or None."""
        return self.found_in(self.words(text))

    def found_in(self, words: Sequence[Said]) -> tuple[int, int] | None:
        """`found` in words of a text."""
        free = [True] * len(words)
        past, doubtful = self._told_of_past(words)
        if doubtful:
            return words[past[0][0]].start, words[past[0][1] - 1].end
        for start, end in [*spans(words, self._not_meant, free), *past]:
            free[start:end] = [False] * (end - start)
        for start, end in spans(words, self._meant, free):
            if not _negated(words, start):
                return words[start].start, words[end - 1].end
        return None

    def words(self, text: str) -> list[Said]:
        """As patterns and sentences are compared with them."""
        return self.mended(words_of(text[:MAX_CHARACTERS]))

    def heard(self, text: str) -> tuple[int, int] | None:
        """The characters of sentences that sound like it, although no pattern may hold them, or None."""
        return self.heard_in(self.words(text))

    def heard_in(self, words: Sequence[Said]) -> tuple[int, int] | None:
        """`heard` in words of a text."""
        if self._sentences is None or self._told_of_past(words)[0]:
            return None
        heard = self._sentences.found(words)
        return (words[heard[0]].start, words[heard[1] - 1].end) if heard else None

    def not_now(self, text: str) -> list[tuple[int, int]]:
        """The characters of passages that tell of thoughts long past, or only ask about them; none where anything in
        the text leaves a doubt."""
        words = self.words(text)
        past, doubtful = self._told_of_past(words)
        return [] if doubtful else [(words[start].start, words[end - 1].end) for start, end in past]

    def _told_of_past(self, words: Sequence[Said]) -> tuple[list[tuple[int, int]], bool]:
        """Passages of the past, or that only ask, and whether what stands around them leaves a doubt."""
        free = [True] * len(words)
        past = list(spans(words, self._not_now, free))
        for start, end in past:
            free[start:end] = [False] * (end - start)
        return past, bool(past) and next(spans(words, self._doubt, free), None) is not None

    def mended(self, words: Sequence[Said]) -> list[Said]:
        """Of the first `MAX_CHARACTERS`: long words that differ from one of the list by one letter are read as that
        one, others that are no English as the word of the list that they sound like."""
        words = [word for word in words if word.end <= MAX_CHARACTERS]
        mended: dict[str, str] = {}
        sounded = 0
        for word in words:
            if word.text not in mended:
                meant = self._meant_word(word.text) if len(mended) < MAX_MENDED else word.text
                if meant == word.text and sounded < MAX_SOUNDED and not self._speller.knows(meant):
                    sounded += 1
                    meant = (self._speller.correct(meant) or (meant,))[0]
                mended[word.text] = meant
        return [w if mended[w.text] == w.text else replace(w, text=mended[w.text]) for w in words]

    def _meant_word(self, word: str) -> str:
        if word in self._known:
            return word
        if not LONG_WORD - 1 <= len(word) <= MAX_LENGTH:
            return word
        near = process.extractOne(word, self._long.get(word[0], ()), scorer=DamerauLevenshtein.distance, score_cutoff=1)
        usual = near is not None and not near[0].endswith("ed")
        return near[0] if near is not None and usual else word


def _negated(words: Sequence[Said], start: int) -> bool:
    """Whether what begins at `start` is denied just before, in the same breath; never what begins with a person."""
    if words[start].text in _PERSONS:
        return False
    for at in range(start - 1, max(-1, start - 1 - _NEGATED_REACH), -1):
        if words[at + 1].apart:
            return False
        if words[at].text in NEGATIONS:
            return True
        if words[at].text not in _BETWEEN:
            return False
    return False


def filled(text: str, choices: Mapping[str, str]) -> str:
    """A pattern with its <names> replaced by their choices. Raises KeyError where a name has none."""
    return _NAME.sub(lambda name: choices[name[1]], text)
