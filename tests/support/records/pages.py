"""A PDF as one reads it."""

from __future__ import annotations

import re

import pypdfium2
import zxingcpp

_BLANKS = re.compile(r"\s+")


def page_texts(pdf: bytes) -> list[str]:
    """Of each page, blanks and line ends as single blanks."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [_BLANKS.sub(" ", page.get_textpage().get_text_bounded()) for page in document]
    finally:
        document.close()


def page_sizes_mm(pdf: bytes) -> set[tuple[int, int]]:
    """Width and height that pages have."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return {(round(page.get_width() / 72 * 25.4), round(page.get_height() / 72 * 25.4)) for page in document}
    finally:
        document.close()


def code_on(pdf: bytes) -> str:
    """What the QR code on the first page says; empty where none is read."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        found = zxingcpp.read_barcodes(document[0].render(scale=3).to_pil().convert("L"))
        return "".join(one.text for one in found)
    finally:
        document.close()


def pictures_on(pdf: bytes) -> int:
    """How many pictures all pages have."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return sum(1 for page in document for _ in page.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
    finally:
        document.close()
