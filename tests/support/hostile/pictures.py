"""Pictures made to cost as much as a file of their size can: each maker takes about how many bytes it may have."""

from __future__ import annotations

import struct
import zlib

from pictures import depths, encode, picture, plain_tiff, png_chunk

WEBP_EXIF = b"II*\0"
EXIF = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\1\0\0\0\6\0\0\0"  # turned by a quarter


def jpeg_fill(behind: bytes, size: int) -> bytes:
    """A JPEG with fill bytes right behind the marker `behind`; a zero ends the run, so that it is no marker's."""
    data = encode(picture(), "JPEG")
    at = data.index(behind) + len(behind)
    return data[:at] + b"\xff" * (size - len(data)) + b"\0" + data[at:]


def jpeg_fill_between_segments(size: int) -> bytes:
    """Legal fill bytes, before the first table."""
    data = encode(picture(), "JPEG")
    at = data.index(b"\xff\xdb")
    return data[:at] + b"\xff" * (size - len(data)) + data[at:]


def jpeg_fill_in_scan(size: int) -> bytes:
    data = encode(picture(), "JPEG")
    return data[:-2] + (b"\xff" * 64 + b"\0") * (size // 65) + data[-2:]


def jpeg_stuffed_scan(size: int) -> bytes:
    """Stuffed bytes and restart markers without end."""
    data = encode(picture(), "JPEG")
    return data[:-2] + b"\xff\0\xff\xd0" * (size // 4) + data[-2:]


def jpeg_segments(length: int, size: int) -> bytes:
    """Comments of `length` bytes each before the first table."""
    data = encode(picture(), "JPEG")
    comment = b"\xff\xfe" + struct.pack(">H", length) + bytes(length - 2)
    return data[:2] + comment * (size // len(comment)) + data[2:]


def jpeg_exif(size: int) -> bytes:
    """EXIF segments, each a directory of as many entries as fit."""
    data = encode(picture(), "JPEG")
    entries = 5000
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, entries) + struct.pack("<HHII", 1, 3, 1, 0) * entries
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    return data[:2] + segment * (size // len(segment)) + data[2:]


def png_chunks(kind: bytes, body: bytes, size: int) -> bytes:
    """A PNG with as many chunks of that kind behind its header as fit."""
    plain = encode(picture(), "PNG")
    chunk = png_chunk(kind, body)
    return plain[:33] + chunk * (size // len(chunk)) + plain[33:]


def png_bombs(size: int) -> bytes:
    """Compressed texts and profiles that unfold to a thousand times their size."""
    bomb = zlib.compress(bytes(16 * 2**20), 9)
    plain = encode(picture(), "PNG")
    chunks = png_chunk(b"zTXt", b"c\0\0" + bomb) + png_chunk(b"iTXt", b"c\0\1\0\0\0" + bomb)
    chunks += png_chunk(b"iCCP", b"p\0\0" + bomb)
    return plain[:33] + chunks * (size // len(chunks)) + plain[33:]


def gif_blocks(length: int, size: int) -> bytes:
    """A GIF with one comment of sub-blocks of `length` bytes before its picture."""
    plain = encode(picture(), "GIF")
    at = 13 + (3 << (plain[10] & 7) + 1)
    block = bytes([length]) + b"x" * length
    return plain[:at] + b"\x21\xfe" + block * (size // len(block)) + b"\0" + plain[at:]


def gif_picture_blocks(size: int) -> bytes:
    """The same in the picture itself."""
    plain = encode(picture(), "GIF")
    return plain[:-2] + b"\x01x" * (size // 2) + b"\0;"


def gif_extensions(size: int) -> bytes:
    plain = encode(picture(), "GIF")
    at = 13 + (3 << (plain[10] & 7) + 1)
    return plain[:at] + b"\x21\xfe\0" * (size // 3) + plain[at:]


def gif_frames(size: int) -> bytes:
    """Frames of one pixel without end."""
    plain = encode(picture(), "GIF")
    return plain[:-1] + (b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x4c\x01\0") * (size // 15) + b";"


def webp_chunks(size: int) -> bytes:
    plain = encode(picture(), "WEBP", exif=WEBP_EXIF)
    body = plain[12:] + b"JUNK\0\0\0\0" * (size // 8)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def avif_boxes(kind: bytes, size: int) -> bytes:
    """Empty boxes of that kind behind the first one."""
    plain = encode(picture(), "AVIF")
    at = int.from_bytes(plain[:4], "big")
    return plain[:at] + (struct.pack(">I", 8) + kind) * (size // 8) + plain[at:]


def avif_last_meta(size: int) -> bytes:
    """One box of the words that are looked for in it."""
    plain = encode(picture(), "AVIF")
    body = b"Exif" * (size // 4)
    return plain + struct.pack(">I", 8 + len(body)) + b"meta" + body


def avif_items(size: int) -> bytes:
    """A description of as many items as fit, which the decoder compares with each other."""
    plain = encode(picture(), "AVIF")
    meta, items = plain.index(b"meta") - 4, plain.index(b"iinf") - 4
    end, items_end = (at + int.from_bytes(plain[at : at + 4], "big") for at in (meta, items))
    number = int.from_bytes(plain[items + 12 : items + 14], "big")
    count = min(65_000, size // 21)
    more = b"".join(struct.pack(">I4sIHH4sB", 21, b"infe", 2 << 24, 10 + n, 0, b"abcd", 0) for n in range(count))
    inside = struct.pack(">H", number + count) + plain[items + 14 : items_end] + more
    listed = struct.pack(">I", 12 + len(inside)) + plain[items + 4 : items + 12] + inside
    described = plain[meta + 4 : items] + listed + plain[items_end:end]
    return plain[:meta] + struct.pack(">I", 4 + len(described)) + described + plain[end:]


def tiff_spans(size: int, big: bool = False) -> bytes:
    """Every tag that describes pixels says that it lies over the whole file."""
    tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 64, 279: 4096}
    tags |= dict.fromkeys((320, 324, 325, 338, 339, 347, *range(512, 522), 529, 530, 531, 532), 0)
    spans = [258, 273, 279, *range(320, 533)]
    count_of, entry, head = ("<Q", "<HHQQ", 16) if big else ("<H", "<HHII", 8)
    room = size - 40 - len(tags) * 20
    entries = b"".join(
        struct.pack(entry, tag, 1, room, head) if tag in spans and tag != 513 else struct.pack(entry, tag, 4, 1, value)
        for tag, value in sorted(tags.items())
    )
    start = head + room
    lead = struct.pack("<2sHHHQ", b"II", 43, 8, 0, start) if big else struct.pack("<2sHI", b"II", 42, start)
    return lead + bytes(room) + struct.pack(count_of, len(tags)) + entries + bytes(8)


def tiff_long_scalars(size: int) -> bytes:
    """Orientation, of which one value is read, as long as the file."""
    data = plain_tiff(depths(8), 1)
    count = (size - len(data)) // 8
    start = int.from_bytes(data[4:8], "little")
    number = int.from_bytes(data[start : start + 2], "little")
    body = data[:start] + bytes(count * 8)
    entries = bytearray(data[start + 2 : start + 2 + 12 * number])
    entries += struct.pack("<HHII", 274, 16, count, start)
    directory = struct.pack("<H", number + 1) + bytes(entries) + bytes(4)
    return body[:4] + struct.pack("<I", len(body)) + body[8:] + directory


def tiff_strips(size: int) -> bytes:
    """One strip a row, and as many rows and strips as fit: all of them the same bytes."""
    count = (size - 300) // 8
    tags = {256: (4, 1, 1), 257: (4, 1, count), 258: (4, 1, 8), 259: (4, 1, 1), 262: (4, 1, 1), 277: (4, 1, 1)}
    tags |= {278: (4, 1, 1), 273: (4, count, 8), 279: (4, count, 8 + 4 * count)}
    directory = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    body = struct.pack("<I", 8) * count + struct.pack("<I", 1) * count
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + directory + bytes(4)


def tiff_spare_strips(size: int) -> bytes:
    """A picture of one strip that lists as many as fit."""
    data = plain_tiff(depths(8), 1)
    count = (size - len(data)) // 8
    return _with_strips(data, count)


def _with_strips(data: bytes, count: int) -> bytes:
    start = int.from_bytes(data[4:8], "little")
    number = int.from_bytes(data[start : start + 2], "little")
    directory = bytearray(data[start:])
    arrays = struct.pack("<I", 8) * count + struct.pack("<I", start - 8) * count
    for index in range(number):
        at = 2 + 12 * index
        tag = int.from_bytes(directory[at : at + 2], "little")
        if tag in (273, 279):
            where = start + (0 if tag == 273 else 4 * count)
            directory[at : at + 12] = struct.pack("<HHII", tag, 4, count, where)
    body = data[:start] + arrays
    return body[:4] + struct.pack("<I", len(body)) + body[8:] + bytes(directory)


def tiff_many_tags(size: int) -> bytes:
    """A BigTIFF directory of as many entries as it may have, all of a tag that is not read."""
    number = min(65_000, (size - 400) // 20)
    tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 16, 277: 1, 278: 64, 279: 4096}
    body = bytes(4096).ljust(max(4096, size - 20 * number - 400), b"\0")
    entries = b"".join(struct.pack("<HHQQ", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    entries += struct.pack("<HHQQ", 65_000, 4, 1, 0) * (number - len(tags))
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16 + len(body))
    return head + body + struct.pack("<Q", number) + entries + bytes(8)


def tiff_pages(size: int) -> bytes:
    """Pages without end behind the first."""
    data = plain_tiff(depths(8), 1)
    end = len(data) - 4
    count = (size - len(data)) // 18
    pages = b"".join(struct.pack("<HHHIII", 1, 254, 4, 1, 0, end + 4 + 18 * (index + 1)) for index in range(count))
    return data[:end] + struct.pack("<I", end + 4) + pages + bytes(4)


def bmp_with_gap(size: int) -> bytes:
    data = encode(picture(), "BMP")
    gap = size - len(data)
    return data[:10] + struct.pack("<I", 54 + gap) + data[14:54] + bytes(gap) + data[54:]
