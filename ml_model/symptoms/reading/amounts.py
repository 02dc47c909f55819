"""Counts that mean something: weeks of pregnancy, days that a period is late, tablets taken at once; and what is told
of only together with what stands elsewhere: "he has not moved since last night", 31 weeks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from ml_model.symptoms.reading.measures import NUMBERS, Vital

_COUNT = r"(\d{1,2}(?:\.\d)?|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_WEEKS = re.compile(
    r"(?<![\d.])(\d{1,2})(?: ?(?:\+ ?\d|\d ?/ ?7))?[ -]{0,2}(?:weeks?|wks?|weaks?)(?:'|s)?(?: and \d days?)?[ ,-]{0,2}"
    r"(?:of )?(?:pregnan\w{0,4}|gestation\w{0,2}|along|preg\b|gone\b|gravid\w{0,2})"
    r"|\b(?:i am|i'm|im|she is|she's|shes|currently|wife is|pregnant(?:,| at| with my \w{1,8},?)?"
    r"|gestation(?: of)?) ?(?:about |now )?(\d{1,2})(?: ?\+ ?\d)? ?(?:weeks?|wks?|weaks?)"
    r"(?! ?(?:old|ago|post|after|into|since|late|clean|sober|out|off|in))"
)
_MONTHS = re.compile(rf"\b{_COUNT}[ -]{{0,2}}(?:months?|mths?|mos?)[ -]{{0,2}}(?:pregnan\w{{0,4}}|along\b|gone\b)")
_THIRD = re.compile(r"\b(?:third|3rd|last) trimester\b")
_FIRST = re.compile(r"\b(?:first|1st) trimester\b")
_LATE = re.compile(
    rf"\b(?:periods?|menses|menstruation|time of the month)\b[^.;\n]{{0,16}}?"
    rf"\b{_COUNT} ?(days?|weeks?|wks?|months?) (?:late|overdue|delayed)"
    rf"|\b{_COUNT} ?(days?|weeks?|wks?|months?) late\b[^.;\n]{{0,20}}?\bperiods?\b"
)
_LAST = re.compile(
    rf"\b(?:lmp|last (?:menstrual )?period|last menses)\b[^.;\n\d]{{0,22}}?\b{_COUNT}"
    r" ?(days?|weeks?|wks?|months?|years?) ago"
)
_TABLETS = re.compile(
    r"\b(?:took|taken|taking|swal+ow(?:ed)?|ate|eaten|downed|popped|ingested|had|necked)\b[^.;\n\d]{0,24}?(\d{2,3})\b ?"
    r"(?![/.\d]|mg|mcg|ml|g\b|days?|hours?|minutes?|weeks?|months?|years?)(?:[a-z]{1,14} ){0,3}?"
    r"(?:tablets?|tabs|pills?|capsules?|caps|parac[a-z]{4,8}|tylenols?|ibuprofens?|aspirins?|painkillers?|sleeping)\b"
)
_BARE = re.compile(
    r"(?<!for )(?<!last )(?<!past )(?<!over )(?<!every )(?<!within )(?<![\d.])\b(\d{2})(?: ?\+ ?\d)? ?(?:weeks|wks)\b"
    r"(?! ?(?:ago|old|post|after|late|since|and still|into|history))"
)
_EXPECTING = re.compile(
    r"\b(?:contractions?|tightenings?|waters?\b[^.;\n]{0,12}\b(?:broke|broken|went|gone|leak\w*)"
    r"|(?:broke|broken|breaking) waters?|bump|midwife|f(?:o)?etal|kick\w*|labou?r|pregnan\w+|braxton)\b"
)
_WEIGHT = re.compile(
    r"\b(?:(lost|losing|loses?|shed|dropped|down)|(gained|gaining|gains?|put on|putting on|increase[ds]? (?:of|by)))\b"
    r"[^.;\n\d]{0,20}?(\d{1,3}(?:\.\d)?) ?(?:-|to)? ?(?:\d{1,3})? ?(kgs?|kilos?|kilograms?|lbs?|pounds?|stones?|st)\b"
)
_FITTING = re.compile(
    r"\b(?:fit|fits|fitting|seizures?|seizing|convuls\w{2,5})\b[^.;\n]{0,24}?\b(?:for|lasted|lasting|since|already|over|than)\b"
    rf"[^.;\n\d]{{0,14}}?\b{_COUNT} ?(min|h)"
)
_NOSE = re.compile(
    r"\bnose(?: has| is| keeps?| won't stop| started)?(?: been)? ?(?:bleed\w{0,3}|bled)"
    r"[^.;\n]{0,30}?\b(?:for|over|than|since|after|lasting|lasted|going)\b"
    rf"[^.;\n\d]{{0,14}}?\b(?:{_COUNT} ?(min|h)|(half an|an) (hour))"
)
_NOT_MOVED = re.compile(
    r"\b(?:has ?n[o']t|hasnt|have ?n[o']t|havent|not|no|stopped|barely|hardly|is ?n[o']t|isnt)"
    r" (?:[a-z]{1,10} ){0,2}?(?:mov(?:ed|ing)|kick(?:ed|ing|s)|wriggl(?:ed|ing)|stirred)\b(?! (?:my |her |its )?"
    r"(?:bowels|house))"
)
_UNBORN = re.compile(r"\b(?:baby|bub|bump|little one|kick\w{0,3}|wriggl\w{1,3}|he|she)\b")
_BLEEDING = re.compile(
    r"(?<!no )(?<!not )(?<!without )(?<!any )\b(?:ble[ae]+ding|spotting|bled)\b(?! (?:gum|nose|pile))"
)
_BLEEDS_ELSEWHERE = re.compile(
    r"\b(?:gums?|nose|piles|h(?:a)?emorrhoids?|bottom|bum|cut|wound|vomit\w{0,3}|ulcer|anus)\b"
)
_LEAKING = re.compile(
    r"\b(?:cle+r|clear|watery)\b[^.;\n]{0,30}\b(?:out|from|leak\w{0,3}|drip\w{0,4}|run\w{0,4})\b"
    r"[^.;\n]{0,20}\b(?:ears?|nose)\b"
    r"|\b(?:ears?|nose)\b[^.;\n]{0,20}\b(?:leak|drip|pour)\w{0,4}\b[^.;\n]{0,10}\b(?:clear|watery)\b"
)
_ONLY_BLOOD = re.compile(
    r"\b(?:toilet|loo|bog|lavatory|poo(?:ed|ing|s)?|bowels|motions?|stools?)\b[^.;\n]{0,60}"
    r"\b(?:just|only|all|pure|mostly|nothing but|full of)(?: dark| bright| red){0,2} blood\b"
)
_NO_STOOL = re.compile(r"\b(?:pee\w{0,3}|wee\w{0,3}|urin\w{1,4}|periods?|vomit\w{0,3}|sick|nose)\b")
_WIDE = re.compile(
    r"\b(?:w?hole|entire|over|down|onto)(?: of)?(?: my| his| her| the| their){0,2}"
    r" (?:himself|herself|myself|chest|back|belly|tummy|stomach|thighs?|neck|body|arms|legs?)\b"
)
_DAYS = {"d": 1.0, "w": 7.0, "m": 30.0, "y": 365.0}
FULL_TERM_WEEKS, LATE_WEEKS, EARLY_WEEKS = 37, 28, 13
LONG_AGO_DAYS = 300
OVERDUE_DAYS, TOO_MANY_TABLETS = 35, 9
LONG_FIT_MINUTES, LONG_NOSEBLEED_MINUTES = 5, 15


def amounts(text: str) -> Iterator[Vital]:
    """Findings that counts in a plain text say."""
    for m in _WEEKS.finditer(text):
        weeks = int(m[1] or m[2])
        if 3 <= weeks <= 43:
            yield from _pregnant(weeks, m)
    for m in _MONTHS.finditer(text):
        yield from _pregnant(round(_count(m[1]) * 4.35), m)
    for m in _THIRD.finditer(text):
        yield from _pregnant(LATE_WEEKS, m)
    for m in _FIRST.finditer(text):
        yield from _pregnant(EARLY_WEEKS - 1, m)
    if _EXPECTING.search(text):
        for m in _BARE.finditer(text):
            if 20 <= int(m[1]) <= 42:
                yield from _pregnant(int(m[1]), m)
    for m in _WEIGHT.finditer(text):
        yield Vital("weight_loss_unintentional" if m[1] else "weight_gain", m.start(), m.end())
    yield from _lasting(text)
    for m in _LATE.finditer(text):
        yield Vital("missed_period", m.start(), m.end())
    for m in _LAST.finditer(text):
        days = _count(m[1]) * _DAYS[m[2][0]]
        if days >= OVERDUE_DAYS:
            yield Vital("missed_period" if days <= LONG_AGO_DAYS else "no_periods", m.start(), m.end())
    for m in _TABLETS.finditer(text):
        if int(m[1]) > TOO_MANY_TABLETS:
            yield Vital("overdose_taken", m.start(), m.end())


def together(text: str, present: Collection[str]) -> Iterator[Vital]:
    """Findings that a plain text says given that others (`present`) are told of in it."""
    late = not {"pregnancy_late", "pregnancy_before_37_weeks"}.isdisjoint(present)
    if late and "reduced_fetal_movements" not in present and _UNBORN.search(text) and (m := _NOT_MOVED.search(text)):
        yield Vital("reduced_fetal_movements", m.start(), m.end())
    if "pregnant" in present and not _BLEEDS_ELSEWHERE.search(text) and (m := _BLEEDING.search(text)):
        yield Vital("vaginal_bleeding_in_pregnancy", m.start(), m.end())
    if "head_injury" in present and (m := _LEAKING.search(text)):
        yield Vital("clear_fluid_nose_or_ear_after_injury", m.start(), m.end())
    if not _NO_STOOL.search(text) and (m := _ONLY_BLOOD.search(text)):
        yield Vital("blood_in_stool", m.start(), m.end())
    if not {"burn_injury", "blistering_burn"}.isdisjoint(present) and (m := _WIDE.search(text)):
        yield Vital("burn_large", m.start(), m.end())


def _pregnant(weeks: int, m: re.Match[str]) -> Iterator[Vital]:
    found = ["pregnant"]
    if weeks < EARLY_WEEKS:
        found.append("pregnancy_early")
    if weeks >= LATE_WEEKS:
        found.append("pregnancy_late")
    if 20 <= weeks < FULL_TERM_WEEKS:
        found.append("pregnancy_before_37_weeks")
    for finding in found:
        yield Vital(finding, m.start(), m.end())


def _lasting(text: str) -> Iterator[Vital]:
    """Fits and nosebleeds that go on too long."""
    for m in _FITTING.finditer(text):
        if _count(m[1]) >= LONG_FIT_MINUTES or m[2] == "h":
            yield Vital("seizure_prolonged", m.start(), m.end())
    for m in _NOSE.finditer(text):
        if m[3] or m[2] == "h" or _count(m[1]) >= LONG_NOSEBLEED_MINUTES:
            yield Vital("nosebleed_prolonged", m.start(), m.end())


def _count(text: str) -> float:
    return float(text) if text[0].isdigit() else float(NUMBERS[text])
