"""Files of every format that is kept, with the same text wherever the format has room for one beside its pixels."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator

import numpy as np
from dicom_files import dataset, write
from pictures import encode, picture, png_chunk
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from ml_model.inputs.images.gif import gif_head_bytes

TEXT = b"SMITH^JOHN^19610823"
GREY = np.asarray(picture().convert("L"))
TIFF_TEXTS = {270: TEXT, 315: TEXT, 529: TEXT, 700: TEXT, 33432: TEXT}  # one under a number of pixels


def _exif() -> bytes:
    exif = Image.Exif()
    exif[270] = TEXT.decode()
    return exif.tobytes()


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def png(image: Image.Image, **options: object) -> bytes:
    """Texts at the end of each chunk and in chunks of their own."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in _png_chunks(encode(image, "PNG", **options)):
        more = TEXT.ljust(21, b"\0") if kind == b"PLTE" else TEXT
        parts.append(png_chunk(kind, body + more))
        if kind == b"IHDR":
            parts += [
                png_chunk(b"tEXt", b"Comment\0" + TEXT),
                png_chunk(b"prVt", TEXT),
                png_chunk(b"eXIf", _exif()[6:]),
            ]
            parts += [] if image.mode == "P" else [png_chunk(b"PLTE", more.ljust(21, b"\0"))]
    return b"".join(parts[:-1]) + png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + TEXT) + parts[-1] + TEXT


def palette_png() -> bytes:
    return png(picture().quantize(4), bits=2, transparency=b"\x80\xff\xff\xff")


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body


JPEG_SEGMENTS = (
    segment(0xFE, TEXT), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + TEXT),
    segment(0xE2, b"ICC_PROFILE\0" + TEXT),
    segment(0xED, b"Photoshop 3.0\0" + TEXT), segment(0xE0, b"JFXX\0" + TEXT), segment(0xEF, TEXT),
    segment(0xDC, struct.pack(">H", 64) + TEXT),
)  # fmt: skip
ADOBE = segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 1) + TEXT)


def jpeg(image: Image.Image, *segments: bytes, between: bytes = b"", **options: object) -> bytes:
    """Segments behind the first one and before the last scan, with a text that is in none between them."""
    plain = encode(image, "JPEG", quality=95, **options)
    first, last = 4 + int.from_bytes(plain[4:6], "big"), plain.rindex(b"\xff\xda")
    texts = between.join((b"", *segments, b""))
    again = texts if plain.count(b"\xff\xda") > 1 else b""
    return plain[:first] + texts + plain[first:last] + again + plain[last:]


def progressive_jpeg() -> bytes:
    other = jpeg(picture(seed=1), *JPEG_SEGMENTS)
    sent = jpeg(picture(), segment(0xE1, _exif()), *JPEG_SEGMENTS, ADOBE, between=TEXT, progressive=True)
    return sent + TEXT + other


def _riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def webp(*, lossless: bool, frames: int = 1) -> bytes:
    options: dict[str, object] = {"save_all": True, "append_images": [picture(seed=2)]} if frames > 1 else {}
    plain = encode(picture(), "WEBP", lossless=lossless, exif=_exif(), xmp=TEXT, icc_profile=TEXT, **options)
    head = int.from_bytes(plain[16:20], "little")
    behind = TEXT if frames == 1 else b""  # the decoder of animations takes no more than there is
    chunks = _riff(b"VP8X", plain[20 : 20 + head] + behind) + plain[20 + head :] + _riff(b"NAME", TEXT)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks + behind


def tiff(
    strips: tuple[bytes, ...], numbers: dict[int, tuple[int, ...]], values: dict[int, bytes], tiled: bool = False
) -> bytes:
    """Texts between strips, in tags and behind the end. values: of tags that are no numbers."""
    body = bytearray(struct.pack("<4sI", b"II*\0", 0) + TEXT)
    places = []
    for strip in strips:
        places.append(len(body))
        body += strip + TEXT
    body += bytes(len(body) % 2)
    starts, lengths = (324, 325) if tiled else (273, 279)
    numbers = {**numbers, starts: tuple(places), lengths: tuple(map(len, strips))}
    rows = {tag: (4, len(found), struct.pack(f"<{len(found)}I", *found)) for tag, found in numbers.items()}
    rows |= {tag: (7 if tag == 347 else 2, len(text), text) for tag, text in values.items()}
    struct.pack_into("<I", body, 4, len(body))
    table, more = struct.pack("<H", len(rows)), b""
    behind = len(body) + 2 + 12 * len(rows) + 4
    for tag, (kind, count, value) in sorted(rows.items()):
        inline = len(value) <= 4
        table += struct.pack("<HHI", tag, kind, count) + (value if inline else struct.pack("<I", behind + len(more)))
        more += b"" if inline else value
    return bytes(body) + table + bytes(4) + more + TEXT


def plain_tiff() -> bytes:
    """Strips that say that they are longer than their pixels."""
    numbers = {256: (96,), 257: (64,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), 278: (40,)}
    strips = GREY[:40].tobytes() + TEXT, GREY[40:].tobytes() + TEXT
    return tiff(strips, numbers, TIFF_TEXTS)


def jpeg_tiff() -> bytes:
    numbers = {256: (96,), 257: (64,), 258: (8,), 259: (7,), 262: (1,), 277: (1,), 278: (64,)}
    strip = jpeg(Image.fromarray(GREY), *JPEG_SEGMENTS) + TEXT
    plain = encode(Image.fromarray(GREY), "JPEG")
    tables = plain[:2] + segment(0xFE, TEXT) + plain[plain.index(b"\xff\xdb") : plain.index(b"\xff\xc0")] + b"\xff\xd9"
    return tiff((strip,), numbers, TIFF_TEXTS | {347: tables + TEXT})


def bmp() -> bytes:
    """Of 16 colours, with a table of 64 and a header that has room for a profile."""
    head = struct.pack("<IiiHHIIiiII", 124, 96, 64, 1, 4, 0, 0, 2835, 2835, 64, 0) + bytes(16)
    colours = b"".join(bytes((3 * n, 200 - n, 7 * n, 0)) for n in range(16)) + TEXT.ljust(48 * 4, b"\0")
    pixels = np.random.default_rng(4).integers(0, 256, 48 * 64, np.uint8).tobytes()
    body = head + TEXT.ljust(124 - len(head), b"\0") + colours + TEXT
    first = 14 + len(body)
    return b"BM" + struct.pack("<I4sI", first + len(pixels), TEXT[:4], first) + body + pixels + TEXT


def run_length_bmp() -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, 96, 64, 1, 8, 1, 0, 2835, 2835, 0, 0)
    colours = b"".join(bytes((n, 255 - n, n // 2, 0)) for n in range(256))
    rows = b"".join(b"".join(bytes((1, level)) for level in row) + b"\0\0" for row in GREY[::-1])
    first = 14 + len(head) + len(colours) + len(TEXT)
    body = head + colours + TEXT + rows + b"\0\1" + TEXT
    return b"BM" + struct.pack("<III", 14 + len(body), 0, first) + body


def gif() -> bytes:
    plain = encode(picture().quantize(16), "GIF")
    other = encode(picture(seed=3).quantize(16), "GIF")
    head, text = gif_head_bytes(plain), bytes([len(TEXT)]) + TEXT + b"\0"
    xmp = b"\x21\xff\x0bXMP DataXMP" + text
    extensions = (
        b"\x21\xfe" + text,
        xmp,
        b"\x21\x01\x0c" + bytes(12) + text,
        b"\x21\xf9\x04\0\0\0\0" + text,
    )
    second = other[gif_head_bytes(other) : -1]
    return (
        b"GIF89a" + plain[6:head] + b"".join(extensions) + plain[head:-2] + text + extensions[0] + second + b";" + TEXT
    )


def avif() -> bytes:
    plain = encode(picture(), "AVIF", exif=_exif(), xmp=TEXT, icc_profile=TEXT * 8, speed=10)
    return plain + b"".join(struct.pack(">I", 8 + len(TEXT)) + kind + TEXT for kind in (b"free", b"uuid"))


def comment_2000(text: bytes) -> bytes:
    return b"\xff\x64" + struct.pack(">HH", len(text) + 4, 1) + text


def jpeg_2000(*, open_end: bool) -> bytes:
    """Comments in the header and in that of the tile-part, a box before the code stream, and a text behind its end.
    open_end: the tile-part does not say how long it is, so that nothing may be behind it; of even length."""
    code = encode(Image.fromarray(GREY), "JPEG2000", no_jp2=True, irreversible=False)
    coding, part = code.index(b"\xff\x52"), code.index(b"\xff\x90\x00\x0a")
    inner = comment_2000(TEXT) + comment_2000(TEXT)
    length = 0 if open_end else int.from_bytes(code[part + 6 : part + 10], "big") + len(inner)
    head = code[:coding] + comment_2000(TEXT) + code[coding:part]
    tile = code[part : part + 6] + length.to_bytes(4, "big") + code[part + 10 : part + 12] + inner + code[part + 12 :]
    signature = encode(Image.fromarray(GREY), "JPEG2000")[:12]
    code = head + tile + (b"" if open_end else TEXT)
    box = b"xml " + TEXT + bytes((len(code) + len(TEXT)) % 2)
    return signature + struct.pack(">I", 4 + len(box)) + box + code


def _item(body: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body) + len(body) % 2) + body + bytes(len(body) % 2)


def dicom(syntax: str, *fragments: bytes, made: Dataset | None = None) -> bytes:
    made = made or dataset(GREY)
    made.PixelData = b"".join(map(_item, (b"", *fragments)))
    made["PixelData"].is_undefined_length, made["PixelData"].VR = True, "OB"
    return write(made, syntax)


def cut(data: bytes, *places: int) -> tuple[bytes, ...]:
    """Into pieces of even length, since others are filled up."""
    ends = (0, *(place - place % 2 for place in places), len(data))
    return tuple(data[start:end] for start, end in itertools.pairwise(ends))


def dicom_jpeg_in_fragments() -> bytes:
    """Cut within comments, one of which is as long as they can be, and a fragment that is none of the picture."""
    frame = jpeg(Image.fromarray(GREY), segment(0xFE, TEXT * 3), segment(0xEA, TEXT * 3000), *JPEG_SEGMENTS)
    return dicom(JPEGBaseline8Bit, *cut(frame, frame.index(TEXT) + 25, 20_000, 40_000), TEXT)


def dicom_colour_jpeg() -> bytes:
    made = dataset(np.asarray(picture()), PhotometricInterpretation="YBR_FULL")
    frame = jpeg(picture(), *JPEG_SEGMENTS, ADOBE, between=TEXT, subsampling=0)
    return dicom(JPEGBaseline8Bit, frame + TEXT, made=made)


def dicom_jpeg_2000(*, open_end: bool) -> bytes:
    frame = jpeg_2000(open_end=open_end)
    return dicom(JPEG2000Lossless, *cut(frame, len(frame) // 2), *(() if open_end else (TEXT,)))


def dicom_jpeg_ls() -> bytes:
    import imagecodecs

    frame = imagecodecs.jpegls_encode(GREY)
    texts = segment(0xFE, TEXT) + segment(0xEA, TEXT)
    return dicom(JPEGLSLossless, frame[:2] + texts + frame[2:] + TEXT)


def dicom_run_lengths() -> bytes:
    made = dataset(GREY)
    made.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    (frame,) = generate_frames(made.PixelData, number_of_frames=1)
    return dicom(RLELossless, frame[:8] + TEXT + frame[8 + len(TEXT) :])


HIDING: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: png(picture()), "PNG of a palette": palette_png, "PNG of 16 bits": lambda: png(
        Image.fromarray(GREY.astype(np.uint16) * 250)
    ),
    "JPEG": progressive_jpeg, "WebP": lambda: webp(lossless=False), "lossless WebP": lambda: webp(lossless=True),
    "animated WebP": lambda: webp(lossless=True, frames=2), "TIFF": plain_tiff, "JPEG in TIFF": jpeg_tiff, "BMP": bmp,
    "BMP of run lengths": run_length_bmp, "GIF": gif, "AVIF": avif, "DICOM": dicom_colour_jpeg,
    "fragments": dicom_jpeg_in_fragments, "JPEG 2000": lambda: dicom_jpeg_2000(open_end=False),
    "JPEG 2000 with an open end": lambda: dicom_jpeg_2000(open_end=True), "JPEG-LS": dicom_jpeg_ls,
    "run lengths": dicom_run_lengths,
}  # fmt: skip
