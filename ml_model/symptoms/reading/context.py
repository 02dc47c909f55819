"""Of whom and of when a clause speaks: the family, the past, or the person now."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from ml_model.symptoms.reading.clauses import Sentence
from ml_model.symptoms.reading.language import Language
from ml_model.symptoms.reading.words import Word

_NOW = frozenset([
    "presents", "presented", "presenting", "presently", "now", "today", "currently", "comes", "came", "complains",
    "complaining", "complained", "developed", "reports", "reported", "who", "but", "has", "had", "noticed",
    "experiencing",
])  # fmt: skip
_UNITS = frozenset([
    "day", "days", "week", "weeks", "month", "months", "year", "years", "hour", "hours", "minute", "minutes", "d",
    "wk",
])  # fmt: skip
_OF_THE_PAST = frozenset({"history", "previous", "previously", "prior", "past", "formerly"})
_LENGTHS = frozenset({"term", "standing", "chronic", "brief", "short", "recent", "longstanding", "acute"})
_COUNTS = frozenset({"few", "several", "couple", "two", "three", "four", "five", "six", "seven", "eight", "ten"})
_BEGUN = frozenset(
    ["started", "began", "begun", "since", "onset", "noticed", "first", "diagnosed", "developed", "ongoing"]
)
_I_HAVE = frozenset(
    {"have", "am", "feel", "get", "had", "was", "got", "noticed", "can", "keep", "started", "woke", "ve"}
)
_TELLING = frozenset(["worried", "scared", "afraid", "concerned", "frightened", "terrified", "panicking", "calling"])
_DESCRIBED = frozenset({"big", "little", "older", "younger", "elder", "eldest", "youngest", "wee", "dear", "poor"})
_OTHER_PERSONS = frozenset(
    ["i", "he", "she", "his", "her", "patient", "man", "woman", "boy", "girl", "male", "female", "lady", "gentleman"]
    + ["history", "year", "years", "my", "our", "in"]
)
_IN_THE_PAST = re.compile(
    r"\bin the past(?! (?:\d|few|several|couple|two|three|four|five|six|year|month|week|day|hour))"
)
_AUXILIARY = frozenset({"have", "has", "had", "also", "who", "s", "are", "is", "was"})
_REPORTING = frozenset([
    "feels", "felt", "says", "said", "states", "stated", "reports", "reported", "reporting", "noticed", "notices",
    "thinks", "thought", "mentions", "mentioned", "told", "tells", "describes", "described", "noted", "believes",
    "observed", "complains", "complaining", "brought", "worried", "concerned", "witnessed", "denies", "denied",
    "heard", "saw", "seen", "found", "confirms", "confirmed", "claims", "explains", "adds", "called", "brings",
])  # fmt: skip
_DISEASED = frozenset([
    "died", "had", "smoked", "smokes", "smoke", "used", "has", "have", "with", "suffers", "suffered", "diagnosed",
    "history", "is", "was", "of", "in",
])  # fmt: skip


_ENDS = r"(?=$| (?:[,.;?!]|i|he|she|we|they|my|it|and|when|had|but|after) ?)"
_YEARS_BACK = re.compile(r"\b(?:years?|yrs|decades?) (?:back|before)" + _ENDS)
_CHILDHOOD = re.compile(
    r"\bwhen (?:i|he|she) (?:was|were) (?:about |only |just |a |an )*"
    r"(?:\d{1,2}|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|small|little|young|younger"
    r"|kid|child|boy|girl|baby|lad|lass|bairn|wean|teen|teenager|student|toddler|newborn)"
    r"(?! (?:weeks?|wks?|months?|days?|hours?|minutes?|miles?|km|km?h|pregnan\w*|stone|kg))\b"
    r"|\bas a (?:newborn|boy|girl|teenager|teen|student|toddler|lad|lass|bairn|youngster)\b"
)
_YEAR = re.compile(
    r"(?<!since )\b(?:in|back in|of) (?:the )?(?:(?:19\d\d|20[01]\d|202[0-4])s?|(?:fif|six|seven|eigh|nine)ties)\b"
)
_GOES_ON = frozenset(["since", "still", "again", "ongoing", "worse"])
_BEEN = frozenset(["had", "was", "were", "underwent", "broke", "suffered", "got", "did", "before"])
# What is only asked about: what somebody might get, how a thing feels or looks, how it is prevented.
_ANYBODY = r"(?:someone|somebody|anyone|anybody|one of us|a (?:child|person|kid|baby|pupil|guest|passenger)|people)"
_ASKED = re.compile(
    rf"\bin case {_ANYBODY}\b[^.;!?]*"
    r"|\bwhat (?:does|would)(?! (?:my|his|her|i|it|he|she|this)\b)[^.;!?]{0,60}?\b(?:feel|look|sound) like\b"
    r"|\bwhat if (?:i|he|she|they|we) gets?\b[^.,;!?]*"
    r"|\b(?:(?:to|i|we|you|best) prevent|preventing|prevention of|avoid getting|avoid catching)\b[^.,;!?]{0,40}"
)
_ASKED_BY_WAY = re.compile(
    rf"\bif {_ANYBODY}\b[^.;!?]*"
    r"|\bhow (?:can|do|could|should)\b[^.;!?]{0,20}\b(?:stop|keep)\b[^.,;!?]{0,30} from [a-z]+ing\b[^.,;!?]{0,30}"
)
_ASKS = re.compile(
    r"\b(?:firstaid|(?<!of )course|prepared?|prevent|prevention|(?:just|only) (?:asking|curious)|school project"
    r"|essay|quiz|for a book|novel|a talk|teacher|in case)\b"
)


@dataclass
class Context:
    """For each word whether it is said of the family, whether of the past, and whether it is only asked about."""

    family: list[bool]
    past: list[bool]
    asked: list[bool]


def read_context(words: Sequence[Word], parts: Sequence[Sentence], language: Language) -> Context:
    """Mark what is said of relatives and of earlier times."""
    context = Context([False] * len(words), [False] * len(words), _only_asked(words, parts))
    patient = _relative_as_patient(words, parts, language)
    for sentence in parts:
        span = range(sentence.start, sentence.end)
        if sentence.section == "family":
            _mark(context.family, sentence.start, sentence.end)
        if sentence.section == "past":
            _mark(context.past, sentence.start, sentence.end)
        for at in span:
            if words[at].text in language.groups["family"] and words[at].text != patient:
                _mark(context.family, *_family_reach(words, sentence, at))
            if (end := _past_reach(words, sentence, at)) is not None:
                _mark(context.past, at, end)
        for start, end in sentence.segments:
            if _long_ago(words, start, end):
                _mark(context.past, start, end)
    return context


def _mark(flags: list[bool], start: int, end: int) -> None:
    flags[start:end] = [True] * (end - start)


def _relative_as_patient(words: Sequence[Word], parts: Sequence[Sentence], language: Language) -> str:
    """The relative whom the text is about ("my mother, 70, has chest pain"), or nothing."""
    texts = [w.text for w in words]
    if not parts or any(_speaks_of_oneself(texts, i) for i, text in enumerate(texts) if text == "i"):
        return ""
    start = parts[0].start
    for at in range(start, parts[0].end):
        # "dad (with a bad liver) is vomiting blood", "today grandad has rigors", not "sister with breast cancer"
        before = set(texts[start:at])
        told = bool({"is", "has", "keeps", "can"} & set(texts)) or not {"i", "my", "me", "history"} & set(texts)
        first = told and not {"died", "had", "with"} & set(texts[at + 1 : at + 2]) and not before & _OTHER_PERSONS
        owned = _owner(texts, at) in ("my", "our", "old", "me")
        if texts[at] in language.groups["family"] and (first or owned):
            return texts[at] if texts[at] != "family" and "history" not in texts[at + 1 : at + 4] else ""
    return ""


def _owner(texts: Sequence[str], at: int) -> str:
    """The word before a relative, over one that describes: "my" of "my big brother"."""
    before = at - 2 if at > 1 and texts[at - 1] in _DESCRIBED else at - 1
    return texts[before] if before >= 0 else ""


def _speaks_of_oneself(texts: Sequence[str], at: int) -> bool:
    """Whether "I have", "I feel" tells of the one who writes, and not "I am worried about her", "I found him"."""
    if at + 1 >= len(texts) or texts[at + 1] not in _I_HAVE or (at and texts[at - 1] == "who"):
        return False
    return texts[at + 2 : at + 3] == [] or (
        _TELLING.isdisjoint(texts[at + 2 : at + 5])
        and not {"him", "her", "them", "he", "she"} & set(texts[at + 2 : at + 6])
    )


def _family_reach(words: Sequence[Word], sentence: Sentence, at: int) -> tuple[int, int]:
    """How far "her mother had ..." and "... in her sister" reach."""
    segment = next(((s, e) for s, e in sentence.segments if s <= at < e), (at, at))
    end = at
    while end < sentence.end and words[end].text not in ("but", "who", ";") and not _own_again(words, at, end):
        end += 1
    following = {w.text for w in words[at + 1 : min(at + 6, end)]}
    before = {w.text for w in words[segment[0] : at]}
    if _reports(words, at + 1, end):
        return at, at
    if words[at].text == "family" and not following & {"history", "hx"} and not before & {"runs", "in", "history"}:
        return at, at
    if not following & _DISEASED and not before & {"in", "history", "runs"}:
        return at, at
    return (segment[0] if before & {"in", "runs", "history"} and not following & {"has", "had", "history"} else at), end


def _reports(words: Sequence[Word], at: int, end: int) -> bool:
    """Whether the relative only tells of it: "his mother says", "relatives have noticed"."""
    while at < end and words[at].text in _AUXILIARY:
        at += 1
    return at < end and words[at].text in _REPORTING


def _own_again(words: Sequence[Word], relative: int, at: int) -> bool:
    """Whether the person speaks of herself again: "my mother has asthma and I have ..."."""
    return (
        at > relative and words[at].text in ("i", "he", "she", "my", "patient") and words[at - 1].text in ("and", ",")
    )


def _past_reach(words: Sequence[Word], sentence: Sentence, at: int) -> int | None:
    """Where a "history of" or "as a child" that begins at `at` ends, or None."""
    text = words[at].text
    if text in _OF_THE_PAST:
        before = [w.text for w in words[max(sentence.start, at - 4) : at]]
        after = words[at + 1].text if at + 1 < sentence.end else ""
        timed = (
            any(b in _UNITS | _LENGTHS for b in before)
            or (text in ("previous", "prior") and (after.isdigit() or after in _UNITS | _COUNTS))
            or (text == "past" and (after.isdigit() or before[-1:] in (["the"], ["over"])))
        )
        if (text == "history" and after != "of") or timed or (text == "past" and after not in ("history", "medical")):
            return None
        end = at + 1
        while end < sentence.end and words[end].text not in _NOW:
            if (
                words[end].text in ("with", "for")
                and end > at + 2
                and _duration_ahead(words, end, sentence, words[end].text)
            ):
                return None if words[end].text == "for" else end
            end += 1
        return end
    return None


def _duration_ahead(words: Sequence[Word], at: int, sentence: Sentence, text: str) -> bool:
    return text == "with" or any(w.text in _UNITS for w in words[at + 1 : min(at + 5, sentence.end)])


def _long_ago(words: Sequence[Word], start: int, end: int) -> bool:
    """ "had X two years ago", "as a child", "used to have X": not said of now."""
    texts = [w.text for w in words[start:end]]
    joined = " ".join(texts)
    if "as a child" in joined or "as a kid" in joined or "in childhood" in joined or _IN_THE_PAST.search(joined):
        return not any(b in texts for b in ("minutes", "hours", "days", "weeks", "week"))
    if "used to" in joined and "am used to" not in joined:
        return True
    if _dated(joined) and not _GOES_ON & set(texts):
        return True
    if "ago" not in texts or _BEGUN & set(texts):
        return False
    unit = texts[texts.index("ago") - 1] if texts.index("ago") else ""
    return unit in ("year", "years") and bool(_BEEN & set(texts))


def _dated(joined: str) -> bool:
    """Whether it is told of a year or an age long gone, and of nothing since: "had X in 1998", "when I was six"."""
    if _CHILDHOOD.search(joined):
        return True
    return bool((_YEAR.search(joined) or _YEARS_BACK.search(joined)) and _BEEN & set(joined.split()))


def _only_asked(words: Sequence[Word], parts: Sequence[Sentence]) -> list[bool]:
    """For each word whether it is of something that nobody has: "in case someone gets bitten"."""
    asked = [False] * len(words)
    by_way = _ASKS.search(" ".join(w.text for w in words))
    for sentence in parts:
        joined, starts = "", []
        for word in words[sentence.start : sentence.end]:
            starts.append(len(joined))
            joined += word.text + " "
        for pattern in (_ASKED, _ASKED_BY_WAY) if by_way else (_ASKED,):
            for m in pattern.finditer(joined):
                first, last = bisect_left(starts, m.start()), bisect_left(starts, m.end())
                _mark(asked, sentence.start + first, sentence.start + last)
    return asked
