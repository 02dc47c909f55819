"""Tables of numbers as text: what separates the cells, the lines before the data, the numbers."""

from __future__ import annotations

import codecs
import io
import itertools
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.leads import RecordingLimits, lead_of, require_size, unit_named
from ml_model.errors import InputTooLarge, TooCostly, UnreadableInput, UnsupportedFormat

_SEPARATORS = ("\t", ";", ",", "|", None)  # None: blanks
_MAX_PREAMBLE_LINES, _MAX_PREAMBLE_CHARACTERS = 200, 64 * 1024
_MAX_CELLS = 2_500_000  # three minutes of 12 leads at 1000 Hz
_MAX_ODD_CELLS = 300_000  # a column of words in the longest table has 200,000
_NUMBER = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?")
_MAX_LINE_CHARACTERS = 16_384
_MAX_ODD_LINES = 200_000  # empty, or with something other than numbers, which take the longest to read
_MIN_NAMED_LEADS = 3  # in a line that must be one of names
_MIN_NUMERIC_SHARE = 0.8  # of the cells of a line that counts as data
_NO_VALUE = frozenset({"", "nan", "na", "n/a", "null", "none", "inf", "+inf", "-inf"})


@dataclass(frozen=True)
class Table:
    preamble: tuple[str, ...]  # lines before the data
    names: tuple[str, ...]  # of the columns; empty where there are none
    units: tuple[str, ...]  # as a line below the names says; empty where there is none
    values: NDArray[np.float64]  # (time, columns); NaN where a cell holds no number


def _lines(data: bytes) -> Iterator[str]:
    """Lines that are not empty, without quotes. Raises UnsupportedFormat for lines of no table's length."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        try:
            data.decode("utf-8")
            encoding = "utf-8-sig"
        except UnicodeDecodeError:
            encoding = "latin-1"
    stream = io.TextIOWrapper(io.BytesIO(data), encoding, errors="replace")
    empty = 0
    while line := stream.readline(_MAX_LINE_CHARACTERS):
        if len(line) == _MAX_LINE_CHARACTERS:
            raise UnsupportedFormat(
                f"a line of the text is longer than {_MAX_LINE_CHARACTERS} characters; send a table with one row per "
                "sample and one column per lead"
            )
        if bare := line.replace('"', "").replace("'", "").rstrip("\r\n "):
            yield bare
            continue
        empty += 1
        if empty > _MAX_ODD_LINES:
            raise UnsupportedFormat(f"the text has more than {_MAX_ODD_LINES} empty lines; send a table without them")


def _cells(line: str, separator: str | None) -> list[str]:
    """Cells of a line; with a decimal comma where the comma does not separate."""
    return (line if separator == "," else line.replace(",", ".")).split(separator)


def _value(cell: str) -> float:
    """NaN for anything that is no number."""
    if not cell:  # the usual reason, and cheaper than an exception
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _separator(line: str) -> tuple[bool, str | None]:
    """Whether a line is data, and what separates its cells: what gives the most numbers."""
    best, separator = 0, None
    for candidate in _SEPARATORS:
        cells = _cells(line, candidate)
        filled = [cell for cell in cells if cell.strip().lower() not in _NO_VALUE]
        numbers = sum(_NUMBER.fullmatch(cell.strip()) is not None for cell in filled)
        if numbers > best and numbers >= _MIN_NUMERIC_SHARE * len(filled):
            best, separator = numbers, candidate
    return best > 1, separator


def read_table(data: bytes, limits: RecordingLimits) -> Table:
    lines = _lines(data)
    preamble: list[str] = []
    left = _MAX_PREAMBLE_CHARACTERS
    for line in itertools.islice(lines, _MAX_PREAMBLE_LINES):
        left -= len(line)
        if left < 0:
            raise UnsupportedFormat(
                f"the first {_MAX_PREAMBLE_CHARACTERS} characters of the text hold no table of numbers; send one "
                "column per lead and one row per sample"
            )
        is_data, separator = _separator(line)
        if is_data and not line.lstrip().startswith(("#", "%")):
            break
        preamble.append(line)
    else:
        raise UnsupportedFormat("the text holds no table of numbers; send one column per lead and one row per sample")
    width = len(_cells(line, separator))
    require_size(width, 1, limits)
    first = [] if _is_numbering(_cells(line, separator)) else [line]
    values = _read_rows(itertools.chain(first, lines), separator, width, len(preamble), limits)
    if not len(values):
        raise UnreadableInput("the table has no rows; export the recording again")
    names, units = _header(preamble, separator, values)
    return Table(tuple(preamble), names, units, values)


def _is_numbering(cells: Sequence[str]) -> bool:
    """Whether the cells are the numbers of columns, as tables without names are exported with."""
    numbers = [cell.strip() for cell in cells]
    counted = [[str(number + start) for number in range(len(cells))] for start in (0, 1)]
    return any(numbers == count or numbers[1:] == count[:-1] for count in counted)


def _read_rows(
    lines: Iterator[str], separator: str | None, width: int, before: int, limits: RecordingLimits
) -> NDArray[np.float64]:
    """(time, width). Raises UnreadableInput for a row of another width, InputTooLarge, TooCostly."""
    values = array("d")
    odd = odd_cells = 0
    for number, line in enumerate(lines):
        cells = _cells(line, separator)
        if len(cells) != width:
            raise UnreadableInput(
                f"line {before + number + 1} of the table has {len(cells)} columns, the first row has {width}; "
                "export the recording again"
            )
        if (number + 1) * width > _MAX_CELLS:
            raise TooCostly(f"the table has more than {_MAX_CELLS} values; send the 12 leads of one resting ECG")
        if number >= limits.max_samples:
            raise InputTooLarge(
                f"the table has more than {limits.max_samples} rows; send the 12 leads of one resting ECG"
            )
        try:
            values.fromlist([float(cell) for cell in cells])
        except ValueError:
            numbers = [_value(cell) for cell in cells]
            values.fromlist(numbers)
            odd += 1
            odd_cells += sum(map(math.isnan, numbers))
        if odd_cells > _MAX_ODD_CELLS:
            raise TooCostly(f"more than {_MAX_ODD_CELLS} values of the table are no numbers; send the numbers alone")
        if odd > _MAX_ODD_LINES:
            raise UnreadableInput(
                f"more than {_MAX_ODD_LINES} rows hold something other than numbers; send the numbers alone"
            )
    return np.frombuffer(values, np.float64).reshape(-1, width) if values else np.empty((0, width))


def _header(
    preamble: Sequence[str], separator: str | None, values: NDArray[np.float64]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of the columns out of the lines before the data; empty where there are none.

    Raises UnreadableInput when names of leads are there, but not one for each column: a guess would swap leads.
    """
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    misfit, most = 0, 2 * values.shape[1] + _MIN_NAMED_LEADS  # lines of more cells name no columns of this table
    for line in preamble:
        # Blanks may separate the numbers, but be part of names.
        for candidate in dict.fromkeys((separator, *_SEPARATORS)):
            cells = [cell.strip() for cell in line.lstrip("#% ").split(candidate)]
            if len(cells) > most:
                continue
            fitted, named = _fitted(cells, values), sum(lead_of(cell) is not None for cell in cells)
            if fitted and named:
                names = fitted
                break
            if fitted and sum(unit_named(cell) is not None for cell in cells) > len(cells) / 2:
                units = fitted
                break
            misfit = max(misfit, len(cells) if named >= _MIN_NAMED_LEADS else 0)
    if misfit and not names:
        raise UnreadableInput(
            f"the line of names has {misfit} columns, the rows have {values.shape[1]}; give each column its name"
        )
    if not names and preamble and not preamble[-1].lstrip().startswith(("#", "%")):
        # Names, but of no lead: the order of such columns is not ours to guess.
        names = _fitted([cell.strip() for cell in preamble[-1].split(separator)], values)
        names = () if names == units else names
    return names, units


def _fitted(cells: Sequence[str], values: NDArray[np.float64]) -> tuple[str, ...]:
    """Names for all columns of the data, or nothing where their number is another.

    Without a last empty one, or with an empty one for a column of empty cells or of row numbers that has no name.
    """
    width = values.shape[1]
    if len(cells) == width + 1 and not cells[-1]:
        return tuple(cells[:-1])
    if len(cells) == width - 1:
        return (*cells, "") if np.isnan(values[:, -1]).all() else ("", *cells)
    return tuple(cells) if len(cells) == width else ()
