"""Reader of recordings as text: columns of leads, separated by commas, semicolons, tabs, bars or blanks.

Leads are found by name; twelve columns without names are the standard order. The sampling
rate follows from a time column, a comment ("fs = 500"), or the caller.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.formats.text_table import Table, read_table
from ml_model.ecg.leads import (
    STANDARD_LEADS,
    FileSignals,
    LeadSignal,
    RecordingLimits,
    lead_of,
    require_rate,
    unit_named,
)
from ml_model.errors import OutOfRange, UnreadableInput

_MAX_BAD_SHARE = 0.05
_LARGEST = 1e12  # what is larger means nothing in any unit
# Only what says that it is of the sampling: comments also tell heart rates and the frequencies of filters.
# Counted repeats only, and of runs that `_comment` has made short: the text may be anything.
_RATE = re.compile(
    r"(?:\bfs|\b(?:samp|abtast)\w{0,40}[ _-]{0,3}(?:rate|freq\w{0,40}))[ _]{0,3}(?:[(\[]?hz[)\]]?)?"
    r"\s?[=:,;\s]\s?(?P<rate>\d{1,6}(?:\.\d{1,9})?)\s?(?P<kilo>k(?=hz))?",
    re.IGNORECASE,
)
_UNIT_COMMENT = re.compile(r"\bunits?\s?[=:,;]\s?(?P<unit>\w+)", re.IGNORECASE)
_MAX_COMMENT_CHARACTERS = 1000  # of a line; what is behind them says nothing
_TIME_WORDS = frozenset({"time", "t", "zeit", "tiempo", "temps", "tempo", "timestamp", "elapsed"})
_INDEX_WORDS = frozenset({"sample", "samples", "index", "idx", "n", "nr", "no"})
_SECONDS_IN = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3}
_SECONDS_IN |= {"millisecond": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "microseconds": 1e-6}
_LONGEST_STEP_S = 0.025  # of 40 Hz; a longer step of an unnamed unit is in milliseconds
_MAX_UNEVEN_S = 0.02
_ROUND_RATE = 5e-4  # times are rounded to milliseconds: a rate so close to a whole number is that number


def read_csv(data: bytes, given_rate_hz: float | None, limits: RecordingLimits) -> FileSignals:
    """given_rate_hz: used where the text does not say it.

    Raises UnsupportedFormat (no table), UnreadableInput (broken, unnamed columns, no rate, too many bad
    values), OutOfRange (the rate), InputTooLarge.
    """
    table = read_table(data, limits)
    time_column, time_rate_hz = _time(table)
    columns = _lead_columns(table, time_column)
    comment = _comment(table.preamble)
    rate_hz = time_rate_hz or _stated_rate(comment) or given_rate_hz
    if rate_hz is None:
        raise UnreadableInput(
            "the sampling rate is not in the text: put a time column (seconds) first, or a line '# fs=500' on top, or "
            "send it in Hz as sampling_rate_hz"
        )
    told = _UNIT_COMMENT.search(comment)
    common_unit = unit_named(told["unit"]) if told else None
    leads: dict[str, LeadSignal] = {}
    for lead, index in columns.items():
        unit = unit_named(_cell(table.names, index)) or unit_named(_cell(table.units, index)) or common_unit
        values = table.values[:, index]
        leads[lead] = LeadSignal(np.where(np.abs(values) <= _LARGEST, values, np.nan).astype(np.float32), unit)
    _require_numbers(leads)
    return FileSignals("CSV", require_rate(rate_hz), leads)


def _cell(cells: Sequence[str], index: int) -> str:
    return cells[index] if index < len(cells) else ""


def _require_numbers(leads: dict[str, LeadSignal]) -> None:
    """Raises UnreadableInput when too much is missing in the leads that hold anything at all."""
    missing = [float(np.isnan(lead.values).mean()) for lead in leads.values() if not np.isnan(lead.values).all()]
    bad = sum(missing) / max(len(missing), 1)
    if bad > _MAX_BAD_SHARE:
        raise UnreadableInput(
            f"{bad:.1%} of the values are no finite numbers, at most {_MAX_BAD_SHARE:.0%} may; "
            "export the recording again"
        )


def _lead_columns(table: Table, time_column: int | None) -> dict[str, int]:
    """Column of each lead. Raises UnreadableInput when there are neither names nor just twelve columns."""
    found: dict[str, int] = {}
    for index, name in enumerate(table.names):
        if lead := lead_of(name):
            found.setdefault(lead, index)
    if found:
        return found
    columns = [i for i in range(table.values.shape[1]) if i != time_column]
    if len(columns) == len(STANDARD_LEADS) + 1 and np.isnan(table.values[:, columns[-1]]).all():
        columns.pop()  # lines that end in a separator
    if table.names or len(columns) != len(STANDARD_LEADS):
        raise UnreadableInput(
            f"the table has {len(columns)} columns whose names are no leads; name them {', '.join(STANDARD_LEADS)} in "
            "the first line, or send just these twelve in this order, one row per sample"
        )
    return dict(zip(STANDARD_LEADS, columns, strict=True))


def _time(table: Table) -> tuple[int | None, float | None]:
    """The column that is no lead but time or row number, and the sampling rate (Hz) where it tells it."""
    words = [set(re.split(r"[\W\d_]+", name.lower())) for name in table.names]
    named = [
        i for i, found in enumerate(words) if found & (_TIME_WORDS | set(_SECONDS_IN)) and not lead_of(table.names[i])
    ]
    if not named and table.names and lead_of(table.names[0]):
        return None, None
    column = named[0] if named else 0
    found = words[column] if words else set()
    told = found | set(re.split(r"\W+", _cell(table.units, column).lower()))
    seconds = next((_SECONDS_IN[word] for word in sorted(told) if word in _SECONDS_IN), None)
    times = table.values[:, column]
    with np.errstate(invalid="ignore"):  # of a number too large for a float, and another
        steps = np.diff(times)
    if not (np.isfinite(times).all() and len(times) > 1 and (steps >= 0).all() and (named or (steps > 0).all())):
        if named:
            raise UnreadableInput("the time column holds gaps or runs backwards; export the recording again")
        return None, None
    row_names = found == {""} and (times == np.rint(times)).all()  # as pandas writes them
    if found & _INDEX_WORDS or (seconds is None and (row_names or (steps == 1).all())):
        return column, None
    return column, _rate_of(times, seconds)


def _rate_of(times: NDArray[np.float64], seconds: float | None) -> float:
    """Hz. seconds: of one unit of time; None to tell it by the step. Raises UnreadableInput for an uneven column."""
    step = float(times[-1] - times[0]) / (len(times) - 1)
    unit_s = seconds or (1.0 if step <= _LONGEST_STEP_S else 1e-3)
    if not 0 < step * unit_s < 1:
        raise OutOfRange(f"the time column advances by {step * unit_s:g} s a row; times in seconds or ms are read")
    uneven_s = float(np.abs(times - times[0] - step * np.arange(len(times))).max()) * unit_s
    if uneven_s > max(_MAX_UNEVEN_S, 2 * step * unit_s):
        raise UnreadableInput(
            f"the time column is uneven: a row is {uneven_s:.3g} s off, at most {_MAX_UNEVEN_S:g} s may be; "
            "export the recording without gaps"
        )
    rate_hz = 1 / (step * unit_s)
    return float(round(rate_hz)) if abs(rate_hz - round(rate_hz)) <= _ROUND_RATE * rate_hz else rate_hz


def _comment(preamble: Sequence[str]) -> str:
    """The lines before the data as one text, in which no white space, underscore or hyphen follows upon itself."""
    text = "\n".join(line[:_MAX_COMMENT_CHARACTERS] for line in preamble)
    text = re.sub(r"\s+", lambda run: "\n" if run[0].strip(" ") else " ", text)
    return re.sub(r"_+", "_", re.sub(r"-+", "-", text))


def _stated_rate(comment: str) -> float | None:
    found = _RATE.search(comment)
    return float(found["rate"]) * (1000 if found["kilo"] else 1) if found else None
