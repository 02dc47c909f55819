"""Words of a text as patterns of self-harm are written in them: lower case, no apostrophes, pairs and slips mended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

_WORD = re.compile(r"[^\W_]++(?:['\u2019\u2018`\u02bc][^\W_]++){0,2}")
_APOSTROPHES = re.compile("['\u2019\u2018`\u02bc]")


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    start: int
    end: int
    apart: bool = False  # a comma, stop or line's end stands before it
    begins: bool = False  # a stop or line's end does


def words_of(text: str) -> list[Said]:
    """Words in lower case without apostrophes, with their places in the text as sent."""
    lower = text.lower()
    if len(lower) != len(text):  # of a few letters the lower case is two
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    found: list[Said] = []
    last = 0
    for match in _WORD.finditer(lower):
        marks = set(lower[last : match.start()]) if found else set()
        text = _APOSTROPHES.sub("", match.group())
        found.append(Said(text, match.start(), match.end(), bool(marks & set(".,;:!?\n")), bool(marks & set(".;!?\n"))))
        last = match.end()
    return _plain(found)


_SHORT = {
    "cannot": "cant", "u": "you", "b": "be", "2": "to", "2nite": "tonight", "tonite": "tonight", "nite": "night",
    "agen": "again", "wud": "would", "wos": "was", "wat": "what", "wats": "whats", "wana": "wanna", "gona": "gonna",
    "iv": "ive", "dnt": "dont", "cnt": "cant", "enymore": "anymore", "miself": "myself", "meself": "myself",
    "scard": "scared", "scarred": "scared", "il": "ill", "hav": "have", "jus": "just", "kil": "kill", "liv": "live",
    "lyfe": "life", "fink": "think", "neva": "never", "notise": "notice", "piont": "point", "poin": "point",
    "ded": "dead", "hapier": "happier", "happyer": "happier", "suacide": "suicide", "suiside": "suicide",
    "suicid": "suicide", "tonit": "tonight", "alife": "alive", "enuf": "enough", "burdon": "burden", "rn": "now",
    "sewiside": "suicide", "sucide": "suicide", "suisidal": "suicidal", "sucidal": "suicidal", "suicidle": "suicidal",
    "suicydal": "suicidal", "cuting": "cutting", "ppl": "people", "luv": "love", "av": "have", "diee": "die",
    "thort": "thought", "evry1": "everyone", "noone": "nobody", "livin": "living", "thinkin": "thinking",
    "cuttin": "cutting", "bout": "about", "dis": "this", "gunna": "gonna", "sum1": "someone", "sumthing": "something",
    "nomore": "anymore", "pls": "please", "dissapear": "disappear", "disapear": "disappear",
    "dissappear": "disappear", "wiv": "with", "thru": "through", "2moro": "tomorrow", "tomoro": "tomorrow",
    "cud": "could", "slep": "sleep", "wak": "wake", "wayk": "wake", "meny": "many", "fal": "fall", "aslep": "asleep",
}  # fmt: skip
PAIRS = {
    ("do", "not"): "dont", ("does", "not"): "doesnt", ("did", "not"): "didnt", ("can", "not"): "cant",
    ("would", "not"): "wouldnt", ("i", "am"): "im", ("i", "have"): "ive", ("is", "not"): "isnt",
    ("what", "is"): "whats", ("i", "will"): "ill", ("i", "would"): "id", ("will", "not"): "wont",
    ("was", "not"): "wasnt", ("any", "more"): "anymore", ("any", "longer"): "anymore", ("for", "ever"): "forever",
    ("for", "good"): "forever", ("there", "is"): "theres", ("he", "is"): "hes", ("she", "is"): "shes",
    ("no", "one"): "nobody", ("he", "would"): "hed", ("she", "would"): "shed", ("want", "too"): "want",
}  # fmt: skip


def _plain(words: Sequence[Said]) -> list[Said]:
    """ "do not" and "don't", "I am" and "I'm" as one word each."""
    found: list[Said] = []
    for word in words:
        text = _SHORT.get(word.text, word.text)
        if found and (joined := PAIRS.get((found[-1].text, text))) is not None and found[-1].end + 3 > word.start:
            found[-1] = replace(found[-1], text=joined, end=word.end)
        else:
            found.append(word if text == word.text else replace(word, text=text))
    return found
