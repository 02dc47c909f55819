"""Regular expressions of our modules, and whether text can be made that they search for ever.

Told in two ways: by the structure of a pattern, and by the time that it takes on text made of its own characters.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samples import ROOT

# The parser of `re` is the one thing that knows what a pattern means; it is no public module.
_PARSER = re._parser  # type: ignore[attr-defined]
_CHARACTERS = [chr(code) for code in range(256)] + list("\u03bc\u2019\u00ff\u4e00")
_UNANCHORED = frozenset({"search", "sub", "subn", "split", "findall", "finditer"})
_ANCHORED = frozenset({"match", "fullmatch"})
_MOST_PATHS = 400
_SEEN: dict[tuple[str, int], frozenset[str]] = {}


@dataclass(frozen=True)
class Pattern:
    """A pattern where it is written, and the functions that it is used with."""

    where: str
    pattern: str | bytes
    flags: int
    uses: frozenset[str]


@dataclass(frozen=True)
class _Step:
    """Characters at one place of a way through a pattern. repeated: without end, and given back one by one."""

    characters: frozenset[str]
    repeated: bool = False
    optional: bool = False
    may_fail: bool = True


def patterns() -> list[Pattern]:
    """All that backend/ and ml_model/ use, but in the training. Fails for one that cannot be told from the source."""
    files = [f for folder in ("backend", "ml_model") for f in sorted((ROOT / folder).rglob("*.py"))]
    return [found for file in files if "training" not in file.parts for found in _patterns_of(file)]


def _patterns_of(file: Path) -> Iterator[Pattern]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    constants = {n.value: ast.unparse(n.targets[0]) for n in tree.body if isinstance(n, ast.Assign)}
    for call in calls:
        if not (isinstance(call.func.value, ast.Name) and call.func.value.id == "re" and call.args):
            continue
        where = f"{module}:{call.lineno}"
        name = constants.get(call)
        if name:
            compiled = getattr(importlib.import_module(module), name)
            uses = {c.func.attr for c in calls if isinstance(c.func.value, ast.Name) and c.func.value.id == name}
            yield Pattern(where, compiled.pattern, compiled.flags, frozenset(uses or {"search"}))
        elif call.func.attr in _UNANCHORED | _ANCHORED | {"compile"}:
            flags = next((re.RegexFlag[ast.unparse(k.value).removeprefix("re.")] for k in call.keywords), 0)
            use = "search" if call.func.attr == "compile" else call.func.attr
            yield Pattern(where, ast.literal_eval(call.args[0]), int(flags), frozenset({use}))


def _matching(node: Any, flags: int) -> frozenset[str]:
    """Characters that one node of one character takes."""
    written = repr(node)
    if (written, flags) not in _SEEN:
        _SEEN[written, flags] = _characters(str(node[0]), node[1], flags)
    return _SEEN[written, flags]


def _characters(operation: str, argument: Any, flags: int) -> frozenset[str]:
    found = set()
    for one in _CHARACTERS:
        forms = {one, one.lower(), one.upper()} if flags & re.IGNORECASE else {one}
        if any(_takes(operation, argument, ord(form), flags) for form in forms if len(form) == 1):
            found.add(one)
    return frozenset(found)


def _takes(operation: str, argument: Any, code: int, flags: int) -> bool:
    if operation == "ANY":
        return code != 10 or bool(flags & re.DOTALL)
    if operation in ("LITERAL", "NOT_LITERAL"):
        return (code == argument) == (operation == "LITERAL")
    if operation == "RANGE":
        return bool(argument[0] <= code <= argument[1])
    if operation == "CATEGORY":
        letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[str(argument).rpartition("_")[2]]
        return re.match("\\" + (letter.upper() if "_NOT_" in str(argument) else letter), chr(code)) is not None
    negated = str(argument[0][0]) == "NEGATE"
    return any(_takes(str(n[0]), n[1], code, flags) for n in argument[negated:]) != negated


def _paths(nodes: Any, flags: int) -> list[list[_Step]]:
    """Ways through a pattern; a repeat of several characters is gone through twice."""
    ways: list[list[_Step]] = [[]]
    for node in nodes:
        onward = _paths_of(node, flags)
        ways = [way + more for way in ways for more in onward][:_MOST_PATHS]
    return ways


def _paths_of(node: Any, flags: int) -> list[list[_Step]]:
    operation, argument = str(node[0]), node[1]
    if operation == "SUBPATTERN":
        return _paths(argument[3], flags)
    if operation == "BRANCH":
        return [way for branch in argument[1] for way in _paths(branch, flags)]
    if operation == "ATOMIC_GROUP":
        return [[_Step(s.characters, False, s.optional) for s in way] for way in _paths(argument, flags)]
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = argument
        endless = most == _PARSER.MAXREPEAT and operation != "POSSESSIVE_REPEAT"
        if len(body) == 1 and str(body[0][0]) in ("IN", "ANY", "LITERAL", "NOT_LITERAL"):
            return [[_Step(_matching(body[0], flags), endless, least == 0)]]
        once = _paths(body, flags)
        ways = [one + other for one, other in itertools.product(once, once)][:_MOST_PATHS] if endless else once
        return ways if least else [*ways, []]
    if operation in ("AT", "ASSERT", "ASSERT_NOT", "GROUPREF"):
        return [[_Step(frozenset(_CHARACTERS), optional=True, may_fail="BEGINNING" not in str(argument))]]
    return [[_Step(_matching(node, flags))]]


def _ways(one: Pattern) -> list[list[_Step]]:
    """Ways through the pattern with what its use puts around it: any start of a search, the end of a full match."""
    flags = one.flags | (re.ASCII if isinstance(one.pattern, bytes) else 0)
    tree = _PARSER.parse(one.pattern, one.flags & ~re.UNICODE)
    anchored = one.uses <= _ANCHORED or (tree and str(tree[0][0]) == "AT" and "BEGINNING" in str(tree[0][1]))
    everything = frozenset(_CHARACTERS)
    before = [] if anchored else [_Step(everything, repeated=True, optional=True)]
    behind = [_Step(frozenset())] if "fullmatch" in one.uses else []
    return [before + way + behind for way in _paths(tree, flags)]


def ambiguity(one: Pattern) -> str | None:
    """Two repeats that can share the same run of a character, with something behind them that can fail; None: none."""
    for way in _ways(one):
        for first, second in itertools.combinations(range(len(way)), 2):
            if not (way[first].repeated and way[second].repeated):
                continue
            shared = way[first].characters & way[second].characters
            for between in way[first + 1 : second]:
                shared &= shared if between.optional else between.characters
            if shared and any(step.may_fail and (not step.optional or step.characters == frozenset(_CHARACTERS))
                              for step in way[second + 1 :]):  # fmt: skip
                return f"{one.where}: runs of {min(shared)!r} can be shared out between two repeats"
    return _alike(one)


def _alike(one: Pattern) -> str | None:
    """Two branches of an endless repeat that take the same character."""
    waiting = list(_PARSER.parse(one.pattern, one.flags & ~re.UNICODE))
    while waiting:
        operation, argument = waiting.pop()
        if str(operation) in ("MAX_REPEAT", "MIN_REPEAT") and argument[1] == _PARSER.MAXREPEAT:
            ways = [way[0].characters for way in _paths(argument[2], one.flags) if len(way) == 1]
            if any(a & b for a, b in itertools.combinations(ways, 2)):
                return f"{one.where}: two branches of a repeat take the same character"
        parts = argument if isinstance(argument, tuple | list) else ()
        waiting += [n for p in parts if isinstance(p, _PARSER.SubPattern) for n in p]
        waiting += [n for p in parts if isinstance(p, list) for b in p if isinstance(b, _PARSER.SubPattern) for n in b]
    return None


def growth(one: Pattern, characters: int = 6000, least_s: float = 0.02) -> float:
    """How much longer the slowest of the texts made for the pattern takes where it is twice as long.

    1 where that takes less than least_s of computing: a text that is twice as long and costs with its square does not.
    """
    compiled = re.compile(one.pattern, one.flags)
    worst = 1.0
    for use in sorted(one.uses & {"match", "fullmatch"}) + (["search"] if one.uses - _ANCHORED else []):
        for start, pump in _texts(one):
            run = getattr(compiled, use)
            long = _seconds(run, one, start, pump, 2 * characters, enough=least_s)
            if long > least_s:
                worst = max(worst, long / max(_seconds(run, one, start, pump, characters), 1e-6))
            if worst > 3:
                return worst
    return worst


def _texts(one: Pattern) -> set[tuple[str, str]]:
    """Beginnings that the pattern takes, and what to repeat behind them: one of its characters, or two in turn."""
    made = set()
    for way in _ways(one)[:40]:
        own = [min(s.characters - set("\x00\n"), default="", key=lambda c: (not c.isalnum(), c)) for s in way]
        for at, step in enumerate(way):
            start = "".join(own[i] for i in range(at) if not way[i].repeated and not way[i].optional)
            for other in {"", *own[at + 1 : at + 3]}:
                made |= {(start, own[at] + other), ("", start + own[at] + other)} if own[at] else set()
            if step.repeated:
                made |= {(start, c) for c in (" ", "_", "1", "(", "\t") if c in step.characters}
    return {(start, pump) for start, pump in made if pump}


def _seconds(run: Any, one: Pattern, start: str, pump: str, characters: int, *, enough: float = 0.002) -> float:
    """The least of up to three runs; the first that takes no more than `enough` is the last."""
    text: str | bytes = start + pump * (characters // len(pump)) + "\x00!"
    if isinstance(one.pattern, bytes):
        text = str(text).encode("latin-1", "replace")
    least = float("inf")
    for _ in range(3):
        began = time.thread_time()
        run(text)
        least = min(least, time.thread_time() - began)
        if not enough < least < 0.05:
            break
    return least
