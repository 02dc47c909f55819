"""A PDF as one reads it."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pypdfium2

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
    """What the QR code on the first page says. OpenCV misses one in ten whatever the scale, so several are tried."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = (np.asarray(document[0].render(scale=scale).to_pil().convert("L")) for scale in (4, 3, 5, 6, 7, 8))
        texts = (cv2.QRCodeDetector().detectAndDecode(page)[0] for page in pages)
        return next((text for text in texts if text), "")
    finally:
        document.close()


def pictures_on(pdf: bytes) -> int:
    """How many pictures all pages have."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return sum(1 for page in document for _ in page.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
    finally:
        document.close()
