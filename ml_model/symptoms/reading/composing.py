"""Words of one clause that belong to another: "redness and swelling of the knee", "pain near the navel, now lower"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ml_model.symptoms.reading.clauses import Sentence
from ml_model.symptoms.reading.language import Language
from ml_model.symptoms.reading.words import NEGATORS, Word, WordReader

MAX_LINKED_SEGMENTS = 6
_OTHER_TIME = frozenset({"since", "after", "before", "because", "following", "due"})
_SEPARATE = NEGATORS - {"not"}
_COMPARING = frozenset({"wors", "reliev", "better"})
_LEADING = frozenset({"on", "with", "by", "when", "after", "in", "at", "from", "while", "during"})
_REFERRING = frozenset({"it", "they", "there", "which", "this", "that", "both", "s"})


@dataclass(frozen=True, slots=True)
class Composition:
    """Words (by number) to be read together; a match must use one of each of `needed`."""

    numbers: tuple[int, ...]
    needed: tuple[frozenset[int], frozenset[int]]


@dataclass(frozen=True, slots=True)
class Topic:
    """What was spoken of last: numbers of the words for the complaint and for the place."""

    heads: tuple[int, ...] = ()
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Segment:
    start: int
    end: int
    heads: tuple[int, ...]
    places: tuple[int, ...]
    spots: tuple[int, ...]
    carries: tuple[int, ...]
    located: bool
    bare: bool

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(range(self.start, self.end))

    def located_after_head(self, words: Sequence[Word]) -> bool:
        """Whether the place follows the complaint: "swelling of the knee"."""
        between = range(self.heads[0], self.places[-1])
        return any(words[i].text in ("of", "in", "on", "at", "over", "around", "to", "and") for i in between)

    @property
    def where(self) -> tuple[int, ...]:
        return tuple(sorted(self.spots + self.places))


class Composer:
    """Puts together what is said of one thing in several clauses."""

    def __init__(self, reader: WordReader, language: Language) -> None:
        groups = {name: frozenset(map(reader.stem, texts)) for name, texts in language.groups.items()}
        self._heads, self._places, self._spots = groups["head"], groups["place"], groups["spot"]
        self._carry, self._locative = groups["carry"], language.groups["locative"]
        self._movers = language.groups["mover"]
        self._stop = language.stop

    def _segment(self, words: Sequence[Word], start: int, end: int) -> _Segment:
        span = range(start, end)
        said = next((i for i in span if words[i].text in _OTHER_TIME and i > start), end)
        places = tuple(i for i in range(start, said) if words[i].stem in self._places)
        heads = tuple(i for i in span if words[i].stem in self._heads and i not in places)
        spots = tuple(i for i in span if words[i].stem in self._spots and i not in places)
        carries = tuple(i for i in span if words[i].stem in self._carry)
        located = any(words[i].text in self._locative or words[i].text in self._movers for i in span)
        rest = [i for i in span if i not in places and i not in spots and words[i].text not in self._stop]
        return _Segment(start, end, heads, places, spots, carries, located, bool(places) and not rest)

    def compose(self, words: Sequence[Word], sentence: Sentence, topic: Topic) -> tuple[list[Composition], Topic]:
        """Compositions of a sentence, and what the next may refer to."""
        segments = [self._segment(words, start, end) for start, end in sentence.segments]
        found: list[Composition] = []
        for at, segment in enumerate(segments):
            if segment.heads and not segment.places:
                found += self._places_for(words, segments, at, topic)
            elif segment.places and not segment.heads:
                found += self._heads_for(words, segments, at, topic)
            if at and not segment.carries and not segment.heads and words[segment.start].text not in NEGATORS:
                found += self._carried(words, segments[at - 1], segment)
            topic = replace(
                topic, heads=segment.heads or topic.heads, places=segment.where if segment.places else topic.places
            )
        return found, topic

    def _carried(self, words: Sequence[Word], before: _Segment, segment: _Segment) -> Iterator[Composition]:
        """ "difficulty speaking and swallowing", "worse on coughing and lying down"."""
        for at in before.carries[:1]:
            led = tuple(range(at, min(at + 3, before.end)))
            if words[at].stem not in _COMPARING or any(words[i].text in _LEADING for i in led):
                yield Composition(led + segment.all, (frozenset({at}), frozenset(segment.all)))

    def _places_for(
        self, words: Sequence[Word], segments: Sequence[_Segment], at: int, topic: Topic
    ) -> Iterator[Composition]:
        """A complaint without a place: that of the list's end ("of the knee"), else of what came before."""
        segment = segments[at]
        denied = words[segment.start].text in NEGATORS
        for later in segments[at + 1 : at + MAX_LINKED_SEGMENTS]:
            if words[later.start].text in NEGATORS:
                break  # "no pain, no swelling of the knee": each denial speaks for itself
            if later.places and later.heads and later.located_after_head(words):
                yield self._joined(segment.all + later.where, segment.heads, later.places)
            if later.places or not later.heads:
                break
        for earlier in reversed(segments[max(0, at - MAX_LINKED_SEGMENTS) : at]):
            if denied and words[earlier.start].text in NEGATORS:
                break
            if earlier.places:
                yield self._joined(segment.all + earlier.where, segment.heads, earlier.places)
            if earlier.places or not earlier.heads:
                break
        if at == 0 and topic.places and words[segment.start].text in _REFERRING:
            yield self._joined(segment.all + topic.places, segment.heads, topic.places)

    def _heads_for(
        self, words: Sequence[Word], segments: Sequence[_Segment], at: int, topic: Topic
    ) -> Iterator[Composition]:
        """A place without a complaint: that of before ("then in the arm"), or of behind ("hip and knee pain")."""
        segment = segments[at]
        if segment.bare or segment.spots == () or segment.places[-1] == segment.end - 1:
            for later in segments[at + 1 : at + MAX_LINKED_SEGMENTS]:
                if words[later.start].text in NEGATORS:
                    break
                if later.heads and later.places and later.places[0] < later.heads[-1]:
                    yield self._joined(segment.where + later.heads, later.heads, segment.places)
                if later.heads or not later.bare:
                    break
        if (segment.located or segment.bare) and words[segment.start].text not in _SEPARATE:
            before = [s.heads for s in segments[:at] if s.heads]
            referring = words[segment.start].text in _REFERRING or words[segment.start].text in ("now", "then")
            heads = before[-1] if before else topic.heads if referring else ()
            if heads:
                yield self._joined(heads + segment.all, heads, segment.places)

    @staticmethod
    def _joined(numbers: tuple[int, ...], heads: tuple[int, ...], places: tuple[int, ...]) -> Composition:
        return Composition(numbers, (frozenset(heads), frozenset(places)))
