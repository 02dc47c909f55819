"""The copy of a PNG that is kept: header, colours and pixels, each no longer than the decoder reads it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ml_model.errors import UnsupportedFormat

_SIGNATURE_BYTES, _HEADER_BYTES = 8, 13
_PALETTE = 3
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the type of colour
_TRANSPARENCY_BYTES = {0: 2, 2: 6}  # of a palette: one for each colour
_MOST_BYTES = {b"PLTE": 3 * 256, b"tRNS": 256}
# Of an interlaced picture: first column and row of each pass, and the steps.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_WHOLE = ((0, 0, 1, 1),)
_AT_ONCE, _UNFOLDED_AT_ONCE = 2**16, 2**20


def kept_png(data: bytes, exif: bytes) -> bytes:
    """data: what the decoder's container passed on. exif: a block of the orientation, empty for none.

    Raises UnsupportedFormat (pixels that unfold to more than the picture, chunks that are not where they should be).
    """
    told: dict[bytes, bytes] = {}
    coded: list[bytes] = []
    for kind, body in _chunks(data):
        if kind == b"IDAT":
            coded.append(body)
        elif kind in told or (coded and kind != b"IEND") or not (told or coded or kind == b"IHDR"):
            raise UnsupportedFormat("a PNG with a chunk twice or out of place is not kept; export the picture again")
        else:
            told[kind] = body
    if any(len(told.get(kind, b"")) > most for kind, most in _MOST_BYTES.items()):
        raise UnsupportedFormat("a PNG with more than 256 colours in its palette is not kept; export it again")
    header = told[b"IHDR"][:_HEADER_BYTES]
    bits, colour = header[8], header[9]
    chunks = [_chunk(b"IHDR", header)]
    if exif:
        chunks.append(_chunk(b"eXIf", exif))
    if colour == _PALETTE and b"PLTE" in told:
        chunks.append(_chunk(b"PLTE", told[b"PLTE"][: 3 << bits]))
    transparent = 1 << bits if colour == _PALETTE else _TRANSPARENCY_BYTES.get(colour, 0)
    if transparent and b"tRNS" in told:
        chunks.append(_chunk(b"tRNS", told[b"tRNS"][:transparent]))
    chunks += [_chunk(b"IDAT", _without_rest(b"".join(coded), _unfolded_bytes(header))), _chunk(b"IEND", b"")]
    return data[:_SIGNATURE_BYTES] + b"".join(chunks)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = _SIGNATURE_BYTES
    while position < len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 8], data[position + 8 : end]
        position = end + 4


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _unfolded_bytes(header: bytes) -> int:
    """Of all rows, each behind the byte that says how it is to be read."""
    width, height = struct.unpack_from(">II", header)
    bits, colour, interlaced = header[8], header[9], header[12]
    found = 0
    for left, top, step, down in _PASSES if interlaced else _WHOLE:
        columns, rows = -(-(width - left) // step), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            found += rows * (1 + -(-columns * bits * _CHANNELS[colour] // 8))
    return found


def _without_rest(coded: bytes, most_bytes: int) -> bytes:
    """Up to the end of the stream. most_bytes: that it may unfold to."""
    inflater = zlib.decompressobj()
    for start in range(0, len(coded), _AT_ONCE):
        waiting = coded[start : start + _AT_ONCE]
        while waiting and not inflater.eof:
            most_bytes -= len(inflater.decompress(waiting, _UNFOLDED_AT_ONCE))
            if most_bytes < 0:
                raise UnsupportedFormat(
                    "a PNG whose pixels unfold to more than it has is not kept; export the picture again"
                )
            waiting = inflater.unconsumed_tail
        if inflater.eof:
            return coded[: min(start + _AT_ONCE, len(coded)) - len(inflater.unused_data)]
    return coded
