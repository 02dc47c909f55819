"""Numbers of a text, and whether others bear them out: 0.8934 bears out 89 % and 0.893, and nothing else does.

Digits of every script, words (ninety-nine) and Roman numerals of stages count. A percentage is borne out by a
percentage or a fraction alone, a number with a unit of time or measure by one of the same unit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: float(n) for n, word in enumerate(_SMALL)} | {word: 10.0 * n for n, word in enumerate(_TENS, 2)}
_WORDS |= {"dozen": 12.0, "twice": 2.0, "half": 0.5, "halves": 0.5}
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_PERCENT = frozenset({"%", "percent", "percentage", "per", "pct"})
_UNITS = frozenset([
    "second", "minute", "hour", "day", "week", "month", "year", "mm", "cm", "m", "ms", "s", "mg", "g", "ml", "bpm",
    "mv", "px", "pixel", "mmhg", "hz", "degree",
])  # fmt: skip
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}
_GRADED = frozenset({"stage", "grade", "type", "class", "phase", "category", "rads"})
_DIGITS = r"\d++(?:[.,]\d++)*+"
# A word ends where a digit begins, so that no number hides behind letters ("p99").
_TOKEN = re.compile(rf"{_DIGITS}|[^\W\d_]++|[%\u2030]")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_FRACTION_AT_MOST = 1.0


@dataclass(frozen=True)
class Number:
    """value: of "89.3 %" 89.3, of which one decimal is told. unit: "%", one of time or measure, or none."""

    value: float
    decimals: int
    unit: str


def numbers_of(text: str) -> list[Number]:
    """Every number of a text, in order. Of "4 to 8 weeks" both are weeks."""
    tokens = [found.group() for found in _TOKEN.finditer(unicodedata.normalize("NFKC", text).lower())]
    found, at, range_from = list[Number](), 0, -1
    while at < len(tokens):
        value, decimals, after = _number_at(tokens, at)
        if value is not None:
            unit = _unit(tokens, after)
            if at == range_from and unit:
                found[-1] = replace(found[-1], unit=unit)
            found.append(Number(value, decimals, unit))
            between = _next(tokens, after) in ("to", "or", "and")
            range_from = -1 if unit else after + between
        at = max(after, at + 1)
    return found


def _number_at(tokens: list[str], at: int) -> tuple[float | None, int, int]:
    """The number that begins there, its decimals, and where what follows it begins."""
    word = tokens[at]
    if word[0].isdigit():
        plain = word.replace(",", "") if _THOUSANDS.fullmatch(word) else word.replace(",", ".")
        whole, _, decimals = plain.partition(".")
        decimals = decimals.replace(".", "")
        value = float(f"{whole}.{decimals or 0}")
        scale = _SCALES.get(tokens[at + 1], 1.0) if at + 1 < len(tokens) else 1.0
        return value * scale, len(decimals), at + (2 if scale > 1 else 1)
    if word in _ROMAN and at and tokens[at - 1] in _GRADED:
        return float(_ROMAN[word]), 0, at + 1
    return _in_words(tokens, at)


def _in_words(tokens: list[str], at: int) -> tuple[float | None, int, int]:
    value, start = 0.0, at
    while at < len(tokens) and (word := tokens[at]) in _WORDS | _SCALES:
        if word in _SCALES:
            value = max(value, 1.0) * _SCALES[word]
        elif value and not _goes_on(value, _WORDS[word]):
            break
        else:
            value += _WORDS[word]
        at += 1
    if at == start:
        return None, 0, at + 1
    # "one" is a number where it counts something: "no one" is nobody.
    if tokens[start:at] == ["one"] and not (_unit(tokens, at) or _next(tokens, at) in ("in", "out", "of")):
        return None, 0, at
    return value, 1 if value == _WORDS["half"] else 0, at


def _goes_on(value: float, more: float) -> bool:
    """Whether "sixty" goes on with "two", "hundred" with "twenty"; "two" and "three" are two numbers."""
    return (value % 100 == 0) or (value % 10 == 0 and value % 100 >= 20 and 0 < more < 10)


def _next(tokens: list[str], at: int) -> str:
    return tokens[at] if at < len(tokens) else ""


def _unit(tokens: list[str], at: int) -> str:
    word = _next(tokens, at)
    if word in _PERCENT and (word != "per" or _next(tokens, at + 1) == "cent"):
        return "%"
    plain = word.removesuffix("s") if len(word) > 2 else word
    return plain if plain in _UNITS else ""


class Borne:
    """What the numbers of some texts bear out."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._numbers = frozenset(number for text in texts for number in numbers_of(text))

    def out(self, said: Number) -> bool:
        """Whether one of them is that number, or gives it when rounded."""
        return any(_same(said, value, decimals) for value, decimals in self._comparable(said))

    def __call__(self, text: str) -> bool:
        """Whether every number of a text is borne out."""
        return all(self.out(number) for number in numbers_of(text))

    def _comparable(self, said: Number) -> Iterator[tuple[float, int]]:
        for known in self._numbers:
            if said.unit == known.unit or (not said.unit and known.unit != "%"):
                yield known.value, known.decimals
            elif said.unit == "%" and not known.unit and known.decimals and known.value <= _FRACTION_AT_MOST:
                yield known.value * 100, max(known.decimals - 2, 0)
            elif not said.unit and known.unit == "%" and said.decimals:
                yield known.value / 100, known.decimals + 2


def _same(said: Number, value: float, decimals: int) -> bool:
    if said.decimals >= decimals:
        return abs(said.value - value) < 1e-9 * max(1.0, value)
    return abs(said.value - value) <= 0.5 * 10.0**-said.decimals + 1e-9
