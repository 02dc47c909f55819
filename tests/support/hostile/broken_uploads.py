"""Broken requests as data: what is sent, and the status and code that must come back.

Nothing here knows how requests are sent, so the same table can be played against the
application in this process or against a running server.
"""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from hostile.broken_files import cut, dicom, gif_bomb, gif_with_far_frame, patched, picture, png, scans, tiff, zipped
from pictures import png_chunk

BOUNDARY = "x-boundary-x"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
JSON = "application/json"
SKIN, XRAY, DISEASE, HEART = "/analyze/skin", "/analyze/xray", "/predict-disease", "/predict-heart"


@dataclass(frozen=True)
class BrokenUpload:
    """One broken request.

    `make` gives the file's bytes, sent as multipart under `field` and `file_name`; or, where
    `content_type` is set, the whole body as it goes over the wire.
    """

    name: str
    make: Callable[[], bytes]
    status: int
    code: str
    path: str = SKIN
    method: str = "POST"
    field: str = "image"
    file_name: str = "photo.jpg"
    content_type: str | None = None

    def body(self) -> tuple[bytes, str]:
        """The request's body and its Content-Type."""
        if self.content_type is not None:
            return self.make(), self.content_type
        return multipart((self.field, self.file_name, self.make())), MULTIPART


def multipart(*parts: tuple[str, str | None, bytes], closed: bool = True) -> bytes:
    """A multipart body of (field, file name or None for text, content)."""
    lines = []
    for field, file_name, content in parts:
        named = "" if file_name is None else f'; filename="{file_name}"'
        lines += [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"{named}\r\n\r\n'.encode(),
            content,
            b"\r\n",
        ]
    return b"".join(lines) + (f"--{BOUNDARY}--\r\n".encode() if closed else b"")


def numbers(**changes: object) -> bytes:
    """A heart-risk question with some fields changed."""
    good = {"age": 54, "sex": 1, "blood_pressure": 130, "cholesterol": 246}
    good |= {"chest_pain": 3, "max_heart_rate": 150, "exercise_angina": 0}
    return json.dumps(good | changes).encode()


def row(name: str, content: bytes | Callable[[], bytes], status: int, code: str, **rest: str) -> BrokenUpload:
    make = content if callable(content) else lambda: content
    return BrokenUpload(name, make, status, code, **rest)


def unsupported(name: str, content: bytes | Callable[[], bytes], **rest: str) -> BrokenUpload:
    return row(name, content, 415, "unsupported_format", **rest)


def unreadable(name: str, content: bytes | Callable[[], bytes]) -> BrokenUpload:
    return row(name, content, 422, "unreadable_input")


def too_large(name: str, content: bytes | Callable[[], bytes]) -> BrokenUpload:
    return row(name, content, 413, "input_too_large")


def posted(name: str, path: str, content: bytes | Callable[[], bytes], status: int, code: str) -> BrokenUpload:
    return row(name, content, status, code, path=path, content_type=JSON)


FILES = (
    row("empty file", b"", 400, "empty_input"),
    unsupported("text as .jpg", b"Dear doctor, the picture is attached.\n"),
    unsupported("one byte", b"\xff"),
    unsupported("only zeros", bytes(5000)),
    unsupported("SVG", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'),
    unsupported("SVG behind a byte-order mark", b"\xef\xbb\xbf<svg onload='alert(1)'/>"),
    unsupported("HTML", b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
    unsupported("PDF", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"),
    unsupported("zip of a picture", lambda: zipped(picture(), "photo.jpg")),
    unsupported("zip bomb", lambda: zipped(bytes(50_000_000), "zeros")),
    unsupported("gzip of a picture", lambda: gzip.compress(picture())),
    unsupported("DICOM without a picture", bytes(128) + b"DICM" + b"\x02\0\0\0UL\x04\0" + bytes(4)),
    unsupported("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)),
    unsupported("MP4", b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42" + bytes(100)),
    unsupported("WAV", b"RIFF\x24\0\0\0WAVEfmt " + bytes(24)),
    unsupported("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50)),
    unsupported("Windows icon", b"\0\0\x01\0\x01\0\x10\x10" + bytes(40)),
    unsupported("program", b"\x7fELF\x02\x01\x01" + bytes(100)),
    unsupported("base64 instead of bytes", b"data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="),
    unsupported("12-bit JPEG", patched("JPEG", b"\xff\xc0", 4, b"\x0c")),
    unreadable("truncated JPEG", cut("JPEG", 0.5)),
    unreadable("JPEG without its last bytes", cut("JPEG", 0.99)),
    unreadable("JPEG signature alone", b"\xff\xd8\xff\xe0"),
    unreadable("JPEG with endless scans", lambda: scans(200)),
    unreadable("truncated PNG", cut("PNG", 0.5)),
    unreadable("PNG with a wrong checksum", patched("PNG", b"IDAT", 30, b"\0\0\0\0")),
    unreadable("PNG with garbage for pixels", lambda: png(64, 64, b"not zlib data")),
    unreadable("PNG with too few pixels", lambda: png(64, 64, zlib.compress(bytes(100)))),
    unreadable("PNG of no size", lambda: png(0, 64, zlib.compress(b""))),
    unreadable("PNG without pixels", b"\x89PNG\r\n\x1a\n" + png_chunk(b"IEND", b"")),
    unreadable("truncated WebP", cut("WEBP", 0.5)),
    unreadable("truncated TIFF", cut("TIFF", 0.5)),
    unreadable("TIFF whose directory is elsewhere", b"II*\0\xff\xff\xff\x7f" + bytes(100)),
    unreadable("TIFF whose strip is beyond the end", lambda: tiff(tag273=90_000)),
    unreadable("TIFF of an unknown compression", lambda: tiff(tag259=9999)),
    unreadable("truncated BMP", cut("BMP", 0.5)),
    unreadable("truncated GIF", cut("GIF", 0.5)),
    unreadable("GIF without a picture", b"GIF89a" + struct.pack("<HH", 64, 64) + b"\0\0\0;"),
    unreadable("truncated AVIF", cut("AVIF", 0.5)),
    unreadable("truncated DICOM", lambda: dicom(64, 64)[:-1]),
    unreadable("DICOM with too few pixels", lambda: dicom(64, 65)),
    unreadable("DICOM signature alone", bytes(128) + b"DICM\x02\0"),
    too_large("30,000 x 30,000 DICOM header", lambda: dicom(30_000, 30_000)),
    too_large("30,000 x 30,000 PNG header", lambda: png(30_000, 30_000, zlib.compress(b""))),
    too_large("PNG bomb", lambda: png(50_000, 1_001, zlib.compress(bytes(50_000_000), 9))),
    too_large("65,535 x 65,535 JPEG header", patched("JPEG", b"\xff\xc0", 5, b"\xff" * 4)),
    too_large("GIF bomb", lambda: gif_bomb(65_535, 65_535)),
    too_large("GIF just over Pillow's own warning", lambda: gif_bomb(11_000, 9_000)),
    too_large("GIF frame far outside its screen", gif_with_far_frame),
    too_large("16,384 x 16,384 WebP canvas", patched("WEBP", b"VP8 ", 14, b"\xff\x3f\xff\x3f")),
    too_large("30,000 x 30,000 BMP header", patched("BMP", b"BM", 18, struct.pack("<ii", 30_000, 30_000))),
    too_large("30,000 x 30,000 TIFF header", lambda: tiff(tag256=30_000, tag257=30_000)),
    too_large("33 MB", lambda: picture() + bytes(33_000_000)),
    row("1 x 1", lambda: picture("PNG", 1, 1), 422, "poor_quality"),
    row("a line", lambda: picture("PNG", 900, 2), 422, "poor_quality"),
    row("a thumbnail", lambda: picture("JPEG", 31, 31), 422, "poor_quality"),
)

FORMS = (
    row("wrong field name", picture, 400, "unknown_field", field="file"),
    row("field in capitals", picture, 400, "unknown_field", field="IMAGE"),
    row("path traversal in the file name", b"root:x:0:0", 415, "unsupported_format", file_name="../../etc/passwd"),
    row("no multipart", picture, 400, "empty_input", content_type="image/jpeg"),
    row("no content type", picture, 400, "empty_input", content_type=""),
    row("form without a boundary", picture, 400, "empty_input", content_type="multipart/form-data"),
    row("JSON to an image task", b'{"image": "..."}', 400, "empty_input", content_type=JSON),
    row("nothing at all", b"", 400, "empty_input", content_type=MULTIPART),
    row(
        "text in the file's field",
        lambda: multipart(("image", None, b"a.jpg")),
        400,
        "empty_input",
        content_type=MULTIPART,
    ),
    row(
        "two files",
        lambda: multipart(("image", "a.jpg", picture()), ("image", "b.jpg", picture())),
        400,
        "unknown_field",
        content_type=MULTIPART,
    ),
    row(
        "a file and an unknown field",
        lambda: multipart(("image", "a.jpg", picture()), ("patient", None, b"17")),
        400,
        "unknown_field",
        content_type=MULTIPART,
    ),
    row("unknown task", picture, 404, "not_found", path="/analyze/knee"),
    row("no task", picture, 404, "not_found", path="/analyze/"),
    row("path traversal in the task", picture, 404, "not_found", path="/analyze/..%2f..%2fetc"),
    row("wrong method", b"", 405, "method_not_allowed", method="GET", content_type=""),
    row("PUT", picture, 405, "method_not_allowed", method="PUT"),
    row("?explain=banana", picture, 422, "invalid_value", path=f"{SKIN}?explain=banana"),
    row("?top_k=0", picture, 422, "invalid_value", path=f"{SKIN}?top_k=0"),
    row("?top_k=-1", picture, 422, "invalid_value", path=f"{SKIN}?top_k=-1"),
    row("?top_k=many", picture, 422, "invalid_value", path=f"{SKIN}?top_k=many"),
    row("?target=nope", picture, 422, "invalid_value", path=f"{SKIN}?target=nope"),
    row("?modality=banana", picture, 422, "invalid_value", path=f"{XRAY}?modality=banana"),
)

BODIES = (
    posted("no body", DISEASE, b"", 400, "empty_input"),
    posted("no JSON", DISEASE, b"symptoms=fever", 400, "invalid_json"),
    posted("JSON cut off", DISEASE, b'{"symptoms": ["fever"', 400, "invalid_json"),
    posted("invalid UTF-8", DISEASE, b'{"symptoms": ["\xff\xfe\xff"]}', 400, "invalid_json"),
    posted("JSON too deep", DISEASE, lambda: b'{"symptoms":' + b"[" * 100_000, 400, "invalid_json"),
    posted("deep and well formed", DISEASE, lambda: b"[" * 100_000 + b"]" * 100_000, 400, "invalid_json"),
    posted("NaN", DISEASE, b'{"symptoms": ["fever"], "age": NaN}', 400, "invalid_json"),
    posted("a field twice", DISEASE, b'{"symptoms": ["fever"], "symptoms": ["cough"]}', 400, "invalid_json"),
    row(
        "wrong content type",
        b'{"symptoms": ["fever"]}',
        415,
        "unsupported_format",
        path=DISEASE,
        content_type="text/plain",
    ),
    row("a form for JSON", b"symptoms=fever", 415, "unsupported_format", path=DISEASE, content_type=MULTIPART),
    posted("unknown JSON field", DISEASE, b'{"symptoms": ["fever"], "patient": "x"}', 400, "unknown_field"),
    posted("a list instead of an object", DISEASE, b'["fever"]', 422, "invalid_value"),
    posted("no symptoms field", DISEASE, b'{"age": 30}', 422, "invalid_value"),
    posted("empty symptoms", DISEASE, b'{"symptoms": []}', 422, "invalid_value"),
    posted("symptoms not a list", DISEASE, b'{"symptoms": "fever, cough"}', 422, "invalid_value"),
    posted("nested lists", DISEASE, b'{"symptoms": [["fever"]]}', 422, "invalid_value"),
    posted("symptoms are numbers", DISEASE, b'{"symptoms": [1, 2]}', 422, "invalid_value"),
    posted("symptoms are null", DISEASE, b'{"symptoms": [null]}', 422, "invalid_value"),
    posted("unknown symptoms only", DISEASE, b'{"symptoms": ["qqqqzzzz", "xxxxwwww"]}', 422, "no_symptom_recognised"),
    posted("negative age", DISEASE, b'{"symptoms": ["fever"], "age": -4}', 422, "invalid_value"),
    posted("boolean age", DISEASE, b'{"symptoms": ["fever"], "age": true}', 422, "invalid_value"),
    posted("age as text", DISEASE, b'{"symptoms": ["fever"], "age": "40"}', 422, "invalid_value"),
    posted("unknown sex", DISEASE, b'{"symptoms": ["fever"], "sex": "x"}', 422, "invalid_value"),
    row("GET with a body", b"", 405, "method_not_allowed", path=DISEASE, method="GET", content_type=""),
    posted("NaN factor", HEART, lambda: numbers(cholesterol=float("nan")), 400, "invalid_json"),
    posted("infinite factor", HEART, lambda: numbers(cholesterol=float("inf")), 400, "invalid_json"),
    posted("number as text", HEART, lambda: numbers(cholesterol="246"), 422, "invalid_value"),
    posted("boolean for a number", HEART, lambda: numbers(exercise_angina=True), 422, "invalid_value"),
    posted("list for a number", HEART, lambda: numbers(age=[54]), 422, "invalid_value"),
    posted("object for a number", HEART, lambda: numbers(age={"years": 54}), 422, "invalid_value"),
    posted("heart age 400", HEART, lambda: numbers(age=400), 422, "out_of_range"),
    posted("heart age -4", HEART, lambda: numbers(age=-4), 422, "out_of_range"),
    posted("pressure 0", HEART, lambda: numbers(blood_pressure=0), 422, "out_of_range"),
    posted("number beyond any range", HEART, lambda: numbers(age=10**300), 422, "out_of_range"),
    posted("integer too large for a float", HEART, lambda: numbers(age=10**400), 422, "invalid_value"),
    posted("chest pain between two kinds", HEART, lambda: numbers(chest_pain=1.5), 422, "out_of_range"),
    posted("unknown factor", HEART, lambda: numbers(shoe_size=43), 400, "unknown_field"),
)

BROKEN_UPLOADS = FILES + FORMS + BODIES
