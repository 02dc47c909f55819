"""The first page of a PDF document as a picture; devices print and archives export to such.

PDFium draws it in a process of its own (`pdf_worker.py`): it is not thread-safe, and a file of
one megabyte can be made that keeps it busy for minutes, in gigabytes. There a limit ends
that process, here it would end the service.
"""

from __future__ import annotations

import json
import subprocess  # nosec B404
import sys
import threading
from pathlib import Path
from typing import Any

from PIL import Image

from ml_model.errors import InputTooLarge, MediDiagnoseError, UnreadableInput
from ml_model.inputs.images.pdf_worker import LONG_SIDE_PX, TIME_LIMIT_S, Refused, draw_first_page

__all__ = ["LONG_SIDE_PX", "draw_isolated", "is_pdf", "render_first_page"]

_HEADER_WITHIN_BYTES = 1024  # readers accept that much before the header
_WAITING_S = 40.0  # for the process to start and to get its share of a busy machine
_RENDERER = "ml_model.inputs.images.pdf_worker"
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
# Not for safety: documents that take long must not take up all of the machine's cores and memory.
_ONE_AT_A_TIME = threading.Lock()
_REFUSALS: dict[str, tuple[type[MediDiagnoseError], str]] = {
    "protected": (UnreadableInput, "is protected by a password; remove it or send the page as a picture"),
    "damaged": (UnreadableInput, "is truncated, corrupt or has no pages; export it again and resend it"),
    "no_area": (UnreadableInput, "has a page without an area; export it again"),
    "too_many_objects": (InputTooLarge, "draws too many objects on its page; send the page as a picture"),
    "picture_too_large": (InputTooLarge, "holds a picture of too many pixels; send a smaller version"),
    "too_complex": (InputTooLarge, "takes too long or too much memory to draw; send the page as a picture"),
}


def is_pdf(data: bytes) -> bool:
    """Does the content start as a PDF document?"""
    return b"%PDF-" in data[:_HEADER_WITHIN_BYTES]


def render_first_page(data: bytes, max_pixels: int) -> tuple[Image.Image, int]:
    """The first page on white as Pillow RGB, and how many pages there are. The picture's longer side has LONG_SIDE_PX,
    or less to stay within max_pixels.

    Raises UnreadableInput (protected by a password, damaged, no pages, no area), InputTooLarge
    (a picture on the page has more than max_pixels; too much is drawn on it for the limits
    of time and memory).
    """
    command = [sys.executable, "-m", _RENDERER, str(max_pixels)]
    try:
        with _ONE_AT_A_TIME:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell  # nosec B603
                command,
                input=data,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_WAITING_S + TIME_LIMIT_S,
                cwd=_PACKAGE_ROOT,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise _refusal("too_complex") from error
    if done.returncode != 0:  # ended by a limit, or by a fault in PDFium: the caller can do the same about both
        raise _refusal("too_complex")
    head, _, pixels = done.stdout.partition(b"\n")
    reply: dict[str, Any] = json.loads(head)
    if "refused" in reply:
        raise _refusal(reply["refused"])
    return Image.frombytes("RGB", (reply["width_px"], reply["height_px"]), pixels), reply["pages"]


def draw_isolated(data: bytes, max_pixels: int) -> tuple[Image.Image, int]:
    """The same, and its errors, where this process is under limits already."""
    try:
        return draw_first_page(data, max_pixels)
    except Refused as refused:
        raise _refusal(str(refused)) from refused


def _refusal(reason: str) -> MediDiagnoseError:
    kind, text = _REFUSALS[reason]
    return kind(f"the PDF document {text}")
