"""Lists of everyday and clinical English that reading a description needs, and words that together stand for others:
"threw up" for vomited, "lower limb" for leg. The words are in language.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Protocol, TypeVar

MAX_WORDS = 7
NUMBER = "#"  # in a key: a number from two upwards
_GLUE = "-"
_WORDED = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "twelve",
    "fifteen",
    "twenty",
    "thirty",
)
_NUMBERS = frozenset([*map(str, range(2, 100)), *_WORDED, "several", "couple"])


_END = ""
_Node = dict[str, object]


class Said(Protocol):
    """A word with its place in the text."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


W = TypeVar("W", bound=Said)


class Sequences:
    """Rewrites runs of words. A table's key is words parted by spaces, `a|b` for either and `?` at the end of a word
    that may be left out, `#` for a number from two upwards; its value is what they are read as."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._root: _Node = {}
        for key, meant in table.items():
            for texts in product(*map(_choices, key.split())):
                said = tuple(text for text in texts if text)
                if not 0 < len(said) <= MAX_WORDS:
                    raise ValueError(f"sequences: {key}: is no row of one to {MAX_WORDS} words")
                node = self._root
                for text in said:
                    node = node.setdefault(text, {})  # type: ignore[assignment]
                node.setdefault(_END, meant)

    def rewritten(self, words: Sequence[W], make: Callable[[str, int, int], list[W]]) -> list[W]:
        """The words with each run that the table knows in its other words, the longest first."""
        found: list[W] = []
        at = 0
        while at < len(words):
            end, meant = self._longest(words, at)
            if end:
                found += make(meant, words[at].start, words[end - 1].end)
                at = end
            else:
                found.append(words[at])
                at += 1
        return found

    def _longest(self, words: Sequence[Said], start: int) -> tuple[int, str]:
        """Where the longest known run from `start` ends and what it means; 0 where none begins."""
        node, best = self._root, (0, "")
        at = start
        while at < len(words):
            text = words[at].text
            below = node.get(text) or (node.get(NUMBER) if text in _NUMBERS else None)
            if not isinstance(below, dict):
                glued = text == _GLUE and at > start and at + 1 < len(words) and words[at + 1].text in node
                if not glued:
                    break
                at += 1
                continue
            node, at = below, at + 1
            if isinstance(meant := node.get(_END), str):
                best = at, meant
        return best


def _choices(part: str) -> tuple[str, ...]:
    if part.endswith("?"):
        return ("", *part[:-1].split("|"))
    return tuple(part.split("|"))


LANGUAGE_FILE = Path(__file__).with_name("language.toml")


@dataclass(frozen=True)
class Language:
    """Word lists. `stop` carries no meaning, `light` little, `common` is never a misspelling."""

    stop: frozenset[str]
    light: frozenset[str]
    common: frozenset[str]
    irregular: Mapping[str, str]
    also: Mapping[str, tuple[str, ...]]
    abbreviations: Mapping[str, str]
    marked: Mapping[str, str]
    sequences: Mapping[str, str]
    groups: Mapping[str, frozenset[str]]

    def also_stems(self, word: str, stem: Callable[[str], str]) -> tuple[str, ...]:
        """Stems of what a word, or its stem, may also be read as."""
        words = self.also.get(word) or self.also.get(stem(word)) or ()
        own = stem(word)
        return tuple(dict.fromkeys(other for other in map(stem, words) if other != own))


def load_language(path: Path = LANGUAGE_FILE) -> Language:
    """Read the word lists. Raises KeyError when one is missing."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Language(
        frozenset(table["stop"].split()),
        frozenset(table["light"].split()),
        frozenset(table["common"].split()),
        dict(table["irregular"]),
        {word: tuple(others.split()) for word, others in table["also"].items()},
        dict(table["abbreviations"]),
        dict(table["marked"]),
        dict(table["sequences"]),
        {name: frozenset(words.split()) for name, words in table["groups"].items()},
    )
