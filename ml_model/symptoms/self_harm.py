"""Thoughts of dying and of self-harm, read apart from everything else so that none is missed."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from ml_model.symptoms.reading.spelling import Speller

MAX_CHARACTERS = 5_000
MAX_SKIPPED_WORDS = 3
LONG_WORD = 6
MAX_LENGTH = 20
MAX_MENDED = 600
MAX_SOUNDED = 60
_WORD = re.compile(r"[^\W_]++(?:['\u2019\u2018`\u02bc][^\W_]++){0,2}")
_APOSTROPHES = re.compile("['\u2019\u2018`\u02bc]")
_NAME = re.compile(r"<(\w+)>")
_NEGATIONS = frozenset([
    "no", "not", "never", "denies", "denied", "without", "dont", "doesnt", "didnt", "havent", "hasnt", "isnt",
    "wasnt", "nobody", "neither", "nor",
])  # fmt: skip
_NEGATED_REACH = 4
_PERSONS = frozenset({"i", "im", "ive", "my", "he", "she", "they"})
_BETWEEN = frozenset([
    "any", "really", "ever", "actually", "even", "current", "active", "recent", "feel", "feeling", "had", "have",
    "having", "been", "to", "thoughts", "thought", "ideas", "of", "about", "thinking", "plans", "plan",
    "intention", "or", "self", "harm", "suicidal", "ideation", "want", "wanting", "no",
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    start: int
    end: int
    apart: bool = False  # a comma, stop or line's end stands before it


@dataclass(slots=True, eq=False)
class _Node:
    """A place in the patterns: where each next word leads; `skips` leads on over none to three words."""

    after: dict[str, list[_Node]]
    skips: list[_Node] = field(default_factory=list)
    ends: bool = False


@dataclass(frozen=True)
class SelfHarmAnswer:
    """What is said then: warm, plain, and whom to call."""

    title: str
    message: str
    actions: tuple[str, ...]


class SelfHarmReader:
    """Looks for what a list says of dying and self-harm. Immutable after construction."""

    def __init__(
        self,
        phrases: Iterable[str],
        not_meant: Iterable[str],
        patterns: Iterable[str],
        answer: SelfHarmAnswer,
        not_now: Iterable[str] = (),
        doubt: Iterable[str] = (),
    ) -> None:
        self.answer = answer
        meant, other, past = [*phrases, *patterns], list(not_meant), list(not_now)
        count = Counter(w.text for text in [*meant, *other, *past, *doubt] for w in _words(text.replace("*", " ")))
        self._long: dict[str, list[str]] = {}  # by their first letter, which a slip leaves alone
        for word in (w for w, _ in count.most_common() if len(w) >= LONG_WORD):
            self._long.setdefault(word[0], []).append(word)
        self._known = frozenset(count)
        self._speller = Speller(count, (), self._known)
        self._meant, self._not_meant, self._not_now, self._doubt = map(self._tree, (meant, other, past, doubt))

    @classmethod
    def from_file(cls, path: Path) -> SelfHarmReader:
        """Read the lists and the answer from a TOML file. Raises KeyError where one is missing."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        told = SelfHarmAnswer(**{**table["answer"], "actions": tuple(table["answer"]["actions"])})
        rows = ("patterns", "not_meant", "not_now", "doubt")
        meant, other, past, doubt = ([_filled(text, table["words"]) for text in table[row]] for row in rows)
        return cls(table["phrases"], other, meant, told, past, doubt)

    def found(self, text: str) -> tuple[int, int] | None:
        """The characters of the first passage that speaks of dying or self-harm, or None."""
        words = self._mended(_words(text[:MAX_CHARACTERS]))
        free = [True] * len(words)
        past, doubtful = self._told_of_past(words)
        if doubtful:
            return words[past[0][0]].start, words[past[0][1] - 1].end
        for start, end in [*_spans(words, self._not_meant, free), *past]:
            free[start:end] = [False] * (end - start)
        for start, end in _spans(words, self._meant, free):
            if not _negated(words, start):
                return words[start].start, words[end - 1].end
        return None

    def not_now(self, text: str) -> list[tuple[int, int]]:
        """The characters of passages that tell of thoughts long past, or only ask about them; none where anything in
        the text leaves a doubt."""
        words = self._mended(_words(text[:MAX_CHARACTERS]))
        past, doubtful = self._told_of_past(words)
        return [] if doubtful else [(words[start].start, words[end - 1].end) for start, end in past]

    def _told_of_past(self, words: Sequence[_Said]) -> tuple[list[tuple[int, int]], bool]:
        """Passages of the past, or that only ask, and whether what stands around them leaves a doubt."""
        free = [True] * len(words)
        past = list(_spans(words, self._not_now, free))
        for start, end in past:
            free[start:end] = [False] * (end - start)
        return past, bool(past) and next(_spans(words, self._doubt, free), None) is not None

    @staticmethod
    def _tree(texts: Iterable[str]) -> _Node:
        """One graph of all patterns: choices of a group meet in one node, patterns that begin alike share theirs."""
        root = _Node({})
        begun: dict[tuple[str, ...], _Node] = {(): root}
        for text in texts:
            groups = tuple(text.replace("*", " * ").split())
            node = root
            for number, group in enumerate(groups, 1):
                reached = begun.get(groups[:number])
                if reached is None:
                    reached = begun[groups[:number]] = _Node({})
                    _lead(node, group, reached)
                node = reached
            node.ends = True
        _join_pairs(root, set())
        return root

    def _mended(self, words: Sequence[_Said]) -> list[_Said]:
        """Long words that differ from one of the list by one letter are read as that one, others that are no English
        as the word of the list that they sound like."""
        mended: dict[str, str] = {}
        sounded = 0
        for word in words:
            if word.text not in mended:
                meant = self._meant_word(word.text) if len(mended) < MAX_MENDED else word.text
                if meant == word.text and sounded < MAX_SOUNDED and not self._speller.knows(meant):
                    sounded += 1
                    meant = (self._speller.correct(meant) or (meant,))[0]
                mended[word.text] = meant
        return [_Said(mended[w.text], w.start, w.end, w.apart) for w in words]

    def _meant_word(self, word: str) -> str:
        if word in self._known:
            return word
        if not LONG_WORD - 1 <= len(word) <= MAX_LENGTH:
            return word
        near = process.extractOne(word, self._long.get(word[0], ()), scorer=DamerauLevenshtein.distance, score_cutoff=1)
        usual = near is not None and not near[0].endswith("ed")
        return near[0] if near is not None and usual else word


def _lead(node: _Node, group: str, reached: _Node) -> None:
    """Let every choice of a group lead from a node to the one reached."""
    if group == "*":
        node.skips.append(reached)
        return
    inside: dict[tuple[str, ...], _Node] = {(): node}
    for choice in group.split("|"):
        words = tuple(w.text for w in _words(choice.replace("_", " ")))
        for number, word in enumerate(words[:-1], 1):
            if words[:number] not in inside:
                inside[words[:number]] = _Node({})
                inside[words[: number - 1]].after.setdefault(word, []).append(inside[words[:number]])
        inside[words[:-1]].after.setdefault(words[-1], []).append(reached)


def _spans(words: Sequence[_Said], root: _Node, free: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where the patterns of a graph stand among the free words, in order."""
    for start, word in enumerate(words):
        then = words[start + 1].text if start + 1 < len(words) else ""
        leads_on = any(then in node.after or node.skips or node.ends for node in root.after.get(word.text, ()))
        if leads_on and (end := _end_of(root, words, start, free)) is not None:
            yield start, end


def _end_of(root: _Node, words: Sequence[_Said], start: int, free: Sequence[bool]) -> int | None:
    """Where the longest pattern that begins at `start` ends, or None. At most a few places are followed at once."""
    best: int | None = None
    states = [(root, start)]
    seen = set(states)
    while states:
        node, at = states.pop()
        if node.ends and (best is None or at > best):
            best = at
        ways = [(node, at)]
        if node.skips:
            ways += [(after, at + more) for after in node.skips for more in range(MAX_SKIPPED_WORDS + 1)]
        for place, here in ways:
            if here < len(words) and free[here]:
                for after in place.after.get(words[here].text, ()):
                    if (after, here + 1) not in seen:
                        seen.add((after, here + 1))
                        states.append((after, here + 1))
    return best


def _join_pairs(node: _Node, seen: set[_Node]) -> None:
    """Where "i" and then "am" lead on, let "im" lead to the same place; texts are read with such pairs as one word."""
    seen.add(node)
    for (first, second), joined in _TWO.items():
        for between in node.after.get(first, ()):
            node.after.setdefault(joined, []).extend(between.after.get(second, ()))
    for after in [*chain.from_iterable(node.after.values()), *node.skips]:
        if after not in seen:
            _join_pairs(after, seen)


def _filled(text: str, choices: Mapping[str, str]) -> str:
    """A pattern with its <names> replaced by their choices. Raises KeyError where a name has none."""
    return _NAME.sub(lambda name: choices[name[1]], text)


def _words(text: str) -> list[_Said]:
    """Words in lower case without apostrophes, with their places in the text as sent."""
    lower = text.lower()
    if len(lower) != len(text):  # of a few letters the lower case is two
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    found: list[_Said] = []
    last = 0
    for match in _WORD.finditer(lower):
        apart = any(mark in ".,;:!?\n" for mark in lower[last : match.start()])
        found.append(_Said(_APOSTROPHES.sub("", match.group()), match.start(), match.end(), apart))
        last = match.end()
    return _plain(found)


_SHORT = {
    "cannot": "cant", "u": "you", "b": "be", "2": "to", "2nite": "tonight", "tonite": "tonight", "nite": "night",
    "agen": "again", "wud": "would", "wos": "was", "wat": "what", "wats": "whats", "wana": "wanna",
    "gona": "gonna", "iv": "ive", "dnt": "dont", "cnt": "cant", "enymore": "anymore", "miself": "myself",
    "meself": "myself", "scard": "scared", "scarred": "scared", "il": "ill", "hav": "have", "jus": "just",
    "kil": "kill", "liv": "live", "lyfe": "life", "fink": "think", "neva": "never", "notise": "notice",
    "piont": "point", "poin": "point", "ded": "dead", "hapier": "happier", "happyer": "happier",
    "suacide": "suicide", "suiside": "suicide",
    "suicid": "suicide", "tonit": "tonight", "alife": "alive", "enuf": "enough", "burdon": "burden",
    "rn": "now", "sewiside": "suicide", "sucide": "suicide",
    "suisidal": "suicidal", "sucidal": "suicidal", "suicidle": "suicidal", "suicydal": "suicidal",
    "cuting": "cutting", "ppl": "people", "luv": "love", "av": "have", "diee": "die", "thort": "thought",
    "evry1": "everyone", "noone": "nobody", "livin": "living", "thinkin": "thinking", "cuttin": "cutting",
    "bout": "about", "dis": "this", "gunna": "gonna", "sum1": "someone", "sumthing": "something",
    "nomore": "anymore", "pls": "please", "dissapear": "disappear", "disapear": "disappear",
    "dissappear": "disappear", "wiv": "with", "thru": "through", "2moro": "tomorrow", "tomoro": "tomorrow",
    "cud": "could", "slep": "sleep", "wak": "wake", "wayk": "wake", "meny": "many", "fal": "fall", "aslep": "asleep",
}  # fmt: skip
_TWO = {
    ("do", "not"): "dont", ("does", "not"): "doesnt", ("did", "not"): "didnt", ("can", "not"): "cant",
    ("would", "not"): "wouldnt", ("i", "am"): "im", ("i", "have"): "ive", ("is", "not"): "isnt",
    ("what", "is"): "whats", ("i", "will"): "ill", ("i", "would"): "id", ("will", "not"): "wont",
    ("was", "not"): "wasnt", ("any", "more"): "anymore", ("any", "longer"): "anymore", ("for", "ever"): "forever",
    ("for", "good"): "forever", ("there", "is"): "theres", ("he", "is"): "hes", ("she", "is"): "shes",
    ("no", "one"): "nobody", ("he", "would"): "hed", ("she", "would"): "shed", ("want", "too"): "want",
}  # fmt: skip


def _plain(words: Sequence[_Said]) -> list[_Said]:
    """ "do not" and "don't", "I am" and "I'm" as one word each."""
    found: list[_Said] = []
    for word in words:
        text = _SHORT.get(word.text, word.text)
        if found and (joined := _TWO.get((found[-1].text, text))) is not None and found[-1].end + 3 > word.start:
            found[-1] = _Said(joined, found[-1].start, word.end, found[-1].apart)
        else:
            found.append(_Said(text, word.start, word.end, word.apart))
    return found


def _negated(words: Sequence[_Said], start: int) -> bool:
    """Whether what begins at `start` is denied just before, in the same breath; never what begins with a person."""
    if words[start].text in _PERSONS:
        return False
    for at in range(start - 1, max(-1, start - 1 - _NEGATED_REACH), -1):
        if words[at + 1].apart:
            return False
        if words[at].text in _NEGATIONS:
            return True
        if words[at].text not in _BETWEEN:
            return False
    return False
