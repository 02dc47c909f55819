"""What is drawn: bars, the places of thresholds, the code that leads to the record."""

from __future__ import annotations

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing, Line, Rect
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.units import mm

from backend.services.reports.blocks import Bar, Gauge, Tone

TONES: dict[Tone, Color] = {
    "emergency": HexColor("#b42318"),
    "urgent": HexColor("#c4320a"),
    "soon": HexColor("#9a6700"),
    "routine": HexColor("#175cd3"),
    "none": HexColor("#1a7f37"),
    "neutral": HexColor("#57606a"),
}
INK, QUIET, RULE, PAPER = HexColor("#1f2328"), HexColor("#57606a"), HexColor("#d0d7de"), HexColor("#f3f5f7")
_BAR, _MARKED, _MARK = HexColor("#8c959f"), HexColor("#0a5db0"), HexColor("#1f2328")
_BAR_MM, _GAUGE_MM = 3.0, 4.2
_LEAST_PT = 0.6  # of a share above 0: something is to be seen


def bar(entry: Bar, width_pt: float) -> Drawing:
    """A share of the width, on the whole of it; darker where it is marked; a line over its span."""
    drawn = _scale(width_pt, _BAR_MM * mm)
    height = _BAR_MM * mm
    reach = _reach(entry.share, width_pt)
    drawn.add(_box(0, reach, height, _MARKED if entry.marked else _BAR))
    if entry.span:
        low, high = (share * width_pt for share in entry.span)
        for x0, y0, x1, y1 in ((low, height / 2, high, height / 2), (low, 0, low, height), (high, 0, high, height)):
            drawn.add(Line(x0, y0, x1, y1, strokeColor=_MARK, strokeWidth=1.1))
    return drawn


def gauge(entry: Gauge, width_pt: float) -> Drawing:
    """The probability as a bar, its thresholds as lines that reach beyond it."""
    height = _GAUGE_MM * mm
    drawn = _scale(width_pt, height, inset=0.8 * mm)
    reach = _reach(entry.share, width_pt)
    drawn.add(_box(0.8 * mm, reach, height - 1.6 * mm, TONES[entry.tone]))
    for threshold in entry.thresholds:
        x = threshold * width_pt
        drawn.add(Line(x, 0, x, height, strokeColor=_MARK, strokeWidth=1.1))
    return drawn


def _reach(share: float, width_pt: float) -> float:
    return max(share * width_pt, _LEAST_PT) if share > 0 else 0.0


def _scale(width_pt: float, height_pt: float, inset: float = 0.0) -> Drawing:
    """From 0 to 1."""
    drawn = Drawing(width_pt, height_pt)
    drawn.add(_box(inset, width_pt, height_pt - 2 * inset, PAPER, RULE))
    return drawn


def _box(y: float, width_pt: float, height_pt: float, fill: Color, edge: Color | None = None) -> Rect:
    made = Rect(0, y, width_pt, height_pt)
    made.fillColor, made.strokeColor, made.strokeWidth = fill, edge, 0.4
    return made


def code(address: str, side_pt: float) -> Drawing:
    """The address as a QR code with its quiet zone."""
    widget = QrCodeWidget(address, barLevel="L", barWidth=side_pt, barHeight=side_pt, barBorder=4)
    return Drawing(side_pt, side_pt, widget)
