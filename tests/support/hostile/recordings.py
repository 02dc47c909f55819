"""Recordings and JSON bodies made to cost as much as one of their size can: each maker takes about how many bytes."""

from __future__ import annotations

import json

import numpy as np
from ecg_files import csv_file, edf_file, heart, wfdb_record

HEART = heart(100, 3)
(_, HEADER), (_, SIGNAL) = wfdb_record(HEART, 100)
CSV = csv_file(HEART, 100)[0][1]
ROWS = csv_file(HEART, None, leads=None)[0][1]
EDF = edf_file(HEART, 100)[0][1]


def preamble(line: bytes, size: int, longest: int = 16_000) -> bytes:
    """A table with lines of this text before it, each as long as a line may be, as many as fit (at most 190)."""
    one = b"# " + line * (min(size, longest) // len(line)) + b"\n"
    return one * max(1, min(190, size // len(one))) + b"# fs=500\n" + CSV


def lines(line: bytes, size: int, longest: int = 16_000) -> bytes:
    """Nothing but lines of this text."""
    one = line * (min(size, longest) // len(line)) + b"\n"
    return one * max(1, size // len(one))


def rows(row: bytes, size: int) -> bytes:
    """A table whose rows are all this one."""
    return ROWS + b"\n" + (row + b"\n") * (size // (len(row) + 1))


def wfdb_word(size: int) -> bytes:
    """One long word in front of the number of signals."""
    return HEADER.replace(b"rec 12", b"a" * size + b"!", 1)


def wfdb_signal_word(size: int) -> bytes:
    """A signal line of one long word; no format follows."""
    first, _, rest = HEADER.partition(b"\n")
    return first + b"\n" + b"a1" * (size // 2) + b"\n" + rest


def wfdb_spaces(size: int) -> bytes:
    return HEADER.replace(b"rec 12", b"rec" + b" " * size + b"x 12", 1)


def wfdb_rest(size: int) -> bytes:
    return HEADER.replace(b" 100 300", b" 100/" + b"1" * (size // 2) + b" " * (size // 2) + b"x", 1)


def wfdb_name(size: int) -> bytes:
    """A lead of a very long name of separators."""
    return HEADER.replace(b" 0 I\n", b" 0 " + b"I _(" * (size // 4) + b"\n", 1)


def wfdb_lines(size: int) -> bytes:
    return HEADER.split(b"\n", 1)[0] + b"\n" + b"a\n" * (size // 2)


def edf_label(size: int) -> bytes:
    """An EDF file of so many bytes of the shortest data records; the number of records says -1."""
    head = bytearray(EDF[: 256 * 14])
    head[236:244] = b"-1      "
    return bytes(head) + EDF[256 * 14 :] * (size // len(EDF[256 * 14 :]))


def edf_short_records(size: int) -> bytes:
    """Records of one sample a signal, a million of them."""
    head = bytearray(edf_file(HEART, 100)[0][1][: 256 * 14])
    start = 256 + 216 * 13
    for index in range(13):
        head[start + 8 * index : start + 8 * index + 8] = b"1       "
    count = size // 26
    head[236:244] = str(count).ljust(8).encode()
    head[244:252] = b"0.01    "
    return bytes(head) + bytes(26 * count)


def keys(size: int) -> bytes:
    """Distinct keys, and the last one twice."""
    count = size // 11
    names = [f'"{index:06}":1' for index in range(count)]
    return ("{" + ",".join([*names, names[-1]]) + "}").encode()[: size + 40]


def deep(opening: bytes, depth: int, size: int) -> bytes:
    """Nested so many times, and whatever else fits."""
    closing = {b"[": b"]", b'{"a":': b"}"}[opening]
    inner = b"0" if opening != b"[" else b""
    return opening * depth + inner + closing * depth + b" " * max(0, size - depth * (len(opening) + 1) - 1)


def deep_symptoms(depth: int, size: int) -> bytes:
    return b'{"symptoms":' + deep(b"[", depth, size - 13) + b"}"


def digits(size: int) -> bytes:
    return b'{"symptoms":["fever"],"age":' + b"9" * (size - 40) + b"}"


def many_digits(size: int) -> bytes:
    """Numbers of 4,000 digits, which Python still converts."""
    return b'{"age":[' + b",".join([b"9" * 4000] * (size // 4001)) + b"]}"


def floats(size: int) -> bytes:
    return b'{"age":0.' + b"9" * (size - 40) + b"}"


def symptoms(text: str, size: int) -> bytes:
    """A list of this symptom without end."""
    return json.dumps({"symptoms": [text] * (size // (len(text) + 4))}).encode()


def worst_symptoms(size: int) -> bytes:
    """A hundred symptoms of two hundred characters, nearly those of the vocabulary: the most that is looked up."""
    rng = np.random.default_rng(0)
    words = ["pian", "stomch", "vomitng", "dizzynes", "fevre", "hedache", "swellng", "breathng", "weaknes", "itchng"]
    made = [" ".join(rng.choice(words, 60))[:200].strip() for _ in range(100)]
    return json.dumps({"symptoms": made}).encode()[: max(size, 30_000)]


def one_symptom(size: int) -> bytes:
    return json.dumps({"symptoms": ["fever " * (size // 6)]}).encode()
