"""Phrases of findings as sets of stems, and where a stretch of words says them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ml_model.symptoms.reading.language import Language
from ml_model.symptoms.reading.spelling import english
from ml_model.symptoms.reading.words import NEGATORS, NOT, Word, WordReader

MAX_PHRASE_STEMS = 8
MAX_OCCURRENCES = 6
MAX_STRETCH = 40
EVERYDAY = 4_000_000
_BESIDE = 3  # words before and behind a phrase that may belong to it
_ASIDE = frozenset({"with", "when", "while", "after", "during", "whenever", "before"})
_UNCHANGED = frozenset(
    ["change", "changes", "changed", "difference", "alteration", "from", "due", "related", "associated", "by"]
)
EXACT, OTHER_WORD, GAP, SLIP = 100.0, 4.0, 3.0, 3.0


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to say a finding, or several that differ in small words and endings: which, each with its own words.
    `stems` in order; `joined`: it was written with "and" or "or"."""

    owners: tuple[tuple[str, frozenset[str]], ...]
    stems: tuple[str, ...]
    needed: frozenset[str]
    joined: bool
    strict: bool  # everyday words but one at most: they must stand together and in this order
    loose: bool  # one word says something: one more may stand between


@dataclass(frozen=True, slots=True)
class Match:
    """Words (numbers into the text's words) that say a finding; `score` is 100 for the phrase itself."""

    finding: str
    words: frozenset[int]
    score: float


def _denies_the_same(phrase: Phrase, ats: tuple[int, ...]) -> bool:
    """Whether "not" stands before the same word as in the phrase: "rash not itchy" is no "itch, no rash"."""
    at = phrase.stems.index(NOT)
    return at + 1 >= len(ats) or 0 < ats[at + 1] - ats[at] <= 3


def _meant(phrase: Phrase, ats: tuple[int, ...], words: Sequence[Word], numbers: Sequence[int]) -> str:
    """Of several findings that are said in nearly the same words, the one whose words these are: "swollen ankles" are
    both, "very sore throat" is more than "sore throat"."""
    if len(phrase.owners) == 1:
        return phrase.owners[0][0]
    said = {words[n].text for n in numbers[max(0, min(ats) - _BESIDE) : max(ats) + 1 + _BESIDE]}
    return min(phrase.owners, key=lambda owner: (len(owner[1] - said), -len(owner[1])))[0]


class PhraseIndex:
    """Finds phrases among words, in any order and with small gaps. Immutable after construction."""

    def __init__(self, phrases: Iterable[tuple[str, Sequence[Word]]], reader: WordReader, language: Language) -> None:
        self._places = frozenset(map(reader.stem, language.groups["place"]))
        self._heads = frozenset(map(reader.stem, language.groups["head"]))
        self._alone = frozenset(map(reader.stem, language.groups["itself"]))
        self._troubled = frozenset(map(reader.stem, language.groups["troubled"]))
        self._light = frozenset(map(reader.stem, language.light))
        self._stop = language.stop
        entries: dict[tuple[tuple[str, ...], bool], list[tuple[str, frozenset[str]]]] = {}
        for finding, words in phrases:
            if stems := self._stems(words):
                joined = any(w.text in ("and", "or") for w in words)
                entries.setdefault((stems, joined), []).append((finding, frozenset(w.text for w in words)))
        self._entries = []
        for (stems, joined), owners in entries.items():
            telling = sum(s not in self._light and s not in self._stop and s != NOT for s in stems)
            strict = len(stems) > 1 and telling < 2
            self._entries.append(
                Phrase(tuple(owners), stems, frozenset(stems), joined, strict, telling == 1 and "hurt" not in stems)
            )
        self.stems = frozenset(stem for phrase in self._entries for stem in phrase.stems)
        seldom = Counter(stem for phrase in self._entries for stem in set(phrase.stems))
        self._by_anchor: dict[str, list[Phrase]] = defaultdict(list)
        self._joined: dict[str, list[Phrase]] = defaultdict(list)
        for phrase in self._entries:
            anchor = min(phrase.stems, key=lambda s: (seldom[s], s))
            self._by_anchor[anchor].append(phrase)
            if phrase.joined:
                self._joined[anchor].append(phrase)

    def _stems(self, words: Sequence[Word]) -> tuple[str, ...]:
        kept = [w for w in words if w.text not in self._stop and w.text != "can"]
        if len(kept) < 2 and (not any(w.content for w in kept) or self._is_everyday(kept[0].text, words)):
            kept = list(words)  # "keep to myself", "had a fall"
        if sum(w.content for w in words) < 2 and any(w.text in ("and", "or") for w in words):
            kept = list(words)  # "on and off"
        stems = tuple(dict.fromkeys(w.key for w in kept))
        return stems if len(stems) <= MAX_PHRASE_STEMS and stems != (NOT,) else ()

    @staticmethod
    def _is_everyday(text: str, words: Sequence[Word]) -> bool:
        """Whether one of several words says too little alone: "had a fall" is more than any fall."""
        return len(words) > 1 and english().get(text, 0) >= EVERYDAY

    def find(self, words: Sequence[Word], numbers: Sequence[int], joined: bool = False) -> list[Match]:
        """Phrases that the words of `numbers` say. `joined`: only those written with "and" or "or"."""
        phrases = self._joined if joined else self._by_anchor
        where: dict[str, list[int]] = {}
        for at, number in enumerate(numbers):
            word = words[number]
            where.setdefault(word.key, []).append(at)
            for other in word.others:
                where.setdefault(other, []).append(at)
        said = frozenset(where)
        found = []
        for stem in where:
            for phrase in phrases.get(stem, ()):
                if phrase.needed <= said and (hit := self._place(phrase, stem, where, words, numbers)) is not None:
                    ats, gap = hit
                    others = sum(words[numbers[a]].key != s for s, a in zip(phrase.stems, ats, strict=True))
                    slips = sum(words[numbers[a]].slips for a in ats)
                    score = EXACT - GAP * gap - OTHER_WORD * others - SLIP * slips
                    found.append(Match(_meant(phrase, ats, words, numbers), frozenset(numbers[a] for a in ats), score))
        return found

    def _place(
        self, phrase: Phrase, anchor: str, where: dict[str, list[int]], words: Sequence[Word], numbers: Sequence[int]
    ) -> tuple[tuple[int, ...], int] | None:
        """The closest places of a phrase's stems and the number of content words between, or None."""
        best: tuple[tuple[int, ...], int] | None = None
        if len(phrase.stems) == 1:
            own = anchor not in self._alone
            first = next((a for a in where[anchor] if own or words[numbers[a]].key == anchor), None)
            return None if first is None else ((first,), 0)
        for centre in where[anchor][:MAX_OCCURRENCES]:
            ats = tuple(centre if s == anchor else min(where[s], key=lambda a: abs(a - centre)) for s in phrase.stems)
            low, high = min(ats), max(ats)
            if len(set(ats)) < len(ats) or high - low > MAX_STRETCH:
                continue
            if NOT in phrase.stems and self._denies_more(words, numbers, low, high, ats):
                continue
            between = [words[numbers[a]] for a in range(low, high + 1) if a not in ats]
            gap = sum(w.content for w in between)
            if self._fits(phrase, ats, between, gap, high - low) and (best is None or gap < best[1]):
                best = ats, gap
        return best

    def _denies_more(
        self, words: Sequence[Word], numbers: Sequence[int], low: int, high: int, ats: tuple[int, ...]
    ) -> bool:
        """Whether it is "no change in appetite", "no hearing problems", which say that all is well, or "not from"."""
        between = [words[numbers[a]].text for a in range(low, high + 1) if a not in ats]
        if any(text in _UNCHANGED for text in between):
            return True
        after = numbers[high] + 1
        if words[numbers[low]].text != "no" or high + 1 >= len(numbers) or numbers[high + 1] != after:
            return False
        return words[after].stem in self._troubled

    def _fits(self, phrase: Phrase, ats: tuple[int, ...], between: Sequence[Word], gap: int, stretch: int) -> bool:
        size = len(ats)
        negated = NOT in phrase.stems
        if phrase.strict or (negated and size == 2):
            return gap <= (phrase.loose and not negated) and list(ats) == sorted(ats) and stretch < size + 3
        if negated and (not _denies_the_same(phrase, ats) or gap > (size > 3)):
            return False
        if gap > (2 if size < 4 else 3) or stretch > size + 7 or (negated and gap > 1):
            return False
        placed, heads = not self._places.isdisjoint(phrase.needed), not self._heads.isdisjoint(phrase.needed)
        denial = not negated and any(w.text in NEGATORS for w in between)
        if denial and (gap > 1 or not heads):
            return False
        if size > 3 and list(ats) != sorted(ats) and sum(s in self._places for s in phrase.stems) > 1:
            return False  # "pain in the back of the lower leg" is not "pain in the lower back ... leg"
        if placed and any(w.stem in self._places for w in between):
            return size > 3
        if placed and heads and size < 4 and any(w.text in _ASIDE for w in between):
            return False
        return not heads or denial or size > 3 or not any(w.stem in self._heads for w in between)


class Search:
    """A search through one text: the same words are looked up once, however often the text repeats them."""

    def __init__(self, index: PhraseIndex) -> None:
        self._index = index
        self._known: dict[tuple[bool, tuple[str, ...]], list[tuple[str, tuple[int, ...], float]]] = {}

    def find(self, words: Sequence[Word], numbers: Sequence[int], joined: bool = False) -> list[Match]:
        """See `PhraseIndex.find`."""
        key = (joined, tuple([words[n].text for n in numbers]))
        if (known := self._known.get(key)) is not None:
            return [Match(f, frozenset([numbers[a] for a in ats]), score) for f, ats, score in known]
        found = self._index.find(words, numbers, joined)
        places = {number: at for at, number in enumerate(numbers)}
        self._known[key] = [(m.finding, tuple([places[n] for n in m.words]), m.score) for m in found]
        return found
