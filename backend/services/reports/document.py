"""A report as PDF: pages with head, foot and watermark."""

from __future__ import annotations

import functools
import io
from typing import Literal

from reportlab import rl_config
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate

from backend.services.rendering.messages import SERVICE_NAME
from backend.services.reports.blocks import Report
from backend.services.reports.figures import QUIET, RULE
from backend.services.reports.layout import SMALL, story, words
from backend.services.reports.typefaces import BOLD, REGULAR, set_up

Paper = Literal["A4", "Letter"]
WATERMARK = "For Research Use Only"
_SIZES: dict[Paper, tuple[float, float]] = {"A4": A4, "Letter": LETTER}
_SIDE_MM, _FOOT_MM = 17.0, 19.0
_COUNT = "page-count"
_WATERMARK_PT, _WATERMARK_ALPHA = 54, 0.09
rl_config.useA85 = 0  # streams as bytes: as text they are a quarter longer and take half of a report's time


def report_pdf(report: Report, paper: Paper) -> bytes:
    """The pages. One report at a time: ReportLab's typefaces are shared."""
    set_up()
    (width, height), written = _SIZES[paper], io.BytesIO()
    made = BaseDocTemplate(
        written, pagesize=(width, height), title=f"Report {report.record_id}", author=SERVICE_NAME, subject=WATERMARK,
        creator=SERVICE_NAME,
    )  # fmt: skip
    side, foot = _SIDE_MM * mm, _FOOT_MM * mm
    room = Frame(side, foot, width - 2 * side, height - 2 * foot, 0, 0, 0, 0)
    furnish = functools.partial(_furnish, report, (width, height))
    made.addPageTemplates(PageTemplate("page", [room], onPageEnd=furnish))
    made.build([*story(report, width - 2 * side), _PageCount()])
    return written.getvalue()


class _PageCount(Flowable):
    """At the end of all: what every page shows as their number."""

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: N803 - ReportLab's names
        """It takes no room."""
        return 0, 0

    def draw(self) -> None:
        """Behind the last page nothing follows, so that its number is theirs."""
        page: Canvas = self.canv
        page.beginForm(_COUNT, 0, -2, 20, 10)
        page.setFillColor(QUIET)
        page.setFont(REGULAR, 8)
        page.drawString(0, 0, str(page.getPageNumber()))
        page.endForm()


def _furnish(report: Report, size: tuple[float, float], page: Canvas, _document: BaseDocTemplate) -> None:
    """Head, foot, and the watermark over all, so that no picture hides it."""
    width, height = size
    left, right = _SIDE_MM * mm, width - _SIDE_MM * mm
    page.saveState()
    page.setStrokeColor(RULE)
    page.setFillColor(QUIET)
    page.setFont(REGULAR, 8)
    for y in (height - 14 * mm, 14.5 * mm):
        page.line(left, y, right, y)
    head = words(f"{report.title} · patient {report.patient_ref or 'not given'}", SMALL)
    head.wrapOn(page, right - left - 60 * mm, 12)
    head.drawOn(page, left, height - 13 * mm)
    page.drawRightString(right - 11, height - 12.5 * mm, f"{SERVICE_NAME} · page {page.getPageNumber()} of")
    page.translate(right - 8.5, height - 12.5 * mm)
    page.doForm(_COUNT)
    page.translate(8.5 - right, 12.5 * mm - height)
    page.drawString(left, 10.5 * mm, f"Record {report.record_id}")
    page.setFont(BOLD, 8)
    page.drawRightString(right, 10.5 * mm, f"{WATERMARK}. Not a medical device.")
    page.translate(width / 2, height / 2)
    page.rotate(52)
    page.setFont(BOLD, _WATERMARK_PT)
    page.setFillAlpha(_WATERMARK_ALPHA)
    page.drawCentredString(0, -_WATERMARK_PT / 3, WATERMARK)
    page.restoreState()
