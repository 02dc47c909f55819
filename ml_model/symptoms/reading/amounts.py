"""Counts that mean something: weeks of pregnancy, days that a period is late, tablets taken at once; and what is told
of only together with what stands elsewhere: "he has not moved since last night", 31 weeks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from ml_model.symptoms.reading.measures import NUMBERS, Vital

_COUNT = r"(\d{1,2}(?:\.\d)?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty)"
_WEEKS = re.compile(
    r"(?<![\d.])(\d{1,2})(?: ?(?:\+ ?\d|\d ?/ ?7))?[ -]{0,2}(?:weeks?|wks?|weaks?)(?:'|s)?(?: and \d days?)?[ ,-]{0,2}"
    r"(?:of )?(?:pregnan\w{0,4}|gestation\w{0,2}|along|preg\b|gone\b|gravid\w{0,2})"
    r"|\b(?:i am|i'm|im|she is|she's|shes|currently|wife is|pregnant(?:,| at| with my \w{1,8},?)?"
    r"|gestation(?: of)?) ?(?:about |now )?(\d{1,2})(?: ?\+ ?\d)? ?(?:weeks?|wks?|weaks?)"
    r"(?! ?(?:old|ago|post|after|into|since|late|clean|sober|out|off|in))"
)
_MONTHS = re.compile(
    rf"\b{_COUNT}[ -]{{0,2}}(?:months?|mths?|mos?)[ -]{{0,2}}(?:pregnan\w{{0,4}}|preg\b|along\b|gone\b)"
)
_BARE_MONTHS = re.compile(rf"\b(?:i am|i'm|im|she is|she's) {_COUNT} months?(?= and\b| now\b|,)")
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
_MEDICINE = (
    r"(?:tablets?|tabs|tabl[aei]ts?|pil+[sz]?|capsules?|caps|parac[a-z]{4,8}|acetam[a-z]{3,9}|tyl[ae]nols?|ibu[a-z]{3,8}"
    r"|advils?"
    r"|panadols?|aspirins?|naproxens?|aleves?|xanax|valium|[a-z]{3,9}(?:azepam|azolam|codone|morphone|triptyline|oxetine|traline)"
    r"|oxys?|oxycontin|percocets?|vicodins?|norcos?|fent[a-z]{3,4}|methadone|morphine|tramadol|codeine|ambiens?"
    r"|benadryls?|antidepres[a-z]{2,7}|pain ?killers?|sleeping|sleepers|meds?|medicines?|medications?|iron"
    r"|co-?codamols?|co-?dydramols?|nurofens?|anadins?|solpadeines?|digoxins?|warfarins?|metformins?|gliclazides?"
    r"|[a-z]{3,9}(?:olol|dipine|tiapine|apine|iclone|gabalin|gabapentin|histamines?|blockers)|lithium)"
)
_GREAT = (
    r"(?:severe|terrible|awful|horr(?:ible|ific|endous)|excruciating|agoni[sz]ing|unbearable|dreadful|savage|vicious)"
)
_GREAT_PAIN = re.compile(
    rf"(?<!no )(?<!not )(?<!without )\b{_GREAT}\b[^.,;\n]{{0,24}}\b(?:pains?|cramps?)\b"
    rf"|\bpains?\b[^.,;\n]{{0,24}}\b(?:is |are |so |really ){{1,2}}(?:bad|{_GREAT})\b"
)
_TIME_OF_DAY = (
    r"(?:this|in the|at|after|before|for|with|last|yesterday|to-?ni(?:ght|te)|today|now|more|later|again|then|another)"
)
_BY_AND_BY = re.compile(rf"(?<![\d.])(?<!at )(?<!by )(\d{{1,2}})(?= (?:{_MEDICINE} )?(?:of them )?{_TIME_OF_DAY}\b)")
_TENS = {
    "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "twentyfive": 25, "thirty": 30, "forty": 40, "fourty": 40,
    "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "dozen": 12, "dozens": 24, "hundred": 100,
    "hundreds": 100,
}  # fmt: skip
_TOOK = (
    r"\b(?:took|taken|tuk|swal+ow(?:ed)?|swall?(?:er|i)e?d|ate|eaten|downed|popped|ingested|had|necked|chugged|gulped"
    r"|emptied"
    r"|inhaled|scoffed|guzzled|gobbled|munched|knocked back|sank)\b"
)
_TABLETS = re.compile(
    rf"(?:{_TOOK}|\btaking\b)[^.;\n\d]{{0,24}}?\b(\d{{2,3}}|{'|'.join(_TENS)})\b ?"
    r"(?![/.\d]|mg|mcg|ml|g\b|days?|hours?|minutes?|weeks?|months?|years?)"
    rf"(?:[a-z']{{1,14}} ){{0,4}}?{_MEDICINE}\b(?![^.;\n]{{0,12}}\b(?:a|per|each|every|over) (?:the |past |last )*"
    r"(?:day|week|month|year))"
)
_OF_OTHERS = re.compile(
    r"\b(?:toddler|tot|bab+y|bairn|wea?n|child|kid|little (?:one|man|girl|boy)|littl'?un|grandson|granddaughter"
    rf"|year old)\b[^.,;\n]{{0,30}}?(?<!\bi )(?:{_TOOK}|\b(?:eats?|got (?:in)?to|chewed|swallied)\b)[^.,;\n]{{0,16}}?"
    r"\b(?:grann?(?:y|dad)?|grand?m?p?a|nan(?:na)?|mum|mam|mom|mummy|dad|daddy|my|our|somebody|someone|the (?:dog|cat))"
    rf"(?:'?s)? (?:[a-z']{{1,14}} ){{0,2}}?{_MEDICINE}\b"
)
_TAKEN = re.compile(rf"{_TOOK}[^.;\n]{{0,24}}?{_MEDICINE}")
_TOO_MANY = re.compile(
    rf"{_TOOK}[^.;\n]{{0,16}}?\b(?:too|2|to|two) (?:many|much) (?:of )?(?:[a-z']{{1,14}} ){{0,3}}?{_MEDICINE}\b"
)
_WHOLE = re.compile(
    rf"{_TOOK}[^.;\n]{{0,12}}?\b(?:(?:the |a |an |half |whole |entire |full )*(?:bottle|box|pack(?:et)?|strip|tub)"
    r"|(?:bunch|ton|tons|load|loads|handfuls?|fistfuls?|pile|mouthful|heap)) of (?:[a-z']{1,14} ){0,3}?"
    rf"{_MEDICINE}\b|{_TOOK} all (?:of )?(?:my|his|her|the) (?:[a-z']{{1,14}} ){{0,3}}?{_MEDICINE} (?:at once|in one)\b"
    r"|\b(?:week|month|day)'?s'? worth\b[^.;\n]{0,16}\b(?:at once|in one|together|by mistake)"
    r"|\bo\.?d(?:'?e?d|ed|ing)\b|\bod on\b"
)
_BARE = re.compile(
    r"(?<!for )(?<!last )(?<!past )(?<!over )(?<!every )(?<!within )(?<![\d.])\b(\d{2})(?: ?\+ ?\d)? ?(?:weeks|wks)\b"
    r"(?! ?(?:ago|old|post|after|late|since|and still|into|history))"
)
_EXPECTING = re.compile(
    r"\b(?:contractions?|tightenings?|waters?\b[^.;\n]{0,12}\b(?:broke|broken|went|gone|leak\w*)"
    r"|(?:broke|broken|breaking) waters?|bump|midwife|f(?:o)?etal|kick\w*|labou?r|pregnan\w+|braxton|wriggl\w+|wiggl\w+"
    r"|flutters?|somersaults?|baby\b[^.;\n]{0,24}\b(?:mov\w+|quiet\w*)|movements?|bleeding|spotting"
    r"|blood pressure|bp)\b"
)
_WEIGHT = re.compile(
    r"\b(?:(lost|losing|loses?|shed|dropped|down)|(gained|gaining|gains?|put on|putting on|increase[ds]? (?:of|by)))\b"
    r"[^.;\n\d]{0,20}?(\d{1,3}(?:\.\d)?) ?(?:-|to)? ?(?:\d{1,3})? ?(kgs?|kilos?|kilograms?|lbs?|pounds?|stones?|st)\b"
)
_FITTING = re.compile(
    r"\b(?:fit|fits|fitting|seizures?|seizing|convuls\w{2,5}|(?:jerk|twitch|thrash|spasm)ing"
    r"|sha(?:king|kes) all over)\b[^.;\n]{0,24}?\b(?:for|lasted|lasting|since|already|over|than|been)\b"
    rf"[^.;\n\d]{{0,14}}?\b{_COUNT} ?(min|h)"
)
_NOSE = re.compile(
    r"\bnose(?: has| is| keeps?| won't stop| started)?(?: been)? ?(?:bleed\w{0,3}|bled)"
    r"[^.;\n]{0,30}?\b(?:for|over|than|since|after|lasting|lasted|going)\b"
    rf"[^.;\n\d]{{0,14}}?\b(?:{_COUNT} ?(min|h)|(half an|an) (hour))"
)
_NOT_MOVED = re.compile(
    r"\b(?:has ?n[o']t|hasnt|have ?n[o']t|havent|not|no|stopped|barely|hardly|is ?n[o']t|isnt)"
    r" (?:[a-z]{1,10} ){0,3}?(?:budg(?:ed?|ing)|mov(?:ed|ing|ements?)|kick(?:ed|ing|s)?|wi(?:g|rigg)l(?:ed|ing|es?)"
    r"|stirred|flutters?|felt her|felt him)\b"
    r"(?! (?:my |her |its )?(?:bowels|house))|\bfelt nothing\b"
    r"|\bnot a (?:thing|kick|peep|flutter|wiggle|budge|sausage)\b"
    r"|\b(?:can ?no?t|can'?t|cannot) (?:remember|recall|think of|say) (?:when|the last time) (?:he|she|it|baby|they)"
    r" (?:last )?(?:kicked|moved)\b"
)
_MUSHROOMS = re.compile(
    r"\b(?:mush(?:ie|room|rom)s?|shrooms|toadstools?|fungi)\b[^;\n]{0,60}"
    r"\b(?:pick\w{0,3}|forag\w{2,3}|collect\w{0,3}|gather\w{0,3}|found|wild|forests?|woods?|fields?|oaks?|garden|lawn)\b"
    r"|\b(?:pick\w{0,3}|forag\w{2,3}|collect\w{0,3}|gather\w{0,3}|found|wild|ate|eaten)\b[^;\n]{0,40}"
    r"\b(?:mush(?:ie|room|rom)s?|shrooms|toadstools?|fungi)\b"
)
_INSIDE = re.compile(
    r"\b(?:baby|bub|little one)\b[^.;\n]{0,12}\b(?:in|inside) (?:my (?:belly|tummy|womb|stomach)|me)\b"
)
_UNBORN = re.compile(
    r"(?<!bowel )\b(?:baby|bub|bump|(?:little|wee) (?:one|man|fella)|movements?|kick\w{0,3}|wriggl\w{1,3}|he|she)\b"
)
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
    r"\b(?:w?hole|entire|over|down|onto)(?: of| on)?(?: my| his| her| the| their){0,2}"
    r" (?:himself|herself|myself|chest|back|belly|tummy|stomach|thighs?|neck|body|arms|legs?)\b"
)
_DEEP = re.compile(
    r"\bskin\b[^.;\n]{0,20}\b(?:peel\w*|com(?:e|ing)|fall\w*|slid\w*|hang\w*)[^.;\n]{0,24}"
    r"\b(?:off|sheets?|strips)\b"
    r"|\b(?:charred|blackened|leathery|(?:gone|turned|went) white)\b"
)
_OF_THE_SUN = re.compile(r"\b(?:sun\w*|beach|tan(?:ned|ning)?)\b")
_URINATE = (
    r"(?:pee|pea|wee(?! (?:bit|man|lad|girl|boy|one|fella|cough|cold))|urinat\w{1,3}|piss"
    r"|pass(?:ing)? (?:any )?(?:water|urine)|bursting|busting|bladder)"
)
_NOTHING = r"(?:nothing|not a (?:single )?drop|no drops?|nada|not (?:even )?a trickle)"
_NO_DROP = re.compile(
    rf"\b{_URINATE}\b[^.;\n]{{0,60}}\b{_NOTHING}\b(?! (?:to do|helps|else|wrong|hurts))"
    rf"|\b(?:not a (?:single )?drop|nothing)\b[^.;\n]{{0,40}}\b(?:bursting|busting|bladder)\b"
    r"|\bbladder\b[^.;\n]{0,24}\bfull\b[^.;\n]{0,16}\b(?:can'?t|cannot|can not|unable to) go\b"
    rf"|\b(?:hours?|hrs) since (?:[a-z]{{1,9}} ){{0,5}}?(?:wee|pee|peed|urinated)\b"
)
_DAYS = {"d": 1.0, "w": 7.0, "m": 30.0, "y": 365.0}
FULL_TERM_WEEKS, LATE_WEEKS, EARLY_WEEKS = 37, 28, 13
LONG_AGO_DAYS = 300
OVERDUE_DAYS, TOO_MANY_TABLETS, TOO_MANY_IN_A_DAY = 35, 9, 12
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
        for m in _BARE_MONTHS.finditer(text):
            yield from _pregnant(round(_count(m[1]) * 4.35), m)
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
        if (int(m[1]) if m[1][0].isdigit() else _TENS[m[1]]) > TOO_MANY_TABLETS:
            yield Vital("overdose_taken", m.start(), m.end())
    for m in (*_TOO_MANY.finditer(text), *_WHOLE.finditer(text)):
        yield Vital("overdose_taken", m.start(), m.end())
    yield from _taken_in_parts(text)
    for m in _OF_OTHERS.finditer(text):
        yield Vital("poison_taken", m.start(), m.end())


def _taken_in_parts(text: str) -> Iterator[Vital]:
    """ "8 paracetamol this morning, 8 at dinner and 10 tonight"."""
    parts = list(_BY_AND_BY.finditer(text)) if _TAKEN.search(text) else []
    if len(parts) > 1 and sum(int(m[1]) for m in parts) > TOO_MANY_IN_A_DAY:
        yield Vital("overdose_taken", parts[0].start(), parts[-1].end())


def together(text: str, present: Collection[str]) -> Iterator[Vital]:
    """Findings that a plain text says given that others (`present`) are told of in it."""
    late = not {"pregnancy_late", "pregnancy_before_37_weeks"}.isdisjoint(present)
    carried = (late and _UNBORN.search(text)) or _INSIDE.search(text)
    if carried and "reduced_fetal_movements" not in present and (m := _NOT_MOVED.search(text)):
        yield Vital("reduced_fetal_movements", m.start(), m.end())
    if "pregnant" in present and not _BLEEDS_ELSEWHERE.search(text) and (m := _BLEEDING.search(text)):
        yield Vital("vaginal_bleeding_in_pregnancy", m.start(), m.end())
    if "head_injury" in present and (m := _LEAKING.search(text)):
        yield Vital("clear_fluid_nose_or_ear_after_injury", m.start(), m.end())
    if not _NO_STOOL.search(text) and (m := _ONLY_BLOOD.search(text)):
        yield Vital("blood_in_stool", m.start(), m.end())
    if (m := _NO_DROP.search(text)) is not None:
        yield Vital("cannot_pass_urine", m.start(), m.end())
    if "pain_severe" not in present and (m := _GREAT_PAIN.search(text)) is not None:
        yield Vital("pain_severe", m.start(), m.end())
    if not {"vomiting", "diarrhea", "abdominal_pain", "vomiting_many_times"}.isdisjoint(present):
        for m in _MUSHROOMS.finditer(text):
            yield Vital("poison_taken", m.start(), m.end())
    yield from _burn(text, present)


def _burn(text: str, present: Collection[str]) -> Iterator[Vital]:
    """A burn that is wide or deep; a sunburn peels of itself."""
    burnt = not {"burn_injury", "blistering_burn", "burn_skin"}.isdisjoint(present)
    m = _WIDE.search(text) if not {"burn_injury", "blistering_burn"}.isdisjoint(present) else None
    if m is None and burnt and not _OF_THE_SUN.search(text):
        m = _DEEP.search(text)
    if m is not None:
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
