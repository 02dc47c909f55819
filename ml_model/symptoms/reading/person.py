"""Age and sex as a description tells them."""

from __future__ import annotations

import re
from typing import Literal

Sex = Literal["female", "male"]

_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_ONES = {w: i for i, w in enumerate(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
     "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
)}  # fmt: skip
_WORDED = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?|{'|'.join(list(_ONES)[1:])})"
)
_OLD = re.compile(
    rf"(?<![\w./])(\d{{1,3}}|{_WORDED})[ -]{{0,2}}(years?|yrs?|y|months?|mths?|mos?|m|weeks?|wks?|w"
    rf"|days?|d)\.?[ /-]{{0,2}}(?:old|o\b|of age)"
)
_AGED = re.compile(r"\b(?:aged?|age is)\b[ :=]{0,3}(\d{1,3})(?![\d./])(?: ?(months?|weeks?|days?))?")
_I_AM = re.compile(
    r"\b(?:i am|i'm|im|he is|she is|he's|she's) (?:an? )?(\d{1,3})(?= ?(?:[,.;\n]|and|years?|y|$|m\b|f\b|female|male))"
)
_NO_DEGREES = (
    r"(?<!temp )(?<!fever )(?<!temp of )(?<!fever of )(?<!ature )(?<!ature of )(?<!over )(?<!up to )(?<![\w./])"
)
_SHORT = re.compile(
    _NO_DEGREES + r"(\d{1,3}) ?(?:y/?o|y)? ?[ /,-]? ?"
    r"(f|m|female|male|woman|man|lady|boy|girl|gentleman)\b(?! ?\d)"
)
_APPOSED = re.compile(
    r"\b(?:son|daughter|mother|father|mum|mom|dad|husband|wife|baby|girl|boy|man|woman|sister"
    r"|brother)\b ?[,(] ?(\d{1,3}) ?[,).]"
)
_CHILD = re.compile(
    r"\b(?:baby|infant|child|son|daughter|boy|girl)\b,? (?:of |is )?(\d{1,2}) ?(months?|weeks?|days?|years?)\b(?! ago)"
)
_DECADE = re.compile(
    r"\b(?:in (?:her|his|my|their) )(?:(early|mid|late)[ -])?(\d0|twenties|thirties|forties|fifties"
    r"|sixties|seventies|eighties|nineties)(?:'?s)?\b"
)
_DECADES = {
    "twenties": 20,
    "thirties": 30,
    "forties": 40,
    "fifties": 50,
    "sixties": 60,
    "seventies": 70,
    "eighties": 80,
    "nineties": 90,
}
_WORDS_OF_AGE = (
    (0.02, re.compile(r"\b(?:newborn|neonate)\b")),
    (
        0.5,
        re.compile(
            r"\binfant\b|\b(?:my|our|the) baby(?:'s|s)? (?:breathing|burning|not|been|having|hasn't|isn't|won't)"
            r"|\b(?:my|our|the) baby (?:has|is|had|was|wo|will|keeps|cries|does|can|went|gone|got|gets|looks?"
            r"|seems?|feels?|sounds?|stopped|started|woke|threw|fell|rolled|hit|choked|turned|just|refuse[sd]?"
            r"|breath\w*|vomit\w*|swallow\w*)"
        ),
    ),
    (
        0.5,
        re.compile(
            r"(?:^|[.,;] ?)(?:little |new )?baby,? (?:girl |boy )?(?:hasn't|hasnt|isn't|won't|wont)\b"
            r"|(?:^|[.,;] ?)(?:little |new )?baby,? (?:girl |boy )?(?:is|has|had|was|wo|will|keeps|cries|does|can|got"
            r"|stopped|stops|went|goes|gone|just|choked|turned|not|with|vomit\w*|grunt\w*|breath\w*|scream\w*|fell|rolled|swallow\w*|cough\w*|crying|feed\w*)\b"
        ),
    ),
    (2.0, re.compile(r"\btoddler\b")),
    (15.0, re.compile(r"\bteenage[rd]?\b")),
)
_UNBORN = re.compile(
    r"\b(?:pregnan\w*|kick\w*|womb|bump|f(?:o)?etal|due date|trimester|in my (?:belly|tummy)|\d\d weeks)\b"
)
_PER_YEAR = {"y": 1.0, "m": 12.0, "w": 52.18, "d": 365.25}
_FEMALE = re.compile(
    r"\b(?:woman|girl|lady|female|daughter|wife|mother|mum|mom|grandmother|sister|pregnant"
    r"|girlfriend|granddaughter|aunt|niece)\b"
)
_MALE = re.compile(
    r"\b(?:man|boy|gentleman|male|son|husband|father|dad|grandfather|brother|boyfriend|grandson|uncle|nephew)\b"
)
_HIS_OWN = re.compile(
    r"\b(?:my|our)(?: [\w-]{1,12}){0,4}? (?:(daughter|wife|mother|mum|mom|grandmother|sister"
    r"|girlfriend|granddaughter|girl)"
    r"|(son|husband|father|dad|grandfather|brother|boyfriend|grandson|boy))\b"
)
_OWN = re.compile(
    r"\bi(?:'m| am)(?: an?)?(?: [\w-]{1,12}){0,4}? (?:(woman|female|girl|lady|pregnant|f)|(man|male|boy|guy|m))\b"
    r"|\b(my periods?|my vagina|my last period|breastfeeding|my womb|missed (?:my|a) period|(?:weeks"
    r"|months) pregnant|pregnant)\b"
    r"|\b(my penis|my testicles?|my prostate|my scrotum|my balls|my foreskin|erection)\b"
)
_AFTER_AGE = re.compile(
    _NO_DEGREES + r"\d{1,3}[ -]{0,2}(?:years?|yrs?|y|months?|mths?|weeks?|wks?|days?)?[ /-]{0,2}(?:old|o)?,? {0,2}"
    r"(?:[a-z-]{1,14} ){0,2}?(?:(female|woman|girl|lady|f)|(male|man|boy|gentleman|m))\b(?! ?old)"
)
_SHE, _HE = re.compile(r"\b(?:she|her|hers|herself)\b"), re.compile(r"\b(?:he|his|him|himself)\b")
_SPEAKS_OF_SELF = re.compile(r"\bi(?:'ve|'m| (?:have|am|feel|had|get|was|noticed|can|keep|woke))\b")


def age_years(text: str) -> float | None:
    """Age in years that a plain text states, or None; 0 to 120."""
    candidates = [(m.start(), _number(m[1]) / _PER_YEAR[_unit(m[2])]) for m in _OLD.finditer(text)]
    candidates += [(m.start(), float(m[1]) / _PER_YEAR[_unit(m[2] or "y")]) for m in _AGED.finditer(text)]
    candidates += [(m.start(), float(m[1]) / _PER_YEAR[_unit(m[2])]) for m in _CHILD.finditer(text)]
    for pattern in (_I_AM, _SHORT, _APPOSED):
        candidates += [(m.start(), float(m[1])) for m in pattern.finditer(text)]
    if not candidates:
        candidates = [(m.start(), _decade(m)) for m in _DECADE.finditer(text)]
    plausible = sorted((at, age) for at, age in candidates if 0 <= age <= 120)
    if plausible:
        return round(plausible[0][1], 3)
    unborn = _UNBORN.search(text) is not None
    return next((age for age, words in _WORDS_OF_AGE if not (unborn and age < 1) and words.search(text)), None)


def _unit(text: str) -> str:
    return text[0]


def _decade(match: re.Match[str]) -> float:
    start = _DECADES.get(match[2]) or int(match[2])
    return start + {"early": 2.0, "mid": 5.0, "late": 8.0}.get(match[1] or "mid", 5.0)


def _number(text: str) -> float:
    if text.isdigit():
        return float(text)
    return float(sum(_TENS.get(part) or _ONES[part] for part in re.split("[ -]", text)))


def sex(text: str) -> Sex | None:
    """Sex of the person that a plain text is about, or None when it does not say."""
    speaks = _SPEAKS_OF_SELF.search(text) is not None
    for pattern in (_OWN, _AFTER_AGE) if speaks else (_AFTER_AGE, _HIS_OWN, _OWN):
        if (m := pattern.search(text)) is not None:
            groups = m.groups()
            return "female" if any(groups[::2]) else "male"
    if speaks:
        return None
    she, he = len(_SHE.findall(text)), len(_HE.findall(text))
    if she != he:
        return "female" if she > he else "male"
    female, male = _FEMALE.search(text), _MALE.search(text)
    if (female is None) == (male is None):
        return None
    return "female" if female else "male"
