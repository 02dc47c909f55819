"""What is in `language.toml`: what a question asks for, and sentences of the chat's own."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import DamerauLevenshtein

LANGUAGE = Path(__file__).with_name("language.toml")
_WORD = re.compile(r"[^\W_]+")
_LONG = 6  # a slip in a shorter word may be another word
_MOST_WORDS, _MOST_MENDED = 1000, 100

Cue = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """In lower case, without signs; an apostrophe parts them as in "don t"."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())[:_MOST_WORDS]


def alike(one: str, other: str) -> bool:
    """Whether two words are of one root: treatment and treated."""
    if one == other:
        return True
    shared = min(len(one), len(other))
    return shared >= 4 and one[: max(4, shared - 2)] == other[: max(4, shared - 2)]


@dataclass(frozen=True)
class ChatLanguage:
    """intents: cues by name, in the order in which they are answered. lists: other cues. says: sentences.
    small: words that tell nothing. further: other words for one, by which it is looked for too. glossary: what words of
    an answer mean.
    """

    intents: Mapping[str, tuple[Cue, ...]]
    lists: Mapping[str, tuple[Cue, ...]]
    small: frozenset[str]
    further: Mapping[str, tuple[str, ...]]
    glossary: tuple[tuple[tuple[Cue, ...], str], ...]
    says: Mapping[str, str]
    _known: tuple[str, ...]

    def mended(self, words: Sequence[str]) -> list[str]:
        """Long words that are one letter off a cue's are read as that."""
        return [*(self._mended(word) for word in words[:_MOST_MENDED]), *words[_MOST_MENDED:]]

    def _mended(self, word: str) -> str:
        if len(word) < _LONG or any(_fits(known, word) for known in self._known):
            return word
        near = min(self._known, key=lambda known: _slips(word, known))
        return near.removesuffix("*") if _slips(word, near) <= 1 else word

    def asked(self, text: str) -> tuple[str, ...]:
        """Names of the intents that a question has, in their order."""
        words = self.mended(words_of(text))
        return tuple(name for name, cues in self.intents.items() if has(words, cues))

    def tells(self, text: str, name: str) -> bool:
        """Whether a text has a cue of a list."""
        return has(words_of(text), self.lists[name])

    def defined(self, text: str) -> list[str]:
        """What the words of an answer mean that somebody asks for."""
        words = words_of(text)
        return [told for cues, told in self.glossary if has(words, self.lists["defining"]) and has(words, cues)][:1]

    def is_question(self, text: str) -> bool:
        """Whether somebody asks about a thing, in contrast to who tells of having it."""
        words = words_of(text)
        return not self.tells(text, "telling") and ("?" in text or has(words[:1], self.lists["question"]))

    def content(self, text: str) -> list[str]:
        """The words that tell what a question is about, each once."""
        return [word for word in dict.fromkeys(words_of(text)) if word not in self.small]


def _slips(word: str, known: str) -> int:
    """Letters that are wrong; of a cue that a star ends, in its beginning alone."""
    stem = known.removesuffix("*")
    if word[0] != stem[0] or len(stem) < _LONG:
        return _LONG  # too far, or too short to tell
    cuts = [word] if stem == known else [word[: len(stem) + more] for more in (-1, 0, 1)]
    return min(DamerauLevenshtein.distance(cut, stem) for cut in cuts)


def has(words: Sequence[str], cues: Iterable[Cue]) -> bool:
    """Whether the words of a cue stand one after the other."""
    return any(
        all(_fits(part, words[at + n]) for n, part in enumerate(cue))
        for cue in cues
        for at in range(len(words) - len(cue) + 1)
    )


def _fits(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


@functools.cache
def chat_language() -> ChatLanguage:
    """Read once."""
    table = tomllib.loads(LANGUAGE.read_text(encoding="utf-8"))
    intents = {row["name"]: _cues(row["cues"]) for row in table["intents"]}
    lists = {name: _cues(rows) for name, rows in table["words"].items() if name != "small"}
    further = {word: tuple(others) for word, others in table["further"].items()}
    glossary = tuple((_cues(row["cues"]), str(row["text"])) for row in table["glossary"])
    known = {part for cues in intents.values() for cue in cues for part in cue if len(part) >= _LONG}
    return ChatLanguage(
        intents, lists, frozenset(table["words"]["small"]), further, glossary, table["says"], tuple(sorted(known))
    )


def _cues(rows: Iterable[str]) -> tuple[Cue, ...]:
    return tuple(tuple(row.split()) for row in rows)
