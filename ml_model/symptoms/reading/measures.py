"""Figures of a description: temperature, blood pressure, pulse, severity, and how long it has been there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "couple of": 2, "a couple of": 2,
    "a few": 3, "few": 3, "several": 4, "some": 3, "many": 5,
}  # fmt: skip
DAYS = {
    "min": 1 / 1440,
    "sec": 1 / 86400,
    "h": 1 / 24,
    "d": 1.0,
    "n": 1.0,
    "w": 7.0,
    "mo": 30.0,
    "mth": 30.0,
    "y": 365.0,
}
_NUMBER = (
    r"(\d{1,3}(?:\.\d)?|a couple of|couple of|a few|few|several|some|many|an?|one|two|three|four"
    r"|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty)"
)
_UNIT = r"(sec(?:ond)?s?|min(?:ute)?s?|h(?:ou)?rs?|h|days?|d|nights?|weeks?|wks?|w|months?|mo|mths?|years?|yrs?|y)"
_SPAN = re.compile(
    rf"(?<![\w.])(?:x ?)?{_NUMBER}(?: ?(?:-|to|or) ?{_NUMBER})?"
    rf"(?:(?<=\d)[ -]{{0,2}}|(?<=[a-z])[ -]{{1,2}}){_UNIT}(?![a-z])"
)
_FEVER = re.compile(
    r"\b(?:temp[a-z]{0,9}|fever|febrile|pyrexia|t(?= ?[:=]| \d\d\.\d))\b(?![^\d.;\n]{0,16}(?:less|under|below|age|for))"
    r"[^\d.;\n]{0,20}(\d{2,3}(?:\.\d{1,2})?) ?(?:°|deg(?:rees)?)? ?(c|f)?\b(?! ?(?:days?|weeks?|h))"
    r"|\b(?:hot|burning up|boiling|shiver(?:s|ing|y)|chills|rigors|sweats)\b[^\d.;\n]{0,12}(3[5-9]\.\d|4[0-2]\.\d)\b"
    r"(?! ?(?:weeks|wks|kg|days|%|years|stone))"
    r"|\b(?:thermomet\w{1,3}|running|runs|spik(?:ed|ing|es)|burning up)\b[^\d.,;\n]{0,14}"
    r"(3[0-9]\.\d|4[01]\.\d|9\d\.\d|10\d\.\d|10[0-6])(?![\d/])"
    r"(?! ?(?:km?|miles?|m(?:et\w{1,4})?|mph|mg|%|bpm|steps|pounds)\b)"
    r"|(?<![\d.])(\d{2,3}(?:\.\d{1,2})?) ?(?:(?:°|deg(?:rees)?) ?(c|f)?|(c|f)\b)"
)
_PRESSURE = re.compile(
    r"(?:\b(?:bp|blood pressure)\b[^\d.;\n]{0,15})?(?<![\d./])(\d{2,3}) ?(?:/|over) ?(\d{2,3})(?![\d/])"
)
_PULSE = re.compile(
    r"\b(?:pulse|heart rate|hr|heart beat)\b[^\d.;\n/]{0,20}(\d{2,3})\b|(?<![\d.])(\d{2,3}) ?(?:bpm|beats)"
)
_OXYGEN = re.compile(r"\b(?:spo2|sao2|o2 sats?|sats?|saturation|oxygen)\b[^\d.;\n]{0,25}(\d{2,3})(?: ?%)?")
_SUGAR = re.compile(r"\b(?:glucose|sugars?|sugers?|shugar|suggar|bsl|bm)\b[^\d.;\n]{0,25}(\d{1,3}(?:\.\d)?)")
_METER = re.compile(
    r"\b(?:meter|monitor|libre|dexcom|sensor|finger ?prick|bloods?)\b"
    r"(?: (?:is|are|it|now|only|says?|said|reads?|reading|shows?|showing|of|at)){1,3} (\d{1,2}\.\d)\b(?! ?(?:°|deg))"
)
_KETONES = re.compile(r"\b(?:ke(?:y)?tones?|keytons?|ketons?)\b[^\d.;\n]{0,20}(\d{1,2}(?:\.\d)?)\b")
_BREATHS = re.compile(r"\b(?:rr|respiratory rate|resp rate|respirations)\b[^\d.;\n]{0,15}(\d{2,3})\b")
_SCORE = re.compile(r"(?<![\d./])(10|\d(?:\.5)?) ?(?:/|out of) ?(?:10|ten)(?![\d/])")
_WORDED = (
    (10.0, re.compile(r"\b(?:worst|unbearable|excruciating|agonizing|agonising)\b")),
    (8.0, re.compile(r"\b(?:severe|severely|intense|terrible|extreme)\b")),
    (5.0, re.compile(r"\bmoderate\b")),
    (2.0, re.compile(r"\b(?:mild|slight|minor)\b")),
)
_SINCE = {
    "last night": 0.5, "yesterday": 1.0, "this morning": 0.3, "today": 0.3, "last week": 7.0, "last month": 30.0,
    "last year": 365.0, "overnight": 0.4, "birth": 0.0, "childhood": 3650.0, "this afternoon": 0.15, "tonight": 0.1,
    "lunch": 0.3, "lunchtime": 0.3, "breakfast": 0.3, "teatime": 0.2, "dinner": 0.2, "noon": 0.3, "this evening": 0.1,
}  # fmt: skip
_SINCE_WORDS = re.compile(
    r"\b(?:since|from|started|began|onset|begun|happened)\b[^.;\n]{0,20}?\b"
    rf"({'|'.join(_SINCE)}|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b"
)
_SUDDEN = re.compile(
    r"\b(?:sudden(?:ly)?|abrupt(?:ly)?|out of (?:the blue|nowhere)|all at once|instantly|thunderclap)\b|\bacute onset\b"
)
_GRADUAL = re.compile(
    r"\b(?:gradual(?:ly)?|slowly|insidious(?:ly)?|progressive(?:ly)?|over time|little by little|bit by bit)\b"
)
_AGAIN = re.compile(
    r"\b(?:comes? and goes?|on and off|off and on|every few|recurr(?:ent|ing|ence|s)"
    r"|similar episodes?|repeated(?:ly)?|keeps? (?:coming back|getting|happening)"
    r"|intermittent(?:ly)?|happened before|previous episodes?|episodes of|episodic|attacks of"
    r"|bouts of|again and again|several episodes|many times before)\b"
)
_FIRST = re.compile(
    r"\b(?:first time|never (?:had|happened|experienced) [^.;\n]{0,25}?before|never happened before"
    r"|first (?:ever )?episode)\b"
)
HIGH_KETONES = 3.0  # mmol/l
HYPOTHERMIA = 35.0  # degrees Celsius
VERY_SLOW = 40  # beats a minute


@dataclass(frozen=True)
class Vital:
    """A measured figure's finding, and the characters (of the plain text) that say it."""

    finding: str
    start: int
    end: int


def vitals(text: str) -> Iterator[Vital]:
    """Findings that figures in a plain text say: fever, blood pressure, pulse, oxygen, sugar, breaths."""
    for m in _FEVER.finditer(text):
        value, unit = float(m[1] or m[3] or m[4] or m[5]), m[2] or m[6] or m[7] or ""
        if (celsius := _celsius(value, unit)) is not None and (finding := _of_temperature(celsius)):
            yield Vital(finding, m.start(), m.end())
            if celsius < HYPOTHERMIA:
                yield Vital("temperature_below_35", m.start(), m.end())
    for m in _PRESSURE.finditer(text):
        upper, lower = int(m[1]), int(m[2])
        if 50 <= upper <= 280 and 25 <= lower <= 170 and upper > lower + 10:
            if upper >= 140 or lower >= 90:
                yield Vital("blood_pressure_high", m.start(), m.end())
            elif upper < 95 or lower < 55:
                yield Vital("blood_pressure_low", m.start(), m.end())
    yield from _outside(_PULSE, text, 25, 260, (50, "pulse_slow"), (101, "pulse_fast"))
    yield from _outside(_PULSE, text, 25, 260, (VERY_SLOW, "pulse_very_slow"), (261, ""))
    yield from _outside(_OXYGEN, text, 50, 100, (94, "oxygen_low"), (101, ""))
    yield from _outside(_BREATHS, text, 5, 90, (5, ""), (25, "rapid_breathing"))
    for m in _KETONES.finditer(text):
        if float(m[1]) >= HIGH_KETONES:
            yield Vital("breath_smells_fruity", m.start(), m.end())  # what ketones smell of
    for m in (*_SUGAR.finditer(text), *_METER.finditer(text)):
        value = float(m[1])
        milligrams = value * 18 if value < 35 and "." in m[1] or value < 20 else value
        if milligrams < 70 or milligrams >= 200:
            yield Vital("blood_sugar_low" if milligrams < 70 else "blood_sugar_high", m.start(), m.end())


def _outside(
    pattern: re.Pattern[str], text: str, least: int, most: int, low: tuple[int, str], high: tuple[int, str]
) -> Iterator[Vital]:
    for m in pattern.finditer(text):
        value = int(next(g for g in m.groups() if g))
        finding = low[1] if value < low[0] else high[1] if value >= high[0] else ""
        if least <= value <= most and finding:
            yield Vital(finding, m.start(), m.end())


def _celsius(value: float, unit: str) -> float | None:
    if unit != "c" and 90 <= value <= 112:
        return round((value - 32) / 1.8, 1)
    return value if unit != "f" and 30 <= value <= 43 else None


def _of_temperature(celsius: float) -> str:
    if celsius < 35.5:
        return "low_body_temperature"
    return "high_fever" if celsius >= 39 else "fever" if celsius >= 38 else "low_grade_fever" if celsius >= 37.5 else ""


def severity(text: str) -> float | None:
    """How bad it is at worst, 0 to 10, or None when nothing says so."""
    scores = [float(m[1]) for m in _SCORE.finditer(text)]
    return max(scores) if scores else next((value for value, words in _WORDED if words.search(text)), None)


@dataclass(frozen=True)
class Duration:
    """How long in days, and the characters (of the plain text) that say it."""

    days: float
    start: int
    end: int

    @property
    def finding(self) -> str:
        """The finding that says it in one word."""
        steps = ((1, "hours"), (14, "days"), (60, "weeks"), (365, "months"))
        return "duration_" + next((unit for below, unit in steps if self.days < below), "years")


def durations(text: str) -> list[Duration]:
    """How long what is told of has been there, each as it is said, longest first."""
    found = []
    for m in _SPAN.finditer(text):
        before, after = text[max(0, m.start() - 28) : m.start(1)], text[m.end() : m.end() + 14]
        if not _is_of_complaint(before, after, m[3]):
            continue
        amount = max(_amount(m[1]), _amount(m[2]) if m[2] else 0.0)
        found.append(Duration(amount * _days(m[3]), m.start(), m.end()))
    found += [Duration(_SINCE.get(m[1], 3.0), m.start(), m.end()) for m in _SINCE_WORDS.finditer(text)]
    found += [Duration(3 * _days(m[1]), m.start(), m.end()) for m in _UNCOUNTED.finditer(text)]
    found += [Duration(_days(m[1]), m.start(), m.end()) for m in _THE_PAST.finditer(text)]
    return sorted((d for d in found if 0 < d.days <= MAX_DAYS), key=lambda d: -d.days)


MAX_DAYS = 365 * 60
_UNCOUNTED = re.compile(
    r"\b(?:for|over|lasting|past|last) (?:many |the last |the past )?(hours|days|weeks|months|years)\b"
)
_THE_PAST = re.compile(r"\b(?:for|over|in|during|within|since) the (?:past|last) (hour|day|week|month|year)\b")
_BEFORE = re.compile(
    r"(?:\bfor|\bsince|\bover|\bpast|\blast|\bthe|\bx ?|\bwithin|\babout|\bin|\bwith an?|\bafter"
    r"|started|began|duration:?|onset:?|\bduring)"
    r"(?: (?:the|past|last|about|around|roughly|approximately|nearly|almost|at least|more than|over"
    r"|only|just|a|an|previous|preceding)){0,3} ?$"
)
_OTHER_EVENT = re.compile(
    r"\b(?:lmp|periods?|pregnan\w{2,3}|surgery|operation|\w{1,15}ectomy|delivery|birth|quit"
    r"|smok\w{1,3}|vaccin\w{2,5}|returned|cigarettes)"
    r"\b[^.;\n]{0,20}$"
)
_NOT_IT = re.compile(r"\b(?:every|each|lasts?|lasting|aged?|takes?|than) (?:about |for |around |up to |the age of )?$")


def _is_of_complaint(before: str, after: str, unit: str) -> bool:
    if (
        _NOT_IT.search(before)
        or _OTHER_EVENT.search(before)
        or re.match(r"[ -]{0,2}(?:old|of age|pregnan|gestation|postpartum|post)", after)
    ):
        return False
    if before.rstrip().endswith("within") and re.match(r" (?:of|after) ", after):
        return False
    if "day" in unit and re.match(r" ?(?:a|per) ", after):
        return False
    return bool(
        _BEFORE.search(before) or re.match(r"^(?:'s?)? ?-? ?(?:history|ago|now\b|duration|earlier|back\b)", after)
    ) or (bool(re.match(r"^'?s? (?:of|with) ", after)))


def _amount(text: str) -> float:
    return float(text) if text[0].isdigit() else float(NUMBERS[text])


def _days(unit: str) -> float:
    for start in ("min", "sec", "mo", "mth", "h", "d", "n", "w", "y"):
        if unit.startswith(start):
            return DAYS[start]
    return 1.0


def onset_sudden(text: str) -> bool | None:
    """Whether it began suddenly (True) or gradually (False), or None when nothing or both are said."""
    sudden, gradual = _SUDDEN.search(text) is not None, _GRADUAL.search(text) is not None
    return None if sudden == gradual else sudden


def recurrent(text: str) -> bool | None:
    """Whether similar episodes are told of, or None."""
    if _AGAIN.search(text):
        return True
    return False if _FIRST.search(text) else None
