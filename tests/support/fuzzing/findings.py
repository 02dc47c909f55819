"""Files that the fuzzer found, made here again at their smallest: each once took minutes, gigabytes or an exception."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
from dicom_files import compressed, dataset, look_up_table, write
from hostile.hidden_texts import GREY, TEXT, jpeg_tiff, tiff
from pictures import encode, picture, png_chunk
from pydicom.uid import JPEGLSLossless

_LETTERS = TEXT + bytes(1)


def jpeg_ls_without_end(share: float) -> bytes:
    """DICOM of a JPEG-LS stream that is cut: its codec searched for a marker in whatever memory lies behind it."""
    values = np.random.default_rng(0).integers(0, 4096, (128, 128), dtype=np.uint16)
    stream = bytes(imagecodecs.jpegls_encode(values))
    return compressed(dataset(values), JPEGLSLossless, stream[: int(len(stream) * share)])


def pixels_of_the_head(*, tiled: bool) -> bytes:
    """TIFF whose pixels begin with the file, so that they change with the address of its directory."""
    numbers = {256: (96,), 257: (64,), 258: (8,), 259: (1,), 262: (1,), 277: (1,)}
    numbers |= {322: (96,), 323: (64,)} if tiled else {278: (64,)}
    made = tiff((GREY.tobytes(),), numbers, {}, tiled=tiled)
    place, length = made.index(GREY.tobytes()), struct.pack("<I", GREY.size)
    tag = struct.pack("<HHI", 324 if tiled else 273, 4, 1)
    assert (made.count(tag + struct.pack("<I", place)), made.count(length)) == (1, 1)
    return made.replace(tag + struct.pack("<I", place), tag + bytes(4))


def jpeg_of_a_stuffed_byte_filled_up() -> bytes:
    """A text behind the last block of its scan, which is coded data: the decoder takes filling bytes before the zero of
    a stuffed byte for nothing."""
    return encode(picture(), "JPEG")[:-2] + b"\xff\xff\0\x15" + TEXT + b"\xff\xd9"


def jpeg_that_goes_on(marker: int) -> bytes:
    """A text behind a marker that decoders refuse, but not where they have every pixel from what they were given
    before, which is 64 KiB at a time."""
    return encode(picture(), "JPEG")[:-2] + bytes(2**17) + b"\xff" + bytes([marker]) + b"\0\x15" + TEXT + b"\xff\xd9"


def strip_of_no_bytes() -> bytes:
    """TIFF of a JPEG that goes on, as its decoder believes, to the end of the file, whatever is there."""
    made, strip = jpeg_tiff(), struct.pack("<HHI", 279, 4, 1)
    at = made.index(strip) + len(strip)
    return made[:at] + bytes(4) + made[at + 4 :]


def webp_of_two_transparencies() -> bytes:
    """A part that is not kept, for which its decoder lays the pixels over white otherwise."""
    clear = picture().convert("RGBA")
    clear.putalpha(120)
    made = encode(clear, "WEBP", lossless=True) + b"ALPH" + struct.pack("<I", 16) + bytes(16)
    return b"RIFF" + struct.pack("<I", len(made) - 8) + made[8:]


def webp_broken_behind_its_pixels() -> bytes:
    """Its decoder refuses it for a part that is not kept."""
    made = encode(picture(), "WEBP", lossless=True) + b"ANIM" + struct.pack("<I", 2**20) + bytes(8)
    return b"RIFF" + struct.pack("<I", len(made) - 8) + made[8:]


def png_with_colours_first() -> bytes:
    """What stands where the header should be was taken for the size."""
    made = encode(picture(), "PNG")
    return made[:8] + png_chunk(b"PLTE", bytes(12)) + made[8:]


def png_of_300_degrees() -> bytes:
    """More degrees of transparency than a palette has colours: the decoder refuses it."""
    made = encode(picture().quantize(4), "PNG", bits=8)
    at = made.index(b"IDAT") - 4
    return made[:at] + png_chunk(b"tRNS", bytes(300)) + made[at:]


def png_of_300_colours() -> bytes:
    """The decoder refuses it, but not what is left of it with as many colours as its bits can tell."""
    made = encode(picture().quantize(4), "PNG", bits=8)
    at, end = made.index(b"PLTE") - 4, made.index(b"IDAT") - 4
    return made[:at] + png_chunk(b"PLTE", bytes(900)) + made[end:]


def bmp_of_300_colours() -> bytes:
    """The same of a BMP."""
    made = encode(picture().quantize(16), "BMP")
    made = made[:46] + struct.pack("<I", 300) + made[50:54] + bytes(1200) + made[54:]
    return made[:10] + struct.pack("<I", 54 + 1200) + made[14:]


def bmp_with_a_text_for_a_size() -> bytes:
    """Between the kind of compression and the number of colours, and in the number of those that matter."""
    made = encode(picture(), "BMP")
    return made[:34] + TEXT[:12] + made[46:50] + TEXT[:4] + made[54:]


def tiff_of_more_samples() -> bytes:
    """A text as what is told of samples that the picture does not have."""
    return _grey_tiff({338: struct.unpack("<5I", _LETTERS)})


def tiff_of_other_colours() -> bytes:
    """A text as the white and black of colours that the picture is not in."""
    letters = struct.unpack("<5I", _LETTERS)
    return _grey_tiff({320: letters, 532: letters})


def _grey_tiff(more: dict[int, tuple[int, ...]]) -> bytes:
    numbers = {256: (96,), 257: (64,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), 278: (64,)}
    return tiff((GREY.tobytes(),), numbers | more, {})


def tile_beyond_the_picture() -> bytes:
    """A text among rows of a tile that are not in the picture."""
    rows = GREY.tobytes() + bytes(96) + TEXT.ljust(96)
    numbers = {256: (96,), 257: (64,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), 322: (96,), 323: (66,)}
    return tiff((rows,), numbers, {}, tiled=True)


def dicom_of_more_numbers() -> bytes:
    """A text behind a number, and as numbers of which there may be any count."""
    numbers = list(struct.unpack("<10H", _LETTERS))
    return write(dataset(GREY, RepresentativeFrameNumber=[1, *numbers], ReferencedFrameNumbers=numbers))


def dicom_of_odd_colours() -> bytes:
    """A palette that is half a colour too long cannot be read; with another byte it could."""
    made = dataset(GREY // 64, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", bytes(8))
    table = struct.pack("<HH2sHI", 0x28, 0x1203, b"OW", 0, 8)
    found = write(made)
    assert found.count(table) == 1
    return found.replace(table + bytes(8), table[:8] + struct.pack("<I", 9) + bytes(9))


def dicom_of_an_odd_table() -> bytes:
    """A table of grey levels with half a level behind them, which its reader passes over."""
    made = dataset(GREY, VOILUTSequence=look_up_table(0, 8, *range(256)))
    found = write(made)
    table = struct.pack("<HH2sHI", 0x28, 0x3006, b"OW", 0, 512)
    assert found.count(table) == 1
    sequence = found.index(struct.pack("<HH2sH", 0x28, 0x3010, b"SQ", 0)) + 8
    at, length = found.index(table), int.from_bytes(found[sequence : sequence + 4], "little")
    longer = [struct.pack("<I", length + 1), struct.pack("<I", length - 7)]
    return b"".join((
        found[:sequence], longer[0], found[sequence + 4 : sequence + 8], longer[1], found[sequence + 12 : at],
        table[:8], struct.pack("<I", 513), found[at + 12 : at + 524], b"J", found[at + 524 :],
    ))  # fmt: skip


def dicom_short_of_a_byte() -> bytes:
    """Pixels of which the last is missing; a value of odd length gets another byte."""
    made = write(dataset(GREY))
    at = len(made) - GREY.size - 4
    assert made[at : at + 4] == struct.pack("<I", GREY.size)
    return made[:at] + struct.pack("<I", GREY.size - 1) + made[at + 4 : -1]
