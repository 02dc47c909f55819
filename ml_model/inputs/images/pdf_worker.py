"""A process that draws the first page of one PDF document: `python -m ml_model.inputs.images.pdf_worker MAX_PIXELS`.

The document comes on standard input. On standard output: a line of JSON, {"width_px", "height_px"}
and behind it the pixels, RGB of 8 bits, or {"refused": reason}. Nothing where a limit ended it.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfDocument, PdfPage  # type: ignore[import-untyped]

LONG_SIDE_PX = 2200  # an A4 page at 188 dots an inch: a millimetre of chart paper has seven pixels
TIME_LIMIT_S = 20.0  # of computing; printed ECGs take under one second
_MEMORY_LIMIT_BYTES = 768 * 2**20
_MEMORY_LIMIT_BYTES_PER_PX = 16  # for a picture of the largest size on the page, decoded and copied
_MAX_OBJECTS = 200_000  # on the page; printed ECGs have some thousands
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD


class Refused(Exception):
    """Carries the reason, one of those that `pdf.py` puts into words."""


def draw_first_page(data: bytes, max_pixels: int) -> tuple[Image.Image, int]:
    """The first page on white as Pillow RGB, and the number of pages. Raises Refused."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PdfDocument(data) as document:
            return _draw(document, max_pixels), len(document)
    except PdfiumError as error:
        raise Refused("protected" if error.err_code == _PASSWORD_ERROR else "damaged") from error


def _draw(document: PdfDocument, max_pixels: int) -> Image.Image:
    with contextlib.closing(document[0]) as page:
        width_pt, height_pt = page.get_size()
        area = width_pt * height_pt
        if not (math.isfinite(area) and area > 0):
            raise Refused("no_area")
        _check_objects(page, max_pixels)
        scale = min(LONG_SIDE_PX / max(width_pt, height_pt), math.sqrt(max_pixels / area))
        with contextlib.closing(page.render(scale=scale)) as bitmap:
            drawn: Image.Image = bitmap.to_pil().convert("RGB")  # a copy: the first may lie in the bitmap's memory
            return drawn


def _check_objects(page: PdfPage, max_pixels: int) -> None:
    from pypdfium2 import PdfImage

    for count, drawn in enumerate(page.get_objects()):
        if count >= _MAX_OBJECTS:
            raise Refused("too_many_objects")
        if isinstance(drawn, PdfImage):
            width_px, height_px = drawn.get_px_size()
            if width_px * height_px > max_pixels:
                raise Refused("picture_too_large")


def _limit_resources(max_pixels: int) -> None:
    """Where the system has such limits; elsewhere the parent's timeout is the only one."""
    try:
        import resource
    except ImportError:  # Windows
        return
    memory = _MEMORY_LIMIT_BYTES + _MEMORY_LIMIT_BYTES_PER_PX * max_pixels
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, math.ceil(TIME_LIMIT_S))):
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(limit, (value, value))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a picture of a patient is not written to disk


def main() -> None:
    """Read, draw, write."""
    max_pixels = int(sys.argv[1])
    _limit_resources(max_pixels)
    reply: dict[str, object]
    pixels = b""
    try:
        page, pages = draw_first_page(sys.stdin.buffer.read(), max_pixels)
    except Refused as refused:
        reply = {"refused": str(refused)}
    except MemoryError:
        reply = {"refused": "too_complex"}
    else:
        reply, pixels = {"width_px": page.width, "height_px": page.height, "pages": pages}, page.tobytes()
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n" + pixels)


if __name__ == "__main__":
    main()
