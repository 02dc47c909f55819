"""Small uploads that once stopped the service, by row of the table in docs/reliability.md, at two sizes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hostile import dicom, pictures, recordings

LARGEST = 31_900_000  # of an upload
LARGEST_JSON = 262_000
KB, MB = 1000, 1_000_000


@dataclass(frozen=True)
class Hostile:
    """reader: picture, recording, header (of WFDB, with its signals) or json. sizes: in bytes, as it was found and the
    largest that the limits let in."""

    row: int
    name: str
    reader: str
    make: Callable[[int], bytes]
    sizes: tuple[int, ...]


def picture(row: int, name: str, make: Callable[[int], bytes], *sizes: int) -> Hostile:
    return Hostile(row, name, "picture", make, sizes if len(sizes) > 1 else (*sizes, LARGEST))


def recording(row: int, name: str, make: Callable[[int], bytes], *sizes: int) -> Hostile:
    return Hostile(row, name, "recording", make, sizes if len(sizes) > 1 else (*sizes, LARGEST))


def header(name: str, make: Callable[[int], bytes]) -> Hostile:
    return Hostile(2, name, "header", make, (60 * KB, LARGEST))


def body(name: str, make: Callable[[int], bytes], *sizes: int) -> Hostile:
    return Hostile(8, name, "json", make, sizes or (LARGEST_JSON,))


def table(row: int, name: str, make: Callable[[int], bytes], small: int) -> Hostile:
    return recording(row, name, make, small, LARGEST)


P, D, R = pictures, dicom, recordings
HOSTILE = (
    picture(1, "jpeg-fill-start", partial(P.jpeg_fill, b"\xff\xd8\xff"), 60 * KB),
    picture(1, "jpeg-fill-frame", partial(P.jpeg_fill, b"\xff\xc0\0\x11"), 60 * KB),
    picture(1, "jpeg-fill-between", P.jpeg_fill_between_segments, 60 * KB),
    picture(1, "jpeg-fill-scan", P.jpeg_fill_in_scan, 60 * KB),
    picture(1, "jpeg-stuffed-scan", P.jpeg_stuffed_scan, 60 * KB),
    header("wfdb-word", R.wfdb_word),
    header("wfdb-signal-word", R.wfdb_signal_word),
    header("wfdb-spaces", R.wfdb_spaces),
    header("wfdb-rest", R.wfdb_rest),
    header("wfdb-lead-name", R.wfdb_name),
    header("wfdb-lines", R.wfdb_lines),
    table(3, "csv-tabs", partial(R.preamble, b"fs\t\t\t\t", longest=15_000), 32 * KB),
    table(3, "csv-one-tab-run", partial(R.preamble, b"\t"), 16 * KB),
    table(3, "csv-underscores", partial(R.preamble, b"samp" + b"_" * 15_990), 16 * KB),
    table(3, "csv-units", partial(R.preamble, b"units" + b" " * 15_990), 16 * KB),
    table(3, "csv-words", partial(R.preamble, b"samp_"), 16 * KB),
    table(3, "csv-lead-names", partial(R.preamble, b"I _(["), 16 * KB),
    recording(4, "dicom-brackets", D.waveform, 120 * KB),
    recording(4, "dicom-spaces", partial(D.waveform, character=" "), 120 * KB),
    recording(4, "dicom-code-value", partial(D.waveform, keyword="CodeValue", character="v"), 120 * KB),
    recording(4, "dicom-wave-values", D.waveform_values, 10 * MB),
    recording(4, "dicom-wave-groups", D.waveform_groups, 1 * MB),
    picture(5, "tiff-spans", P.tiff_spans, 1 * MB),
    picture(5, "bigtiff-spans", partial(P.tiff_spans, big=True), 1 * MB),
    picture(5, "tiff-long-orientation", P.tiff_long_scalars, 1 * MB),
    picture(5, "tiff-strips", P.tiff_strips, 1 * MB),
    picture(5, "tiff-spare-strips", P.tiff_spare_strips, 1 * MB),
    picture(5, "tiff-many-tags", P.tiff_many_tags, 1 * MB),
    picture(5, "tiff-pages", P.tiff_pages, 1 * MB),
    picture(6, "dicom-values", partial(D.values, 0x28, 0x1050, b"UT", b"1\\"), 10 * MB),
    picture(6, "dicom-rows", partial(D.values, 0x28, 0x10, b"OW", b"\x40\0"), 10 * MB),
    picture(6, "dicom-rows-implicit", partial(D.implicit_values, 0x28, 0x10, b"\x40\0"), 10 * MB),
    picture(6, "dicom-character-set", partial(D.values, 0x8, 0x5, b"UT", b"a\\"), 10 * MB),
    picture(6, "dicom-name-implicit", partial(D.implicit_values, 0x10, 0x10, b"^=\\"), 10 * MB),
    picture(6, "dicom-age-implicit", partial(D.implicit_values, 0x10, 0x1010, b"0"), 10 * MB),
    picture(6, "dicom-meta-values", D.meta_values, 10 * MB),
    picture(6, "dicom-deflated", D.deflated_values, 40 * MB, 250 * MB),
    picture(6, "dicom-elements", partial(D.elements, b"\x09\0\x01\x10LO\0\0"), 1 * MB),
    picture(6, "dicom-private", D.private, 800 * KB),
    picture(6, "dicom-nested", partial(D.nested, False), 1 * MB),
    picture(6, "dicom-nested-stated", partial(D.nested, True), 100 * KB),
    picture(6, "dicom-items", partial(D.items, 0x5200, 0x9230), 250 * KB),
    picture(6, "dicom-undefined", D.undefined_bytes, 1 * MB),
    picture(6, "dicom-fragments", D.fragments, 1 * MB),
    picture(6, "dicom-jpeg-markers", D.jpeg_markers, 1 * MB),
    picture(7, "avif-meta", partial(P.avif_boxes, b"meta"), 80 * KB),
    picture(7, "avif-free", partial(P.avif_boxes, b"free"), 80 * KB),
    picture(7, "avif-items", P.avif_items, 200 * KB),
    picture(7, "avif-exif-words", P.avif_last_meta, 80 * KB),
    picture(7, "png-chunks", partial(P.png_chunks, b"tEXt", b""), 780 * KB),
    picture(7, "png-empty-pixels", partial(P.png_chunks, b"IDAT", b""), 780 * KB),
    picture(7, "png-exif", partial(P.png_chunks, b"eXIf", P.EXIF), 780 * KB),
    picture(7, "png-bombs", P.png_bombs, 780 * KB),
    picture(7, "gif-blocks", partial(P.gif_blocks, 1), 780 * KB),
    picture(7, "gif-picture-blocks", P.gif_picture_blocks, 780 * KB),
    picture(7, "gif-extensions", P.gif_extensions, 780 * KB),
    picture(7, "gif-frames", P.gif_frames, 780 * KB),
    picture(7, "webp-chunks", P.webp_chunks, 780 * KB),
    picture(7, "jpeg-short-segments", partial(P.jpeg_segments, 2), 16 * KB),
    picture(7, "jpeg-long-segments", partial(P.jpeg_segments, 65_000), 780 * KB),
    picture(7, "jpeg-exif", P.jpeg_exif, 780 * KB),
    picture(7, "bmp-gap", P.bmp_with_gap, 780 * KB),
    body("json-keys", R.keys),
    body("json-brackets", partial(R.deep, b"[", 979), 2 * KB, LARGEST_JSON),
    body("json-brackets-30", partial(R.deep, b"[", 30), 100),
    body("json-braces", partial(R.deep, b'{"a":', 979), 6 * KB, LARGEST_JSON),
    body("json-deep-symptoms", partial(R.deep_symptoms, 979), 2 * KB, LARGEST_JSON),
    body("json-deep-symptoms-900", partial(R.deep_symptoms, 900), 2 * KB),
    body("json-digits", R.digits, 100 * KB, LARGEST_JSON),
    body("json-many-digits", R.many_digits),
    body("json-floats", R.floats, 100 * KB, LARGEST_JSON),
    body("json-symptom-list", partial(R.symptoms, "a")),
    body("json-worst-symptoms", R.worst_symptoms, 30 * KB),
    body("json-one-symptom", R.one_symptom),
    table(8, "csv-commas", partial(R.lines, b","), 3 * MB),
    table(8, "csv-quotes", partial(R.lines, b'"'), 3 * MB),
    table(8, "csv-newlines", partial(R.lines, b"\n"), 3 * MB),
    table(8, "csv-one-line", partial(R.lines, b"1,2 ", longest=LARGEST), 3 * MB),
    table(8, "csv-digits", partial(R.lines, b"1"), 3 * MB),
    table(8, "csv-points", partial(R.lines, b"1."), 3 * MB),
    table(8, "csv-rows", partial(R.rows, b",".join([b"1"] * 12)), 3 * MB),
    table(8, "csv-odd-rows", partial(R.rows, b",".join([b"x"] * 12)), 3 * MB),
    table(8, "csv-long-cells", partial(R.rows, b",".join([b"1" * 1300] * 12)), 3 * MB),
    table(8, "edf-records", R.edf_label, 3 * MB),
    table(8, "edf-short-records", R.edf_short_records, 3 * MB),
)
BY_NAME = {hostile.name: hostile for hostile in HOSTILE}
