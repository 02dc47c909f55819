"""Blocks as what ReportLab lays out."""

from __future__ import annotations

import io
from collections.abc import Iterator

from reportlab.lib.colors import Color, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, Image, KeepTogether, PageBreak, Paragraph, Spacer, Table

from backend.services.reports.blocks import (
    Banner,
    Bars,
    Block,
    Bullets,
    Facts,
    Gauges,
    Grid,
    Pictures,
    Report,
    Section,
    Words,
)
from backend.services.reports.figures import INK, PAPER, QUIET, RULE, TONES, bar, code, gauge
from backend.services.reports.image_content import fine
from backend.services.reports.typefaces import BOLD, REGULAR, marked

BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=9.5, leading=12.2, textColor=INK)
SMALL = ParagraphStyle("small", BODY, fontSize=8, leading=10, textColor=QUIET)
NUMBER = ParagraphStyle("number", BODY, alignment=TA_RIGHT)
HEAD = ParagraphStyle(
    "head", BODY, fontName=BOLD, fontSize=11.5, leading=14, spaceBefore=9, spaceAfter=3, keepWithNext=1
)
TITLE = ParagraphStyle("title", BODY, fontName=BOLD, fontSize=17, leading=21)
LIST = ParagraphStyle("list", BODY, leftIndent=9, bulletIndent=0, bulletFontName=REGULAR)
GRID = ParagraphStyle("grid", BODY, fontSize=8.6, leading=10.6)
_QR_MM, _GAP_MM = 30.0, 4.0
_MOST_PICTURE_MM, _MOST_PAGE_MM = 82.0, 205.0
_MOST_TEXT = 3000  # characters of one paragraph
_ALL = ((0, 0), (-1, -1))
_TIGHT = [("LEFTPADDING", *_ALL, 0), ("RIGHTPADDING", *_ALL, 4), ("VALIGN", *_ALL, "TOP"),
          ("TOPPADDING", *_ALL, 1.2), ("BOTTOMPADDING", *_ALL, 1.2)]  # fmt: skip


def words(text: str, style: ParagraphStyle = BODY, bullet: str | None = None) -> Paragraph:
    """A paragraph; what is longer than any of ours is cut."""
    cut = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " …"
    return Paragraph(marked(cut), style, bulletText=bullet)


def item(text: str) -> Paragraph:
    """One of a list."""
    return words(text, LIST, "•")


def story(report: Report, width_pt: float) -> list[Flowable]:
    """The whole report, in order."""
    made: list[Flowable] = [_heading(report, width_pt), Spacer(1, 3 * mm), _banner(report.banner, width_pt)]
    made += [_notice(text, width_pt) for text in report.warnings]
    for section in report.sections:
        made += _section(section, width_pt)
    return made


def _heading(report: Report, width_pt: float) -> Table:
    side = _QR_MM * mm
    left = [words(report.title, TITLE), Spacer(1, 1.5 * mm), _facts(report.facts, width_pt - side, 0.24)]
    about = [code(report.address, side), words("Scan to confirm this record and its SHA-256", SMALL)]
    table = Table([[left, about if report.address else ""]], colWidths=[width_pt - side, side])
    table.setStyle([*_TIGHT, ("RIGHTPADDING", *_ALL, 0)])
    return table


def _banner(banner: Banner, width_pt: float) -> Table:
    colour: Color = TONES[banner.tone]
    light = ParagraphStyle("level", BODY, fontName=BOLD, fontSize=11, leading=14, textColor=white)
    head = ParagraphStyle("headline", BODY, fontName=BOLD, fontSize=13, leading=16)
    said = [words(banner.headline, head), Spacer(1, 1 * mm), words(banner.text)]
    said += [item(reason) for reason in banner.reasons]
    table = Table([[words(f"Triage: {banner.level}", light)], [said]], colWidths=[width_pt])
    table.setStyle([
        ("BACKGROUND", (0, 0), (0, 0), colour), ("BOX", *_ALL, 1, colour), ("LEFTPADDING", *_ALL, 8),
        ("RIGHTPADDING", *_ALL, 8), ("TOPPADDING", *_ALL, 3), ("BOTTOMPADDING", *_ALL, 5),
    ])  # fmt: skip
    return table


def _notice(text: str, width_pt: float) -> Table:
    table = Table([[words(text)]], colWidths=[width_pt], spaceBefore=2 * mm)
    table.setStyle([("BACKGROUND", *_ALL, PAPER), ("LINEBEFORE", (0, 0), (0, -1), 2.5, TONES["soon"]),
                    ("LEFTPADDING", *_ALL, 8)])  # fmt: skip
    return table


def _section(section: Section, width_pt: float) -> Iterator[Flowable]:
    yield PageBreak() if section.own_page else CondPageBreak(28 * mm)
    laid = [words(section.title, HEAD), *(part for block in section.blocks for part in _block(block, width_pt))]
    together = any(isinstance(block, Pictures) for block in section.blocks)
    yield from [KeepTogether(laid)] if together else laid


def _block(block: Block, width_pt: float) -> Iterator[Flowable]:
    match block:
        case Words():
            yield words(block.text, SMALL if block.small else BODY)
            yield Spacer(1, 1 * mm)
        case Bullets():
            items = list(map(item, block.items))
            yield from items[:1]  # a title may precede it, which a KeepTogether would leave alone
            yield from (KeepTogether([one]) for one in items[1:])
        case Facts():
            yield _facts(block.rows, width_pt, 0.2)
        case Bars():
            yield _bars(block, width_pt)
        case Gauges():
            yield from _gauges(block, width_pt)
        case Grid():
            yield _grid(block, width_pt)
            yield Spacer(1, 2 * mm)
        case Pictures():
            yield _pictures(block, width_pt)


def _facts(rows: tuple[tuple[str, str], ...], width_pt: float, share: float) -> Table:
    cells = [[words(name, SMALL), words(value, BODY if len(value) < 64 else SMALL)] for name, value in rows]
    table = Table(cells, colWidths=[share * width_pt, (1 - share) * width_pt])
    table.setStyle(_TIGHT)
    return table


def _bars(block: Bars, width_pt: float) -> Table:
    widths = [0.42 * width_pt, 0.46 * width_pt, 0.12 * width_pt]
    rows = []
    for entry in block.entries:
        label = [words(entry.name), *([words(entry.note, SMALL)] if entry.note else [])]
        rows.append([label, bar(entry, widths[1] - 6), words(fine(entry.share), NUMBER)])
    table = Table(rows, colWidths=widths)
    table.setStyle([*_TIGHT, ("TOPPADDING", (1, 0), (1, -1), 3.4)])
    return table


def _gauges(block: Gauges, width_pt: float) -> Iterator[Flowable]:
    widths = [0.34 * width_pt, 0.16 * width_pt, 0.38 * width_pt, 0.12 * width_pt]
    for entry in block.entries:
        state = ParagraphStyle("state", BODY, fontName=BOLD, textColor=TONES[entry.tone])
        first = [
            words(entry.name),
            words(entry.state, state),
            gauge(entry, widths[2] - 6),
            words(fine(entry.share), NUMBER),
        ]
        table = Table([first, [[words(note, SMALL) for note in entry.notes], "", "", ""]], colWidths=widths)
        # Not a KeepTogether: before one, ReportLab leaves a title alone.
        table.setStyle([*_TIGHT, ("SPAN", (0, 1), (3, 1)), ("LINEBELOW", (0, 1), (-1, 1), 0.4, RULE),
                        ("NOSPLIT", *_ALL)])  # fmt: skip
        yield table


def _grid(block: Grid, width_pt: float) -> Table:
    head = [words(title, SMALL) for title in block.titles]
    cells = [[words(value, GRID) for value in row] for row in block.rows]
    table = Table([head, *cells], colWidths=[share * width_pt for share in block.widths], repeatRows=1)
    table.setStyle([*_TIGHT, ("LINEBELOW", *_ALL, 0.4, RULE)])
    return table


def _pictures(block: Pictures, width_pt: float) -> Table:
    """One over the whole width, or two side by side, each as large as its room allows."""
    one = len(block.shown) == 1
    room = width_pt if one else (width_pt - _GAP_MM * mm) / 2
    most = (_MOST_PAGE_MM if one and block.whole_page else _MOST_PICTURE_MM) * mm
    cells = []
    for shown in block.shown:
        drawn = Image(io.BytesIO(shown.data))
        scale = min(room / drawn.imageWidth, most / drawn.imageHeight)
        drawn.drawWidth, drawn.drawHeight = drawn.imageWidth * scale, drawn.imageHeight * scale
        drawn.hAlign = "LEFT"
        cells.append([drawn, words(shown.caption, SMALL)])
    table = Table([cells], colWidths=[width_pt / len(cells)] * len(cells))
    table.setStyle(_TIGHT)
    return table
