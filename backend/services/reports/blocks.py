"""What a report is made of, before anything is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["emergency", "urgent", "soon", "routine", "none", "neutral"]


@dataclass(frozen=True)
class Words:
    """A paragraph. small: what need not be read first."""

    text: str
    small: bool = False


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bar:
    """A share (0-1) by its name. marked: whether it is among what is still in question. span: where it may lie."""

    name: str
    share: float
    marked: bool = False
    note: str = ""
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class Bars:
    entries: tuple[Bar, ...]


@dataclass(frozen=True)
class Gauge:
    """Where the probability of a finding stands between its thresholds (all 0-1)."""

    name: str
    state: str
    tone: Tone
    share: float
    thresholds: tuple[float, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Gauges:
    entries: tuple[Gauge, ...]


@dataclass(frozen=True)
class Grid:
    """A table. widths: shares of the width, one a column."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]


@dataclass(frozen=True)
class Picture:
    """An encoded picture (PNG or JPEG) and what stands below it."""

    data: bytes
    caption: str


@dataclass(frozen=True)
class Pictures:
    """One, or two beside one another. whole_page: whether it may fill one."""

    shown: tuple[Picture, ...]
    whole_page: bool = False


Block = Words | Bullets | Facts | Bars | Gauges | Grid | Pictures


@dataclass(frozen=True)
class Section:
    """Blocks under a title. own_page: whether it begins one."""

    title: str
    blocks: tuple[Block, ...]
    own_page: bool = False


@dataclass(frozen=True)
class Banner:
    """How soon to act, in a word and a colour; what it is; what to do; and why. tone: neutral where nothing is said."""

    tone: Tone
    level: str
    headline: str
    text: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All that is printed. address: where the record's id and its SHA-256 can be confirmed; empty where nothing is
    kept."""

    title: str
    record_id: str
    patient_ref: str | None
    facts: tuple[tuple[str, str], ...]
    banner: Banner
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    sha256: str
    address: str
