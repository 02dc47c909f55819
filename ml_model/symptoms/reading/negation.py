"""What a text says is not there: scope of no, not, denies, absent, and what only looks like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml_model.symptoms.reading.clauses import Sentence
from ml_model.symptoms.reading.language import Language
from ml_model.symptoms.reading.words import Word

_FIRM = frozenset({"denies", "denied", "deny", "denying", "neither", "negative"})
_SUCH = frozenset({"such", "like", "before", "so", "worse", "this"})
_ABSENT_AFTER = frozenset({"absent", "denied", "negative", "none", "nil", "no", "nope"})
_GONE = frozenset({"resolved", "gone", "disappeared", "settled", "stopped", "subsided", "cleared"})
_DONE = frozenset({"has", "have", "completely", "now", "is", "are"})
_GOES_ON = frozenset({"to", "up", "down", "on"})
_NOT_SINCE = frozenset({"", ",", ".", "and", "but", "now", "away", "completely", "since", "after", "again", "today"})
_SEEN = frozenset(["present", "noted", "seen", "found", "observed", "reported", "there", "evident", "detected"])


@dataclass
class Negation:
    """For each word whether it is denied, and which negating word denies it (by number)."""

    denied: list[bool]
    by: list[int]


class NegationReader:
    """Finds what is denied, by the word lists of a language. Immutable."""

    def __init__(self, language: Language) -> None:
        groups = language.groups
        self._breaks = groups["breaks"]
        self._verbs = groups["verbs"]
        self._later = groups["later"]
        self._persists = groups["persists"]
        self._adverbs = groups["between"]
        self._listing = groups["listing"]

    def read(self, words: Sequence[Word], parts: Sequence[Sentence]) -> Negation:
        """Mark the words that are said to be absent."""
        negation = Negation([False] * len(words), [-1] * len(words))
        for sentence in parts:
            if sentence.section == "absent":
                _mark(negation, sentence.start, _first_break(words, sentence), -2)
                continue
            at = sentence.start
            while at < sentence.end:
                if words[at].text in _ABSENT_AFTER | _GONE | {"not", "ruled"}:
                    self._mark_before(words, sentence, at, negation)
                at = max(at + 1, self._mark_after(words, sentence, at, negation))
        return negation

    def _mark_after(self, words: Sequence[Word], sentence: Sentence, at: int, negation: Negation) -> int:
        """Mark what a negating word at `at` denies; where to read on."""
        text, after = words[at].text, _text(words, at + 1, sentence)
        if text in ("absence", "free") and after in ("of", "from"):
            return self._mark_scope(words, sentence, at, at + 2, True, negation)
        if text == "lack" and after == "of":
            return self._mark_scope(words, sentence, at, at + 2, False, negation)
        if text == "non":
            _mark(negation, at + 1, min(at + 2 + (after == "-"), sentence.end), at)
            return at + 2
        if text == "negative" and after not in ("for", ":"):
            return at + 1
        if text in self._listing:
            if text == "no" and after == "longer":
                return self._mark_scope(words, sentence, at, at + 2, False, negation)
            if text in ("no", "without") and (own := self._persisting(words, sentence, at)) is not None:
                _mark(negation, own, own + 1, at)
                return own + 1
            firm = (
                text in _FIRM
                or at == sentence.start
                or not any(w.text[0].isalpha() for w in words[sentence.start : at])
            )
            return self._mark_scope(words, sentence, at, at + 1, firm, negation)
        if text in ("not", "never"):
            return self._verbal(words, sentence, at, negation)
        return at + 1

    def _persisting(self, words: Sequence[Word], sentence: Sentence, at: int) -> int | None:
        """The word of "no improvement", "not been relieved": what is denied is that word alone."""
        for ahead in range(at + 1, min(at + 4, sentence.end)):
            if words[ahead].text in self._persists:
                return ahead
            if words[ahead].text == "go" and _text(words, ahead + 1, sentence) == "away":
                return ahead
            if words[ahead].text not in self._adverbs:
                return None
        return None

    def _verbal(self, words: Sequence[Word], sentence: Sentence, at: int, negation: Negation) -> int:
        before, after = _text(words, at - 1, sentence), _text(words, at + 1, sentence)
        rest = {w.text for w in words[at + 1 : min(at + 8, sentence.end)]}
        if before == "can" and not rest & {"any", "find"}:
            return at + 1
        if words[at].text == "never" and rest & _SUCH and not {"smoked", "smoker"} & rest:
            return at + 1
        if (own := self._persisting(words, sentence, at)) is not None:
            if words[own].text == "without":
                return own + 1
            _mark(negation, own, own + 1, at)
            return own + 1
        listing = after in ("have", "had", "having", "any", "experience", "experienced", "a", "report", "complain")
        return self._mark_scope(words, sentence, at, at + 1, listing and before in ("did", "does", "do"), negation)

    def _mark_scope(
        self, words: Sequence[Word], sentence: Sentence, by: int, start: int, firm: bool, negation: Negation
    ) -> int:
        """Mark from `start` to where the denial ends. `firm`: it goes on over commas without an "or"."""
        at, content = start, 0
        while at < sentence.end:
            text = words[at].text
            if text in self._breaks or (at > start and text in self._listing | {"not", "never"} and text != "nor"):
                break
            if content and text in self._verbs:
                break
            if text in (",", "/", "&") and not self._goes_on(words, sentence, at, firm):
                break
            if text == "and" and _text(words, at + 1, sentence) in self._verbs | {"with", "my", "a"}:
                break
            if text in (":", "(", ")"):
                break
            content += text.isalpha() and text not in self._verbs
            at += 1
        _mark(negation, start, at, by)
        return at

    def _goes_on(self, words: Sequence[Word], sentence: Sentence, comma: int, firm: bool) -> bool:
        """Whether a list of denied things goes on behind a comma: "no X, Y or Z"."""
        item: list[str] = []
        for ahead in range(comma + 1, sentence.end):
            text = words[ahead].text
            if text in ("or", "nor"):
                return not self._later & set(item) or words[comma + 1].text in ("or", "nor")
            if text in self._breaks or text in self._listing:
                break
            if text in self._verbs and ahead > comma + 1:
                item.append(text)
                break
            if text == "," and not firm and self._later & set(item):
                return False
            item.append(text)
        first = item[0] if item else ""
        return firm and first not in self._verbs | {"with", "my", "a"} and not self._later & set(item)

    def _mark_before(self, words: Sequence[Word], sentence: Sentence, at: int, negation: Negation) -> None:
        """Mark what stands before "is absent", ": no", "has resolved", "was ruled out", "not present"."""
        text, before, after = words[at].text, _text(words, at - 1, sentence), _text(words, at + 1, sentence)
        copula = before in ("is", "are", "was", "were", "has", "have", "been", "now", "s", "all", "both", "be")
        if text in ("not", "no"):
            reached = (
                text == "not" and (after in _SEEN or (after == "been" and _text(words, at + 2, sentence) in _SEEN))
            ) or (before in (":", "-", "=", "?") and after in ("", ",", ".") and text == "no")
        elif text == "ruled":
            reached = after == "out" and "not" not in {w.text for w in words[max(sentence.start, at - 4) : at]}
        elif text in _GONE:
            reached = before in _DONE and (after not in _GOES_ON if text != "gone" else after in _NOT_SINCE)
        else:
            reached = copula or before in (":", "-", "=", "?") or (text == "absent" and after == "")
        if not reached:
            return
        start = at
        while start > sentence.start and words[start - 1].text not in self._breaks | {";", "with"}:
            start -= 1
        _mark(negation, start, at, at)


def _first_break(words: Sequence[Word], sentence: Sentence) -> int:
    return next((i for i in range(sentence.start, sentence.end) if words[i].text in ("but", "except")), sentence.end)


def _mark(negation: Negation, start: int, end: int, by: int) -> None:
    for at in range(start, end):
        negation.denied[at] = True
        negation.by[at] = by


def _text(words: Sequence[Word], at: int, sentence: Sentence) -> str:
    return words[at].text if sentence.start <= at < sentence.end else ""
