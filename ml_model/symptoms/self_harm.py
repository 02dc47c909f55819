"""Thoughts of dying and of self-harm, read apart from everything else so that none is missed."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

MAX_CHARACTERS = 5_000
MAX_SKIPPED_WORDS = 3
LONG_WORD = 6
MAX_LENGTH = 20
MAX_MENDED = 600
_WORD = re.compile(r"[^\W_]++(?:['\u2019\u2018`\u02bc][^\W_]++){0,2}")
_APOSTROPHES = re.compile("['\u2019\u2018`\u02bc]")
_NEGATIONS = frozenset(
    [
        "no",
        "not",
        "never",
        "denies",
        "denied",
        "without",
        "dont",
        "doesnt",
        "didnt",
        "havent",
        "hasnt",
        "isnt",
        "wasnt",
        "nobody",
        "neither",
        "nor",
    ]
)
_NEGATED_REACH = 4
_PERSONS = frozenset({"i", "im", "ive", "my", "he", "she", "they"})
_BETWEEN = frozenset(
    [
        "any",
        "really",
        "ever",
        "actually",
        "even",
        "current",
        "active",
        "recent",
        "feel",
        "feeling",
        "had",
        "have",
        "having",
        "been",
        "to",
        "thoughts",
        "thought",
        "ideas",
        "of",
        "about",
        "thinking",
        "plans",
        "plan",
        "intention",
        "or",
        "self",
        "harm",
        "suicidal",
        "ideation",
        "want",
        "wanting",
        "no",
    ]
)


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    start: int
    end: int
    apart: bool = False  # a comma, stop or line's end stands before it


@dataclass(slots=True)
class _Node:
    """One word of patterns that begin alike; `skips` leads on over none to three words."""

    after: dict[str, _Node]
    skips: _Node | None = None
    ends: bool = False


@dataclass(frozen=True)
class SelfHarmAnswer:
    """What is said then: warm, plain, and whom to call."""

    title: str
    message: str
    actions: tuple[str, ...]


class SelfHarmReader:
    """Looks for what a list says of dying and self-harm. Immutable after construction."""

    def __init__(
        self, phrases: Iterable[str], not_meant: Iterable[str], patterns: Iterable[str], answer: SelfHarmAnswer
    ) -> None:
        self.answer = answer
        meant, other = [*phrases, *patterns], list(not_meant)
        count = Counter(w.text for text in [*meant, *other] for w in _words(text.replace("*", " ")))
        self._long = [w for w, _ in count.most_common() if len(w) >= LONG_WORD]
        self._respelt = {w: _usual_spelling(w, count) for w in self._long}
        self._known = frozenset(count)
        self._meant, self._not_meant = (self._tree(texts) for texts in (meant, other))

    @classmethod
    def from_file(cls, path: Path) -> SelfHarmReader:
        """Read the lists and the answer from a TOML file. Raises KeyError where one is missing."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        told = SelfHarmAnswer(**{**table["answer"], "actions": tuple(table["answer"]["actions"])})
        return cls(table["phrases"], table["not_meant"], table["patterns"], told)

    def found(self, text: str) -> tuple[int, int] | None:
        """The characters of the first passage that speaks of dying or self-harm, or None."""
        words = self._mended(_words(text[:MAX_CHARACTERS]))
        free = [True] * len(words)
        for start, end in _spans(words, self._not_meant, free):
            free[start:end] = [False] * (end - start)
        for start, end in _spans(words, self._meant, free):
            if not _negated(words, start):
                return words[start].start, words[end - 1].end
        return None

    def _tree(self, texts: Iterable[str]) -> _Node:
        root = _Node({})
        for text in (spelt for given in texts for spelt in _alternatives(given)):
            node = root
            for number, part in enumerate(text.split("*")):
                if number:
                    node.skips = node = node.skips or _Node({})
                for word in _words(part):
                    node = node.after.setdefault(self._respelt.get(word.text, word.text), _Node({}))
            node.ends = True
        return root

    def _mended(self, words: Sequence[_Said]) -> list[_Said]:
        """Long words that differ from one of the list by one letter are read as that one."""
        mended: dict[str, str] = {}
        for word in words:
            if word.text not in mended:
                mended[word.text] = self._meant_word(word.text) if len(mended) < MAX_MENDED else word.text
        return [_Said(mended[w.text], w.start, w.end, w.apart) for w in words]

    def _meant_word(self, word: str) -> str:
        if word in self._known:
            return self._respelt.get(word, word)
        if not LONG_WORD - 1 <= len(word) <= MAX_LENGTH:
            return word
        near = process.extractOne(word, self._long, scorer=DamerauLevenshtein.distance, score_cutoff=1)
        usual = near is not None and near[0][0] == word[0] and not near[0].endswith("ed")
        return self._respelt[near[0]] if near is not None and usual else word


def _usual_spelling(word: str, count: Counter[str]) -> str:
    """The word of a list that another is a misspelling of ("sucidal"): one letter off, and much more frequent."""
    for other, times in count.most_common():
        form = other.startswith(word[:-1]) or word.startswith(other[:-1])
        usual = times >= 3 * count[word] and len(other) >= LONG_WORD and other[0] == word[0] and not form
        if usual and DamerauLevenshtein.distance(other, word, score_cutoff=1) == 1:
            return other
    return word


def _spans(words: Sequence[_Said], root: _Node, free: Sequence[bool]) -> list[tuple[int, int]]:
    """Where the patterns of a tree stand among the free words, in order."""
    found = []
    for start in range(len(words)):
        end = _end_of(root, words, start, free)
        if end is not None:
            found.append((start, end))
    return found


def _end_of(root: _Node, words: Sequence[_Said], start: int, free: Sequence[bool]) -> int | None:
    """Where the longest pattern that begins at `start` ends, or None. At most a few places are followed at once."""
    best: int | None = None
    states: list[tuple[_Node, int, int]] = [(root, start, 0)]  # node, next word, words that may still be skipped
    while states:
        node, at, skips = states.pop()
        if node.ends and (best is None or at > best):
            best = min(at, len(words))
        if node.skips is not None:
            states.append((node.skips, at, MAX_SKIPPED_WORDS))
        if at >= len(words):
            continue
        if skips and node is not root:
            states.append((node, at + 1, skips - 1))
        if free[at] and (after := node.after.get(words[at].text)) is not None:
            states.append((after, at + 1, 0))
    return best


def _alternatives(text: str) -> Iterator[str]:
    """What "want|wish to_die|not_exist" stands for: one of each group, "_" between the words of one of it."""
    for chosen in product(*(group.split("|") for group in text.split())):
        yield " ".join(chosen).replace("_", " ")


def _words(text: str) -> list[_Said]:
    """Words in lower case without apostrophes, with their places in the text as sent."""
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    found: list[_Said] = []
    last = 0
    for match in _WORD.finditer(lower):
        apart = any(mark in ".,;:!?\n" for mark in lower[last : match.start()])
        found.append(_Said(_APOSTROPHES.sub("", match.group()), match.start(), match.end(), apart))
        last = match.end()
    return _plain(found)


_SHORT = {"cannot": "cant", "wanna": "wanna", "u": "you"}
_TWO = {
    ("do", "not"): "dont", ("does", "not"): "doesnt", ("did", "not"): "didnt", ("can", "not"): "cant",
    ("would", "not"): "wouldnt", ("i", "am"): "im", ("i", "have"): "ive", ("is", "not"): "isnt",
    ("what", "is"): "whats",
}  # fmt: skip


def _plain(words: Sequence[_Said]) -> list[_Said]:
    """ "do not" and "don't", "I am" and "I'm" as one word each."""
    found: list[_Said] = []
    for word in words:
        text = _SHORT.get(word.text, word.text)
        if found and (joined := _TWO.get((found[-1].text, text))) is not None and found[-1].end + 3 > word.start:
            found[-1] = _Said(joined, found[-1].start, word.end, found[-1].apart)
        else:
            found.append(_Said(text, word.start, word.end, word.apart))
    return found


def _negated(words: Sequence[_Said], start: int) -> bool:
    """Whether what begins at `start` is denied just before, in the same breath; never what begins with a person."""
    if words[start].text in _PERSONS:
        return False
    for at in range(start - 1, max(-1, start - 1 - _NEGATED_REACH), -1):
        if words[at + 1].apart:
            return False
        if words[at].text in _NEGATIONS:
            return True
        if words[at].text not in _BETWEEN:
            return False
    return False
