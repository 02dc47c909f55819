"""A text as words with their places in it: accents, marks, short forms, spelling of two continents, stems."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ml_model.symptoms.reading.language import Language, Sequences

NEGATORS = frozenset({"no", "not", "never", "without", "none", "nor", "neither", "non"})
NOT = "not"
MAX_CHARACTERS = 5_000
MAX_WORDS = 1_400
_REMEMBERED_STEMS = 20_000
_RUN_TOGETHER = re.compile(r"(?<=[a-z]{3})(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]++(?:'[^\W\d_]++){0,2}|\d++(?:\.\d++)?|[\n.,;:!?()\[\]/&+*|=%°•-]")
_MARKED = re.compile(r"(?<![a-z])(?:[a-z]/[a-z]/[a-z]|[a-z]/[a-z])(?![a-z])|(?<![a-z])w/")
_CONTROLS = {code: " " for code in (*range(32), 127) if code != 10}
_LETTERS = {"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "ı": "i", "đ": "d", "—": " , ", "…": ". ", "℃": "°c"}
_MARKS = {"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "´": "'", "\u2010": "-", "\u2011": "-", "\u2013": "-"}
_BRITISH = (
    (re.compile(r"^oe(?=[dst])|(?<=rrh)oe|(?<=pn)oe|(?<=c)oe(?=lia)|(?<=f)oe(?=t)|(?<=hom)oe|(?<=am)oe(?=b)"), "e"),
    (
        re.compile(
            r"(?<=h)ae(?=m|c)|(?<=n)ae(?=m|sth|co)|ae(?=mi)|(?<=p)ae(?=d)|(?<=f)ae(?=c)|(?<=c)ae(?=c|s)|^ae(?=ti)"
        ),
        "e",
    ),
    (re.compile(r"(?<=col|tum|lab|fav|vap|hum|rig|avi|ghb|lav)our|(?<=od)our"), "or"),
    (re.compile(r"(?<=[a-z]{4})is(?=(?:e|ed|es|ing|ation)$)"), "iz"),
    (re.compile(r"(?<=paraly)s(?=e)"), "z"),
    (re.compile(r"(?<=lit|fib|met)re(?=s?$)|(?<=cent)re(?=s?$)"), "er"),
    (re.compile(r"(?<=trave)ll(?=ed|ing|er)"), "l"),
    (re.compile(r"^sulph"), "sulf"),
    (re.compile(r"^mould"), "mold"),
    (re.compile(r"^grey"), "gray"),
)
_SHORT = ("short", "shortness")
_SHORT_OF = tuple([first, middle] for first in _SHORT for middle in ("of", "in"))
_SIMPLE = re.compile("[a-z ]+")
_RETURNING = frozenset(
    {"come", "came", "go", "goe", "gone", "went", "bring", "brought", "fight", "look", "push", "put", "slide", "pop"}
)
_KEPT_ISE = frozenset(
    {"exercise", "exercised", "exercises", "exercising", "otherwise", "likewise", "bruise", "bruised", "bruises"}
)


class Word(NamedTuple):
    """One word or mark. `start` and `end` are characters of the text as sent; words of a short form share them."""

    text: str
    stem: str
    start: int
    end: int
    others: tuple[str, ...] = ()
    key: str = ""  # the stem, or "not" for every negating word
    slips: int = 0  # letters mended
    content: bool = False  # says something: no mark, no figure, no everyday word
    is_mark: bool = False  # punctuation or a line's end


@dataclass(frozen=True)
class PlainText:
    """Lower-case text without accents, and for each of its characters where it stood in the text as sent."""

    text: str
    origins: Sequence[int]


def plain_text(text: str) -> PlainText:
    """Lower case, no accents, one kind of apostrophe and hyphen; sentences run together ("feverNot") are parted."""
    breaks = {match.start() for match in _RUN_TOGETHER.finditer(text)}
    if text.isascii() and not breaks:
        return PlainText(text.lower().translate(_CONTROLS), range(len(text)))
    letters: list[str] = []
    origins: list[int] = []
    for at, letter in enumerate(text):
        plain = _plain_letter(letter)
        if at in breaks:
            plain = ". " + plain
        letters.append(plain)
        origins += [at] * len(plain)
    return PlainText("".join(letters), origins)


def _plain_letter(letter: str) -> str:
    if letter.isascii():
        return letter.lower() if letter >= " " or letter == "\n" else " "
    letter = _MARKS.get(letter, letter)
    if letter in _LETTERS or letter.lower() in _LETTERS:
        return _LETTERS.get(letter) or _LETTERS[letter.lower()]
    decomposed = unicodedata.normalize("NFKD", letter.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c))[:4]


def _american(word: str) -> str:
    if word in _KEPT_ISE:
        return word
    for pattern, plain in _BRITISH:
        word = pattern.sub(plain, word)
    return word


def _undouble(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt" else word


def _has_vowel(word: str) -> bool:
    return any(letter in "aeiouy" for letter in word)


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


def _without_suffix(word: str) -> str:
    if word.endswith("ness") and len(word) > 6:
        word = word[:-5] + "y" if word.endswith("iness") else word[:-4]
    if word.endswith("ly") and len(word) > 6:
        word = word[:-2]
    if word.endswith("ing") and len(word) > 5 and _has_vowel(word[:-3]):
        word = _undouble(word[:-3])
    elif word.endswith("ed") and not word.endswith("eed") and len(word) > 4 and _has_vowel(word[:-2]):
        word = _undouble(word[:-2])
    elif word.endswith("ion") and len(word) > 7:
        word = word[:-3]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


class WordReader:
    """Parts texts into words. Holds the language and remembers stems, up to a fixed number."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._sequences = Sequences(language.sequences)
        self._stems: dict[str, str] = {}
        self._known: dict[str, Word] = {}

    def stem(self, word: str) -> str:
        """The stem of a lower-case word, American spelling: swelling, swollen -> swell."""
        if (known := self._stems.get(word)) is not None:
            return known
        irregular = self._language.irregular
        found = irregular.get(word)
        if found is None and word.isalpha() and word.isascii() and len(word) <= 40:
            plain = _american(word)
            single = _without_plural(plain)
            found = irregular.get(plain) or irregular.get(single)
            if found is None:
                found = _without_suffix(single) if len(single) > 3 else single
                found = irregular.get(found, found)
        found = found or word
        if len(self._stems) < _REMEMBERED_STEMS:
            self._stems[word] = found
        return found

    def others(self, word: str) -> tuple[str, ...]:
        """Stems that a word may also be read as."""
        return self._language.also_stems(word, self.stem)

    def read(self, plain: PlainText) -> list[Word]:
        """The words and marks of a text, in order, short forms written out."""
        words: list[Word] = []
        at = 0
        for mark in _MARKED.finditer(plain.text):
            if mark.start() < at:
                continue
            longer = self._language.marked.get(mark.group())
            if longer is None:
                continue
            words += self._plain_words(plain, at, mark.start())
            words += self._written_out(longer, plain.origins[mark.start()], plain.origins[mark.end() - 1] + 1)
            at = mark.end()
        words = (words + self._plain_words(plain, at, len(plain.text)))[:MAX_WORDS]
        return self._set_phrases(words)

    def _set_phrases(self, words: Sequence[Word]) -> list[Word]:
        """Words that mean something else beside others: "came back" is no back, "short of breath" is one word."""
        found: list[Word] = []
        for word in words:
            before = found[-1] if found else None
            if word.text == "back" and before and before.stem in _RETURNING:
                found.append(self._word("again", word.start, word.end))
            elif word.text == "night" and before and before.text == "last":
                found.append(self._word("yesterday", word.start, word.end))
            elif word.text == "breath" and _unparted(found[-3:]) in _SHORT_OF:
                while found[-1].text not in _SHORT:
                    found.pop()
                found[-1] = self._word("breathless", found[-1].start, word.end)
            else:
                found.append(word)
        return found

    def phrase(self, text: str) -> list[Word]:
        """The words of a phrase, without marks."""
        if _SIMPLE.fullmatch(text):
            words = [w for part in text.split() for w in self._simple(part)]
            return self.rewritten(self._set_phrases(words))
        return [word for word in self.rewritten(self.read(plain_text(text))) if not word.is_mark]

    def rewritten(self, words: Sequence[Word]) -> list[Word]:
        """The words with those that mean something else together written as that."""
        return self._sequences.rewritten(words, self._written_out)

    def _simple(self, text: str) -> list[Word]:
        longer = self._language.abbreviations.get(text)
        return [self._word(text, 0, 0)] if longer is None else self._written_out(longer, 0, 0)

    def _plain_words(self, plain: PlainText, start: int, end: int) -> list[Word]:
        found: list[Word] = []
        for match in _WORD.finditer(plain.text, start, end):
            if len(found) > MAX_WORDS:
                break
            origin, origin_end = plain.origins[match.start()], plain.origins[match.end() - 1] + 1
            text = match.group()
            longer = _contraction(text) if "'" in text else self._language.abbreviations.get(text)
            if longer is not None:
                found += self._written_out(longer, origin, origin_end)
            else:
                found.append(self._word(text, origin, origin_end))
        return found

    def respelt(self, word: Word, text: str, slips: int) -> Word:
        """A word read as `text`, in its own place."""
        return self._word(text, word.start, word.end, slips)

    def _word(self, text: str, start: int, end: int, slips: int = 0) -> Word:
        known = self._known.get(text)
        if known is None:
            stop = text in self._language.stop or text in self._language.light
            mark = not text[0].isalnum()
            key = NOT if text in NEGATORS else self.stem(text)
            known = Word(text, self.stem(text), 0, 0, self.others(text), key, 0, text[0].isalpha() and not stop, mark)
            if len(self._known) < _REMEMBERED_STEMS:
                self._known[text] = known
        return Word(text, known.stem, start, end, known.others, known.key, slips, known.content, known.is_mark)

    def _written_out(self, text: str, start: int, end: int) -> list[Word]:
        return [self._word(match.group(), start, end) for match in _WORD.finditer(text)]


def _unparted(words: Sequence[Word]) -> list[str]:
    """The last two words, over a comma: "shortness of, breath"."""
    return [w.text for w in words if w.text != ","][-2:]


_ENDINGS: Mapping[str, str] = {"ve": "have", "re": "are", "ll": "will", "m": "am", "d": "would", "s": "s"}


def _contraction(text: str) -> str:
    """can't -> can not; he's -> he s; o'clock -> oclock."""
    if text in ("can't", "couldn't"):
        return "can not"
    if text == "won't":
        return "will not"
    if text.endswith("n't"):
        return f"{text[:-3]} not"
    first, _, last = text.partition("'")
    return f"{first} {_ENDINGS[last]}" if last in _ENDINGS else text.replace("'", "")
