"""Spelling slips: a word that is no English one is read as the known word that it nearly is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from math import log10
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

SHORTEST = 3
MAX_LENGTH = 24
FREQUENT = 2_000_000
_WORD_LIST = "frequency_dictionary_en_82_765.txt"
_VOWELS = "aeiouyhw"
_SOUNDS = (
    (re.compile(r"ph"), "f"),
    (re.compile(r"[ckq]+"), "k"),
    (re.compile(r"[sz]+"), "s"),
    (re.compile(r"^(?:kn|pn)"), "n"),
)
_ALIKE = {
    "f": "p",
    "p": "f",
    "n": "kp",
    "k": "c",
    "c": "ks",
    "s": "cp",
    "r": "w",
    "g": "j",
    "j": "g",
    "e": "i",
    "i": "e",
}
# How a word is written that is said in another way, and what is written for that sound elsewhere.
_SAID = (
    (re.compile(r"(?<=[a-z]{2})in$"), "ing"),
    (re.compile(r"f|v(?!e?$)"), "th"),
    (re.compile(r"(?:ff|ph)(?=i|$)|f$"), "th"),
    (re.compile(r"(?<=[a-z]{2})(?:ah?|uh)$"), "er"),
    (re.compile(r"sh[aeou]ns?$"), "tion"),
    (re.compile(r"(?:sh|ch)us$"), "scious"),
    (re.compile(r"(?<=[a-z]{2})t$"), "ed"),
    (re.compile(r"(?<=[bcdfgklmnprstvz])(?:il|el|ul)$"), "le"),
    (re.compile(r"^w(?=r?[aeiou])"), "wh"),
    (re.compile(r"k"), "ck"),
    (re.compile(r"(?<=[a-z])ite$"), "ight"),
)
_FAR, _SAME_BONES, _LACKING, _USUAL, _TIE = 0.5, 0.6, 0.7, 0.12, 0.05


@lru_cache(maxsize=1)
def english() -> Mapping[str, int]:
    """English words with how often they are written, of the list that symspellpy brings; empty where it is missing."""
    spec = find_spec("symspellpy")
    path = Path(spec.origin).with_name(_WORD_LIST) if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return {word: int(count) for word, _, count in (line.partition(" ") for line in lines) if count.isdigit()}


def skeleton(word: str) -> str:
    """Consonants by their sound, without repetition: diarrhea and diahrea are both `dr`."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    bones = ""
    for letter in word:
        if letter not in _VOWELS and not bones.endswith(letter):
            bones += letter
    return bones


class Speller:
    """Knows the words that may be meant (`targets`, with how often phrases use them; `everyday` ones after them) and
    those that stand for themselves (`known`, and all English words)."""

    def __init__(self, targets: Mapping[str, int], everyday: Iterable[str], known: Iterable[str]) -> None:
        self._weights = {w: n for w, n in targets.items() if len(w) >= SHORTEST and w.isalpha()}
        self._by_letter = _by_letter(self._weights)
        everyday_words = [w for w in everyday if len(w) > SHORTEST and w.isalpha()]
        self._everyday = _by_letter(everyday_words)
        self._spoken = frozenset(everyday_words)
        self._known = frozenset(known)
        self._english = english()

    def knows(self, word: str) -> bool:
        """Whether a word is too short to be mended, or stands for itself."""
        return len(word) < SHORTEST or word in self._known or word in self._english

    def correct(self, word: str) -> tuple[str, int] | None:
        """The word that is meant and the number of slips, or None when the word is known, short or like several."""
        if not SHORTEST <= len(word) <= MAX_LENGTH or self.knows(word) or not word.isalpha():
            return None
        return self._sounding_like(word) or self._nearest(word, self._by_letter) or self._nearest(word, self._everyday)

    def _sounding_like(self, word: str) -> tuple[str, int] | None:
        """The word meant by one that is written as it is said: goin, breaving, mouf, septik."""
        respelt = [there.sub(usual, word) for there, usual in _SAID if there.search(word)]
        meant = next((other for other in respelt if other in self._weights or other in self._spoken), None)
        if meant is None and word.endswith("in") and len(word) > 5:
            return self._nearest(word + "g", self._by_letter)
        return (meant, 1) if meant else None

    def parted(self, word: str) -> tuple[str, str] | None:
        """The two words that one run together is made of ("sorethroat"), or None."""
        if not 6 <= len(word) <= MAX_LENGTH or self.knows(word) or not word.isalpha():
            return None
        cuts = [(word[:at], word[at:]) for at in range(3, len(word) - 2)]
        good = [(a, b) for a, b in cuts if self._parts(a) and self._parts(b)]
        return max(good, key=lambda ab: min(self._parts(ab[0]), self._parts(ab[1])), default=None)

    def _parts(self, word: str) -> int:
        often = self._english.get(word, 0)
        return often if often >= FREQUENT or (often and word in self._weights) else 0

    def _nearest(self, word: str, index: Mapping[str, list[str]]) -> tuple[str, int] | None:
        reach = 3 if len(word) >= 6 else 2 if len(word) >= 5 else 1
        bones = skeleton(word)
        near: list[tuple[float, int, str, int]] = []
        for letter in sorted({word[0], word[1], *_ALIKE.get(word[0], "")}):
            close = process.extract(
                word, index.get(letter, ()), scorer=DamerauLevenshtein.distance, score_cutoff=reach, limit=None
            )
            for other, distance, _ in close:
                slips = int(distance)
                if (cost := _cost(word, other, slips, bones)) is not None:
                    weight = self._weights.get(other, 0)
                    near.append((cost - _USUAL * log10(weight + 1), -weight, other, slips))
        near.sort()
        if not near:
            return None
        cost, weight, best, slips = near[0]
        for other_cost, other_weight, other, _ in near[1:]:
            if other_cost - cost > _TIE:
                break
            if not _same_start(best, other) and -weight < 3 * max(1, -other_weight):
                return None
        return best, slips


def _by_letter(words: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for word in sorted(set(words)):
        found[word[0]].append(word)
    return found


def _same_start(one: str, other: str) -> bool:
    """Whether two words are forms of one: vomit, vomits, vomiting."""
    shared = min(len(one), len(other)) - 1
    return one[:shared] == other[:shared]


def _cost(word: str, other: str, slips: int, bones: str) -> float | None:
    """How far a word is from another, or None where it is too far to be a slip of it."""
    alike = skeleton(other) == bones
    if word[0] != other[0] and not (sorted(word) == sorted(other) or (alike and len(word) > 4)):
        return None
    if alike:
        return slips * _SAME_BONES if slips == 1 or len(word) >= 5 else None
    if slips == 1 and len(word) < len(other) and len(word) > 3:
        return _LACKING
    if len(word) == 3:
        return slips * _SAME_BONES if sorted(word) == sorted(other) else None
    if len(word) < 6 and len(other) < len(word) and not word.startswith(other[:-1]):
        return None  # a short word rather lacks a letter than has one too many
    return slips + _FAR if slips == 1 or (slips == 2 and len(word) >= 7) else None
