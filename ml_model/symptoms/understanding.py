"""From a description in plain words to findings: what is there, what is denied, since when, of whom."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ml_model.symptoms.reading import amounts, measures, person
from ml_model.symptoms.reading.clauses import Sentence, sentences
from ml_model.symptoms.reading.composing import Composer, Topic
from ml_model.symptoms.reading.context import Context, read_context
from ml_model.symptoms.reading.language import Language, load_language
from ml_model.symptoms.reading.lexicon import Match, Search
from ml_model.symptoms.reading.negation import Negation, NegationReader
from ml_model.symptoms.reading.phrasebook import build_phrasebook
from ml_model.symptoms.reading.words import MAX_CHARACTERS, NEGATORS, PlainText, Word, WordReader, plain_text
from ml_model.symptoms.vocabulary import FindingVocabulary

MAX_CORRECTED_WORDS = 60
MAX_LINK_WORDS = 3
COMPOSED, LINKED = 4.0, 2.0
_LASTING = ("history", "medicine", "exposure", "state")  # kinds of findings that "past history: ..." tells of as of now
PASSING = ("pregnan", "recently_gave_birth", "breastfeeding", "contact_", "unprotected_", "new_", "vaccinated_") + (
    "serious_accident",
    "fall_recent",
    "animal_bite",
    "snake_bite",
    "bee_wasp_sting",
    "head_injury",
    "near_drowning",
    "electric_shock",
    "fracture_suspected",
    "open_fracture",
    "high_speed_injury",
)
_ALWAYS_TRUE = ("history_", "family_", "on_", "former_", "previous_", "recent_")


@dataclass(frozen=True)
class Mention:
    """One finding told of. `start` and `end` are characters of the text as sent; `score` is 100 for the phrase
    itself, less for other words, gaps and slips. `history`: it is said of the past or the family, not of now."""

    text: str
    start: int
    end: int
    finding: str
    present: bool
    history: bool
    score: float


@dataclass(frozen=True)
class Understanding:
    """What a description says. `duration_days` is the longest said of the complaint; `severity_0_10` the worst;
    `not_understood` are spans (characters of the text as sent) of words that nothing was made of."""

    mentions: tuple[Mention, ...]
    age_years: float | None
    sex: Literal["female", "male"] | None
    duration_days: float | None
    onset_sudden: bool | None
    recurrent: bool | None
    severity_0_10: float | None
    not_understood: tuple[tuple[int, int], ...]


class TextReader:
    """Reads descriptions in English. Immutable but for remembered stems; safe to share."""

    def __init__(self, vocabulary: FindingVocabulary) -> None:
        self._vocabulary = vocabulary
        self._language: Language = load_language()
        self._reader = WordReader(self._language)
        self._book = build_phrasebook(vocabulary, self._reader, self._language)
        self._negation = NegationReader(self._language)
        self._composer = Composer(self._reader, self._language)

    def read(self, text: str) -> Understanding:
        """Understand a text; only its first 5,000 characters are read."""
        text = text[:MAX_CHARACTERS]
        plain = plain_text(text)
        words = self._reader.rewritten(self._corrected(self._reader.read(plain)))
        parts = sentences(words)
        context = read_context(words, parts, self._language)
        matches = self._resolved(self._matches(words, parts, context), self._negation.read(words, parts), words)
        matches = [(m, there) for m, there in matches if not any(context.asked[n] for n in m.words)]
        mentions = [self._mention(m, present, words, context, text) for m, present in matches]
        duration = self._duration(plain, words, parts, context, mentions)
        told: list[measures.Vital | measures.Duration] = [*measures.vitals(plain.text), *amounts.amounts(plain.text)]
        if duration is not None:
            told.append(duration)
        mentions += self._measured(told, plain, text, words, context)
        present = {m.finding for m in mentions if m.present and not m.history}
        mentions += self._measured(amounts.together(plain.text, present), plain, text, words, context)
        return Understanding(
            tuple(sorted(_once(mentions), key=lambda m: (m.start, m.end, m.finding))),
            person.age_years(plain.text),
            person.sex(plain.text),
            duration.days if duration is not None else None,
            measures.onset_sudden(plain.text),
            measures.recurrent(plain.text),
            measures.severity(plain.text),
            self._not_understood(words, {n for m, _ in matches for n in m.words}, mentions),
        )

    def _corrected(self, words: Sequence[Word]) -> list[Word]:
        """The words with spelling slips mended."""
        speller = self._book.speller
        mended: dict[str, tuple[tuple[str, int], ...]] = {}
        found: list[Word] = []
        for word in words:
            text = word.text
            if not word.content or speller.knows(text) or word.stem in self._book.now.stems:
                found.append(word)
                continue
            if text not in mended and len(mended) < MAX_CORRECTED_WORDS:
                one, two = speller.correct(text), speller.parted(text)
                mended[text] = ((two[0], 1), (two[1], 0)) if two and (not one or one[1] > 1) else (one,) if one else ()
            meant = mended.get(text, ())
            found += [self._reader.respelt(word, *other) for other in meant] or [word]
        return found

    def _matches(self, words: Sequence[Word], parts: Sequence[Sentence], context: Context) -> list[Match]:
        found: list[Match] = []
        topic = Topic()
        find = Search(self._book.now).find
        for sentence in parts:
            compositions, topic = self._composer.compose(words, sentence, topic)
            if any(context.family[i] for i in range(sentence.start, sentence.end)):
                found += self._of_family(words, sentence, context)
            before: tuple[int, int] | None = None
            for start, end in sentence.segments:
                own = find(words, range(start, end))
                if before is not None and end - before[0] <= 30 and words[start].text not in NEGATORS:
                    found += self._linked(find, words, before, (start, end))
                before = (start, end) if not own and end - start <= MAX_LINK_WORDS else None
                found += own
            if len(sentence.segments) > 1:
                found += find(words, range(sentence.start, sentence.end), joined=True)
            for composed in compositions:
                for match in find(words, composed.numbers):
                    if all(match.words & needed for needed in composed.needed):
                        found.append(replace(match, score=match.score - COMPOSED))
        return found

    @staticmethod
    def _linked(
        find: Callable[[Sequence[Word], Sequence[int]], list[Match]],
        words: Sequence[Word],
        before: tuple[int, int],
        after: tuple[int, int],
    ) -> Iterator[Match]:
        """Phrases over the comma of "sharp, severe headache": words that alone say nothing belong to what follows."""
        for match in find(words, range(before[0], after[1])):
            if min(match.words) < before[1] and max(match.words) >= after[0]:
                yield replace(match, score=match.score - LINKED)

    def _of_family(self, words: Sequence[Word], sentence: Sentence, context: Context) -> Iterator[Match]:
        for start, end in sentence.segments:
            yield from self._book.family.find(words, [i for i in range(start, end) if context.family[i]])

    def _resolved(
        self, matches: Iterable[Match], negation: Negation, words: Sequence[Word]
    ) -> list[tuple[Match, bool]]:
        """The matches that stay, each with whether it is there: the longest and best of those that overlap."""
        best: dict[frozenset[int], Match] = {}
        for match in matches:
            held = best.get(match.words)
            if held is None or self._rank(match) > self._rank(held):
                best[match.words] = match
        ordered = sorted(best.values(), key=lambda m: (-len(m.words), -m.score))
        used = {n for m in ordered for n in m.words if words[n].text in NEGATORS}
        kept: list[tuple[Match, bool]] = []
        at_word: dict[int, list[tuple[Match, bool]]] = {}
        for match in ordered:
            present = self._is_present(match, negation, used, words)
            longer = at_word.get(min(match.words), ())
            if any(
                match.words < other.words and (there or there == present) and not _joins(other, match, words)
                for other, there in longer
            ):
                continue
            kept.append((match, present))
            for number in match.words:
                at_word.setdefault(number, []).append((match, present))
        return kept

    def _rank(self, match: Match) -> tuple[bool, float, int, str]:
        above = len(self._vocabulary.ancestors(match.finding)) if match.finding in self._vocabulary.findings else 0
        return match.finding.startswith("family_"), match.score, above, match.finding

    def _is_present(self, match: Match, negation: Negation, used: set[int], words: Sequence[Word]) -> bool:
        if any(words[n].text in NEGATORS for n in match.words):
            return True
        places = self._language.groups["place"]
        telling = [n for n in match.words if words[n].text not in places] or list(match.words)
        return not any(
            negation.denied[n] and negation.by[n] not in used and negation.by[n] not in match.words for n in telling
        )

    def _mention(self, match: Match, present: bool, words: Sequence[Word], context: Context, text: str) -> Mention:
        start, end = min(words[n].start for n in match.words), max(words[n].end for n in match.words)
        aside = any(context.family[n] or context.past[n] for n in match.words)
        family = any(context.family[n] for n in match.words)
        history = aside and not match.finding.startswith(_ALWAYS_TRUE)
        if history and not family and not match.finding.startswith(PASSING):
            finding = self._vocabulary.findings.get(match.finding)
            history = finding is None or finding.kind not in _LASTING
        if match.finding.startswith("history_") and family:
            history = True
        return Mention(text[start:end], start, end, match.finding, present, history, round(match.score, 1))

    @staticmethod
    def _duration(
        plain: PlainText,
        words: Sequence[Word],
        parts: Sequence[Sentence],
        context: Context,
        mentions: Sequence[Mention],
    ) -> measures.Duration | None:
        """How long the complaint has been there: the longest not said of the past, the family or a known disease."""
        starts = [w.start for w in words]
        segments = [s for sentence in parts for s in sentence.segments]
        for found in measures.durations(plain.text):
            at = max(0, bisect_right(starts, plain.origins[found.start]) - 1)
            if not words or context.past[at] or context.family[at]:
                continue
            first, last = next(((s, e) for s, e in segments if s <= at < e), (at, at + 1))
            beside = [m.finding for m in mentions if words[first].start <= m.start < words[last - 1].end]
            if not beside or not all(f.startswith((*_ALWAYS_TRUE, "smoker")) for f in beside):
                return found
        return None

    def _measured(
        self,
        told: Iterable[measures.Vital | measures.Duration],
        plain: PlainText,
        text: str,
        words: Sequence[Word],
        context: Context,
    ) -> Iterator[Mention]:
        starts = [w.start for w in words]
        for vital in told:
            if vital.finding in self._vocabulary.findings:
                start, end = plain.origins[vital.start], plain.origins[vital.end - 1] + 1
                at = max(0, bisect_right(starts, start) - 1)
                aside = bool(words) and (context.past[at] or context.family[at])
                yield Mention(text[start:end], start, end, vital.finding, True, aside, 100.0)

    def _not_understood(
        self, words: Sequence[Word], used: set[int], mentions: Sequence[Mention]
    ) -> tuple[tuple[int, int], ...]:
        """Spans of words that say something and are part of no mention; neighbours are one span."""
        starts = sorted({(m.start, m.end) for m in mentions if m.score == 100.0})
        spans: list[tuple[int, int]] = []
        last = -2
        for at, word in enumerate(words):
            if at in used or not word.content or len(word.text) < 3 or _inside(word, starts):
                continue
            if last == at - 1 and spans:
                spans[-1] = (spans[-1][0], word.end)
            else:
                spans.append((word.start, word.end))
            last = at
        return tuple(dict.fromkeys(spans))


def _inside(word: Word, spans: Sequence[tuple[int, int]]) -> bool:
    at = bisect_left(spans, (word.start + 1, 0)) - 1
    return at >= 0 and spans[at][0] <= word.start and word.end <= spans[at][1]


def _joins(longer: Match, part: Match, words: Sequence[Word]) -> bool:
    """Whether a phrase puts together two complaints, of which the part is one: "stiff neck and fever"."""
    ands = [n for n in range(min(longer.words), max(longer.words)) if words[n].text == "and"]
    return any(max(part.words) < n or min(part.words) > n for n in ands)


def _once(mentions: Sequence[Mention]) -> list[Mention]:
    """Each finding once for each place and polarity, the best of those that say the same."""
    best: dict[tuple[int, int, str, bool], Mention] = {}
    for mention in mentions:
        key = (mention.start, mention.end, mention.finding, mention.present)
        if key not in best or mention.score > best[key].score:
            best[key] = mention
    return list(best.values())
