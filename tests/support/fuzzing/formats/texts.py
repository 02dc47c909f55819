"""Layouts of what is text, in full or at its start: tables, WFDB headers, EDF, PDF, JSON and multipart bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fuzzing.parts import Layout, Part, Parts

_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+.\w]+|\s+|.', re.DOTALL)
_PDF_OBJECT = re.compile(rb"\d+ \d+ obj.*?endobj\s*", re.DOTALL)
_EDF_START = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)  # widths of the fields
_EDF_SIGNAL = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # of each signal; stored in columns


def separated(separator: bytes, inner: Layout | None = None) -> Layout:
    """Parts between separators; a part has no kind."""

    def split(data: bytes) -> Parts:
        return [Part(b"", piece) for piece in data.split(separator)]

    return Layout(split, lambda parts: separator.join(part.body for part in parts), (), lambda _: inner)


def _split_edf(data: bytes) -> Parts:
    """Header fields, whose kind is their width, then the data records as one part."""
    try:
        signals = min(int(data[252:256]), 64)
    except ValueError:
        signals = 0
    widths = (*_EDF_START, *(width for width in _EDF_SIGNAL for _ in range(signals)))
    parts, at = [], 0
    for width in widths:
        parts.append(Part(b"%d" % width, data[at : at + width]))
        at += width
    return [*parts, Part(b"", data[at:])]


def _join_edf(parts: Sequence[Part]) -> bytes:
    """Fields at their widths, unless one is declared to be otherwise: then what follows is out of place."""
    made = []
    for part in parts:
        fixed = part.kind.isdigit() and len(part.kind) < 3 and part.declared is None
        made.append(part.body.ljust(int(part.kind))[: int(part.kind)] if fixed else part.body)
    return b"".join(made)


def _split_pdf(data: bytes) -> Parts:
    """Head, objects, and what follows the last one."""
    parts, at = [], 0
    for found in _PDF_OBJECT.finditer(data):
        parts += [Part(b"", data[at : found.start()])] if found.start() > at else []
        parts.append(Part(b"", found[0]))
        at = found.end()
    return [*parts, Part(b"", data[at:])]


def _joined(parts: Sequence[Part]) -> bytes:
    return b"".join(part.body for part in parts)


def _split_json(data: bytes) -> Parts:
    return [Part(b"", token) for token in _JSON_TOKEN.findall(data)]


_LINES = separated(b"\n")
CSV = separated(b"\n", separated(b","))
WFDB_HEADER = separated(b"\n", separated(b" "))
BYTES = Layout(lambda data: [Part(b"", data)], _joined)
EDF = Layout(_split_edf, _join_edf)
PDF = Layout(_split_pdf, _joined, (), lambda _: separated(b"/", separated(b" ")))
JSON = Layout(_split_json, _joined)
FORM = separated(b"--x-boundary-x", separated(b"\r\n", separated(b";")))
