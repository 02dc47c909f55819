"""Mutation of a file as the parts that its format is made of: chunks, segments, boxes, elements, entries, lines.

A layout splits a file into parts and joins them again, with checksums and lengths that are right unless a part says
otherwise. So a mutant gets past the first check, and what is wrong with it is wrong in one place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

EXTREMES = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_MAX_DEPTH = 3
_MOST_BYTES = 4_000_000
_ODD_TEXTS = (
    b"", b" ", b"\0", b"-1", b"nan", b"inf", b"-0", b"1e308", b"1e-320", b"0x10", b"\xff\xfe", b"\xef\xbb\xbf", b"%s%n",
    "\u0130\u0307".encode(), "\u202e\U0001f9ec".encode(), b"../../x", b"1\\2\\3", b"\r\n\r\n", b"'\"<>&",
)  # fmt: skip
_RUNS = (*(bytes((each,)) for each in b'()[{_\t ,;-9a\\"\n\xff\0'), b"aA")


@dataclass(frozen=True)
class Part:
    """One part of a file. `declared`: the length or count that its header tells, where that is not the body's."""

    kind: bytes
    body: bytes
    declared: int | None = None


Parts = list[Part]


@dataclass(frozen=True)
class Layout:
    """How a format is split into parts and joined. `kinds`: names that a part may get instead of its own;
    `inner`: the layout of a part's body, None where it is only bytes."""

    split: Callable[[bytes], Parts]
    join: Callable[[Sequence[Part]], bytes]
    kinds: tuple[bytes, ...] = ()
    inner: Callable[[Part], Layout | None] = lambda _: None


def mutated(
    data: bytes, layout: Layout, rng: random.Random, others: Sequence[bytes], longest: int, text: bytes = b""
) -> bytes:
    """`data` changed in one to four places.

    others: files of the same format to splice with; longest: bytes of a run; text: to be planted somewhere before.
    """
    if rng.random() < 0.8:
        parts = layout.split(data)
        if text:
            parts = _changed(parts, layout, rng, others, longest, 0, (partial(_planted, text),))
        for _ in range(rng.choice((1, 1, 2, 4))):
            parts = _changed(parts, layout, rng, others, longest, 0)
        data = layout.join(parts)
        if rng.random() < 0.8:
            return data[: max(_MOST_BYTES, len(data) % 32_000_000)]
    return mutated_bytes(data, rng, longest, rng.choice(others))


def _changed(
    parts: Parts, layout: Layout, rng: random.Random, others: Sequence[bytes], longest: int, depth: int,
    changes: Sequence[Callable[..., Parts]] = (),
) -> Parts:  # fmt: skip
    """The parts with one change."""
    if not parts:
        return [Part(rng.choice(layout.kinds or (b"",)), odd_text(rng, longest))]
    at = rng.randrange(len(parts))
    part = parts[at]
    within = layout.inner(part)
    if within is not None and depth < _MAX_DEPTH and rng.random() < 0.6:
        inner = _changed(within.split(part.body), within, rng, others, longest, depth + 1, changes)
        return [*parts[:at], replace(part, body=within.join(inner)), *parts[at + 1 :]]
    new = rng.choice(changes or _CHANGES)(part, layout, rng, others, longest)
    if rng.random() < 0.1:  # elsewhere than it was
        rest = parts[:at] + parts[at + 1 :]
        to = rng.randrange(len(rest) + 1)
        return rest[:to] + new + rest[to:]
    return parts[:at] + new + parts[at + 1 :]


def _planted(text: bytes, part: Part, layout: Layout, rng: random.Random, *_: object) -> Parts:
    """The text as a part of its own, or before, within or behind what a part holds."""
    if rng.random() < 0.4:
        return [part, Part(rng.choice((*layout.kinds, part.kind)), text)]
    at = rng.choice((0, len(part.body) // 2, len(part.body), rng.randint(0, len(part.body))))
    declared = rng.choice((part.declared, None))
    return [replace(part, body=part.body[:at] + text + part.body[at:], declared=declared)]


def _dropped(_part: Part, *_: object) -> Parts:
    return []


def _repeated(part: Part, _layout: Layout, rng: random.Random, _others: Sequence[bytes], longest: int) -> Parts:
    most = max(2, longest // (len(part.body) + 8))
    return [part] * rng.choice((2, 3, rng.randint(2, most)))


def _renamed(part: Part, layout: Layout, rng: random.Random, *_: object) -> Parts:
    kind = rng.choice(layout.kinds) if layout.kinds and rng.random() < 0.8 else mutated_bytes(part.kind, rng, 4, b"")
    return [replace(part, kind=kind[: len(part.kind)].ljust(len(part.kind), b"\0"))]


def _lying(part: Part, _layout: Layout, rng: random.Random, *_: object) -> Parts:
    told = len(part.body) if part.declared is None else part.declared
    return [replace(part, declared=rng.choice((*EXTREMES, told + 1, max(told - 1, 0), told * 2, 2**64 - 1)))]


def _bytes_changed(part: Part, _layout: Layout, rng: random.Random, _others: Sequence[bytes], longest: int) -> Parts:
    return [replace(part, body=mutated_bytes(part.body, rng, longest, part.body))]


def _number_changed(part: Part, _layout: Layout, rng: random.Random, *_: object) -> Parts:
    return [replace(part, body=with_extreme(part.body, rng))]


def _texted(part: Part, _layout: Layout, rng: random.Random, _others: Sequence[bytes], longest: int) -> Parts:
    text = odd_text(rng, longest)
    return [replace(part, body=rng.choice((text, part.body + text, text + part.body)))]


def _nested(part: Part, layout: Layout, rng: random.Random, *_: object) -> Parts:
    for _ in range(rng.choice((1, 2, 8, 60))):
        if len(body := layout.join([part])) > _MOST_BYTES:
            break
        part = replace(part, body=body)
    return [part]


def _spliced(part: Part, layout: Layout, rng: random.Random, others: Sequence[bytes], _longest: int) -> Parts:
    taken = layout.split(rng.choice(others))
    return [part, *rng.sample(taken, min(len(taken), rng.choice((1, 1, 3))))]


_CHANGES: tuple[Callable[..., Parts], ...] = (
    _dropped, _repeated, _renamed, _lying, _bytes_changed, _number_changed, _number_changed, _texted, _nested, _spliced,
)  # fmt: skip


def odd_text(rng: random.Random, longest: int) -> bytes:
    """Nothing, a strange word, or a long run of one character."""
    if rng.random() < 0.5:
        return rng.choice(_ODD_TEXTS)
    return rng.choice(_RUNS) * rng.choice((16, 17, 300, rng.randint(1, longest)))


def with_extreme(data: bytes, rng: random.Random) -> bytes:
    """One integer of 1, 2, 4 or 8 bytes, somewhere, at an extreme of its range."""
    width = rng.choice((1, 2, 4, 8))
    if len(data) < width:
        return rng.randbytes(width)
    at = rng.randrange(len(data) - width + 1)
    value = rng.choice((*EXTREMES, len(data), -1)) % 2 ** (8 * width)
    return data[:at] + value.to_bytes(width, rng.choice(("little", "big"))) + data[at + width :]


def mutated_bytes(data: bytes, rng: random.Random, longest: int, other: bytes) -> bytes:
    """Bits flipped, a span cut, doubled or overwritten, the end missing, or the end of another file."""
    changed, choice = bytearray(data or b"\0"), rng.randrange(7)
    start = rng.randrange(len(changed))
    end = min(len(changed), start + rng.choice((1, 2, 4, 16, 256)))
    if choice == 0:
        for _ in range(rng.choice((1, 1, 3, 16))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif choice == 1:
        del changed[start:]
    elif choice == 2:
        del changed[start:end]
    elif choice == 3:
        changed[start:start] = changed[start:end] * rng.choice((1, 2, max(1, longest // 256)))
    elif choice == 4:
        changed[start:end] = rng.choice((bytes(end - start), b"\xff" * (end - start), rng.randbytes(end - start)))
    elif choice == 5:
        changed[start:start] = odd_text(rng, longest)
    else:
        changed[start:] = other[rng.randrange(len(other) + 1) :]
    return bytes(changed)
