"""From what people write to symptoms of the vocabulary: exact words, synonyms, spelling slips, order of words.

Nothing here guesses: a phrase is matched when its letters say so, and is otherwise left to the
caller with suggestions. A word that is itself known is never read as a misspelling of another
("lip pain" is not "hip pain"), and what is negated ("no fever") is not matched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process
from rapidfuzz.distance import DamerauLevenshtein

MAX_CHARACTERS = 200
MAX_SUGGESTIONS = 3
SUGGESTION_CUTOFF = 72.0
MIN_COVERED = 0.5
LONGEST_PHRASE_WORDS = 6


@dataclass(frozen=True)
class Symptom:
    """One symptom of the vocabulary. `synonyms` are other ways to say it, sorted."""

    id: str
    name: str
    synonyms: tuple[str, ...]


@dataclass(frozen=True)
class MatchedSymptom:
    """`given` was read as the symptom `name`; `score` is 100 for the same words, less for a slip."""

    given: str
    name: str
    score: float


@dataclass(frozen=True)
class UnrecognisedSymptom:
    """`given` was not understood; `suggestions` are names it resembles, nearest first, perhaps none."""

    given: str
    suggestions: tuple[str, ...]


@dataclass(frozen=True)
class SymptomMatches:
    """What was recognised (each symptom once, in the order given) and what was not."""

    matched: tuple[MatchedSymptom, ...]
    unrecognised: tuple[UnrecognisedSymptom, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the matched symptoms, without repetition."""
        return tuple(dict.fromkeys(m.name for m in self.matched))


@dataclass(frozen=True)
class Vocabulary:
    """Phrases by trust: names, curated aliases, then synonyms that came with the data."""

    names: tuple[str, ...]
    aliases: Mapping[str, tuple[str, ...]]
    synonyms: Mapping[str, tuple[str, ...]]
    filler_words: frozenset[str]
    negations: frozenset[str]
    families: tuple[tuple[str, ...], ...] = ()


def normalise(text: str) -> str:
    """Lower case, no accents, no apostrophes, every other mark a space, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c) and c not in "'\u2019`")
    return " ".join(re.sub(r"[\W_]+", " ", letters).split())


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def family_heads(families: Iterable[Sequence[str]]) -> dict[str, str]:
    """Each word of a family ("ache", "hurts", "painful") by the family's first word ("pain")."""
    return {word: family[0] for family in families for word in family}


def content_words(text: str, filler_words: frozenset[str], heads: Mapping[str, str]) -> tuple[str, ...]:
    """Words of a normalised text that are no filler, as the head of their family or singular, sorted, each once."""
    words = (w for w in text.split() if w not in filler_words)
    return tuple(sorted({heads.get(w) or heads.get(_singular(w)) or _singular(w) for w in words}))


def expand_alternatives(name: str) -> tuple[str, ...]:
    """The single phrases in "A or B": "hand or finger pain" gives "hand pain" and "finger pain"."""
    words = name.replace(",", " ").split()
    for at, word in enumerate(words):
        if word in {"or", "and"} and 0 < at < len(words) - 1:
            left, right = words[: at - 1] + words[at + 1 :], words[:at] + words[at + 2 :]
            return tuple(" ".join(p) for p in (left, right) if len(p) > 0)
    return ()


def allowed_edits(length: int) -> int:
    """How many slips a phrase of so many letters may contain; measured in the bundle's manifest."""
    if length < 5:
        return 0
    return 1 if length < 10 else 2 if length < 16 else 3


class SymptomMatcher:
    """Matches phrases to a vocabulary. Immutable after construction."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._heads = family_heads(vocabulary.families)
        self._exact: dict[str, tuple[str, int]] = {}
        self._by_content: dict[str, tuple[str, int]] = {}
        self._words_of: dict[str, frozenset[str]] = {}
        for rank, phrases in enumerate(self._tiers()):
            self._add(phrases, rank)
        trusted = (text for tier in self._tiers()[:2] for text, _ in tier)
        self._known_words = frozenset(w for text in trusted for w in normalise(text).split() if len(w) > 2)
        self._spellings = sorted(w for w in self._known_words if len(w) > 4)
        self._fuzzy = [k for k in self._words_of if len(k) >= 5]
        self._suggestible = dict(reversed(self._tiers()[0] + self._tiers()[1]))

    def _tiers(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str]]]:
        v = self._vocabulary
        expanded = [(a, n) for n in v.names for a in expand_alternatives(n)]
        aliases = [(a, n) for n in v.names for a in v.aliases.get(n, ())]
        return [(n, n) for n in v.names], aliases + expanded, [(s, n) for n in v.names for s in v.synonyms.get(n, ())]

    def _add(self, phrases: Iterable[tuple[str, str]], rank: int) -> None:
        """Index phrases of one tier; earlier tiers win, and order-free keys that two symptoms share are dropped."""
        claimed: dict[str, set[str]] = {}
        for text, name in phrases:
            plain = normalise(text)
            key = plain.replace(" ", "")
            self._exact.setdefault(key, (name, rank))
            self._words_of.setdefault(key, frozenset(plain.split()))
            words = self._content(plain)
            if len(words) > 1 or words == (_singular(plain),):
                claimed.setdefault(" ".join(words), set()).add(name)
        for content, names in claimed.items():
            if len(names) == 1:
                self._by_content.setdefault(content, (min(names), rank))

    def _content(self, text: str) -> tuple[str, ...]:
        return content_words(text, self._vocabulary.filler_words, self._heads)

    def match(self, given: Sequence[str]) -> SymptomMatches:
        """Match each phrase; one phrase may name several symptoms ("fever and cough")."""
        matched: dict[str, MatchedSymptom] = {}
        unrecognised = []
        for phrase in given:
            found = self._match_one(phrase)
            if not found:
                unrecognised.append(UnrecognisedSymptom(phrase, self.suggest(phrase)))
            for symptom in found:
                matched.setdefault(symptom.name, symptom)
        return SymptomMatches(tuple(matched.values()), tuple(unrecognised))

    def _match_one(self, given: str) -> list[MatchedSymptom]:
        if len(given) > MAX_CHARACTERS or not (text := normalise(given)):
            return []
        if whole := self._read(text):
            return [MatchedSymptom(given, *whole)]
        found: list[MatchedSymptom] = []
        for segment in re.split(r"\b(?:but|however|although)\b", given.lower()):
            for clause in re.split(r"\band\b|\bwith\b|\bplus\b|[,;/+&]", segment):
                plain = normalise(clause)
                single = self._read(plain)
                if single is None and self._negated(plain):
                    break  # "no fever and cough": what follows in the segment may be denied as well
                if single is not None:
                    found.append(MatchedSymptom(given, *single))
                else:
                    found += [MatchedSymptom(given, name, 90.0) for name in self._contained(plain)]
        return found

    def _negated(self, text: str) -> bool:
        return not self._vocabulary.negations.isdisjoint(text.split())

    def _read(self, text: str) -> tuple[str, float] | None:
        """Name and score of a phrase taken as a whole, or None."""
        if not text:
            return None
        if hit := self._look_up(text):
            return hit[0], 100.0
        if self._negated(text):
            return None
        respelt = self._respell(text)
        if respelt != text and (hit := self._look_up(respelt)) and hit[1] < 2:
            slips = DamerauLevenshtein.distance(respelt, text)
            return hit[0], round(100 * (1 - slips / len(text)), 1)
        return self._nearest(text)

    def _look_up(self, text: str) -> tuple[str, int] | None:
        """Name and tier of a phrase by its letters or by its words in any order, whichever is more trusted."""
        hits = (self._exact.get(text.replace(" ", "")), self._by_content.get(" ".join(self._content(text))))
        return min((hit for hit in hits if hit), key=lambda hit: hit[1], default=None)

    def _respell(self, text: str) -> str:
        """The text with each unknown word of six letters or more replaced by the one known word nearest to it."""
        words = []
        for word in text.split():
            words.append(word)
            if len(word) < 6 or word in self._known_words or word in self._vocabulary.filler_words:
                continue
            near = process.extract(
                word,
                self._spellings,
                scorer=DamerauLevenshtein.distance,
                score_cutoff=allowed_edits(len(word)),
                limit=2,
            )
            if near and (len(near) == 1 or near[0][1] < near[1][1]):
                words[-1] = near[0][0]
        return " ".join(words)

    def _nearest(self, text: str) -> tuple[str, float] | None:
        """The phrase with the fewest slips (Damerau-Levenshtein, spaces ignored), or None."""
        v = self._vocabulary
        kept = "".join(w for w in text.split() if w not in v.filler_words)
        best: tuple[int, int, str, float] | None = None
        for query in {text.replace(" ", ""), kept}:
            reach = allowed_edits(len(query) + 1)
            close = process.extract(
                query, self._fuzzy, scorer=DamerauLevenshtein.distance, score_cutoff=reach, limit=None
            )
            for key, distance, _ in close:
                name, rank = self._exact[key]
                if not self._is_slip(text, query, key, int(distance), rank):
                    continue
                candidate = (int(distance), rank, name, round(100 * (1 - distance / len(key)), 1))
                best = candidate if best is None or candidate < best else best
        return None if best is None else (best[2], best[3])

    def _is_slip(self, text: str, query: str, key: str, distance: int, rank: int) -> bool:
        """Whether `text` can be a misspelling of the phrase behind `key`."""
        if distance > (allowed_edits(len(key)) if rank < 2 else min(1, allowed_edits(len(key)))):
            return False
        if len(key) == 5 and len(query) == 5 and sorted(query) != sorted(key):
            return False  # one changed letter makes another short word too easily: "lever" is no "fever"
        foreign = (w for w in text.split() if w not in self._vocabulary.filler_words and w not in self._words_of[key])
        return self._known_words.isdisjoint(foreign)

    def _contained(self, text: str) -> list[str]:
        """Symptoms whose words stand side by side in a longer phrase, when they are most of its content."""
        words = text.split()
        filler = self._vocabulary.filler_words
        free = [True] * len(words)
        found: list[tuple[int, str]] = []
        for size in range(min(LONGEST_PHRASE_WORDS, len(words)), 0, -1):
            for start in range(len(words) - size + 1):
                hit = self._exact.get("".join(words[start : start + size]))
                if hit and hit[1] < 2 and all(free[start : start + size]):
                    found.append((start, hit[0]))
                    free[start : start + size] = [False] * size
        content = sum(w not in filler for w in words)
        covered = sum(w not in filler and not f for w, f in zip(words, free, strict=True))
        return [name for _, name in sorted(found)] if covered > MIN_COVERED * content else []

    def suggest(self, given: str) -> tuple[str, ...]:
        """Up to three names that a phrase resembles, nearest first."""
        if len(given) > MAX_CHARACTERS or self._negated(normalise(given)):
            return ()
        text = " ".join(w for w in normalise(given).split() if w not in self._vocabulary.filler_words)
        if len(text) < 3:
            return ()
        near = process.extract(
            text, list(self._suggestible), scorer=fuzz.token_set_ratio, score_cutoff=SUGGESTION_CUTOFF, limit=12
        )
        near += process.extract(
            text, list(self._suggestible), scorer=fuzz.ratio, score_cutoff=SUGGESTION_CUTOFF, limit=6
        )
        ordered = sorted(near, key=lambda hit: (-hit[1], hit[2]))
        return tuple(dict.fromkeys(self._suggestible[phrase] for phrase, _, _ in ordered))[:MAX_SUGGESTIONS]
