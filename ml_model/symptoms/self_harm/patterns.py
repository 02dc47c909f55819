"""Patterns of words as one graph, and where they stand in a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from ml_model.symptoms.self_harm.words import PAIRS, Said, words_of

MAX_SKIPPED_WORDS, MAX_SPANNED_WORDS = 3, 7  # for * and for **, which stays within a sentence
NEGATIONS = frozenset([
    "no", "not", "never", "denies", "denied", "without", "dont", "doesnt", "didnt", "havent", "hasnt", "isnt",
    "wasnt", "nobody", "neither", "nor",
])  # fmt: skip
# Beyond these what is said is another thing: "I want to be sure that it is not death".
_BARRIERS = NEGATIONS | frozenset([
    "cant", "wont", "wouldnt", "if", "whether", "know", "sure", "scared", "afraid", "worried", "fear",
])  # fmt: skip


@dataclass(slots=True, eq=False)
class Node:
    """A place in the patterns: where each next word leads; `skips` leads on over words, over how many at most."""

    after: dict[str, list[Node]]
    skips: list[tuple[Node, int]] = field(default_factory=list)
    ends: bool = False


def pattern_tree(texts: Iterable[str]) -> Node:
    """One graph of all patterns: choices of a group meet in one node, patterns that begin alike share theirs."""
    root = Node({})
    begun: dict[tuple[str, ...], Node] = {(): root}
    for text in texts:
        groups = tuple(text.split())
        node = root
        for number, group in enumerate(groups, 1):
            reached = begun.get(groups[:number])
            if reached is None:
                reached = begun[groups[:number]] = Node({})
                _lead(node, group, reached)
            node = reached
        node.ends = True
    _join_pairs(root, set())
    return root


def _lead(node: Node, group: str, reached: Node) -> None:
    """Let every choice of a group lead from a node to the one reached."""
    if group in {"*", "**"}:
        node.skips.append((reached, MAX_SKIPPED_WORDS if group == "*" else MAX_SPANNED_WORDS))
        return
    inside: dict[tuple[str, ...], Node] = {(): node}
    for choice in group.split("|"):
        words = tuple(w.text for w in words_of(choice.replace("_", " ")))
        for number, word in enumerate(words[:-1], 1):
            if words[:number] not in inside:
                inside[words[:number]] = Node({})
                inside[words[: number - 1]].after.setdefault(word, []).append(inside[words[:number]])
        inside[words[:-1]].after.setdefault(words[-1], []).append(reached)


def spans(words: Sequence[Said], root: Node, free: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where the patterns of a graph stand among the free words, in order."""
    for start, word in enumerate(words):
        then = words[start + 1].text if start + 1 < len(words) else ""
        leads_on = any(then in node.after or node.skips or node.ends for node in root.after.get(word.text, ()))
        if leads_on and (end := _end_of(root, words, start, free)) is not None:
            yield start, end


def _end_of(root: Node, words: Sequence[Said], start: int, free: Sequence[bool]) -> int | None:
    """Where the longest pattern that begins at `start` ends, or None. At most a few places are followed at once."""
    best: int | None = None
    states = [(root, start)]
    seen = set(states)
    while states:
        node, at = states.pop()
        if node.ends and (best is None or at > best):
            best = at
        for place, here in [(node, at), *_led_on(node, words, at)]:
            if here < len(words) and free[here]:
                for after in place.after.get(words[here].text, ()):
                    if (after, here + 1) not in seen:
                        seen.add((after, here + 1))
                        states.append((after, here + 1))
    return best


def _led_on(node: Node, words: Sequence[Said], at: int) -> Iterator[tuple[Node, int]]:
    """Where * and ** lead to from the word at `at`; ** leads into no other sentence, and over no word that turns it."""
    for after, most in node.skips:
        for here in range(at, min(at + most, len(words) - 1) + 1):
            if most > MAX_SKIPPED_WORDS and words[here].begins:
                break
            yield after, here
            if most > MAX_SKIPPED_WORDS and words[here].text in _BARRIERS:
                break


def _join_pairs(node: Node, seen: set[Node]) -> None:
    """Where "i" and then "am" lead on, let "im" lead to the same place; texts are read with such pairs as one word."""
    seen.add(node)
    for (first, second), joined in PAIRS.items():
        for between in node.after.get(first, ()):
            node.after.setdefault(joined, []).extend(between.after.get(second, ()))
    for after in [*chain.from_iterable(node.after.values()), *(after for after, _ in node.skips)]:
        if after not in seen:
            _join_pairs(after, seen)
