"""Seed files, made here, of every format that the service reads. A seed: the files of one upload."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable

import imagecodecs
import numpy as np
from dicom_files import compressed, dataset, jpeg, look_up_table, write
from ecg_files import csv_file, dicom_file, dicom_group, edf_file, heart, wfdb_record
from fuzzing.formats.tagged import TIFF
from fuzzing.parts import Part
from hostile.broken_uploads import multipart
from pictures import ORIENTATION, detailed, drawing, encode, plain_tiff
from PIL import Image, ImageCms, PngImagePlugin
from pydicom import uid
from pydicom.dataset import Dataset
from samples import HEART_PERSON, HEART_VALUES

Upload = tuple[tuple[str, bytes], ...]
WIDTH_PX, HEIGHT_PX = 136, 128  # not smaller than any task takes, so that the pixels are read


@functools.cache
def _picture() -> Image.Image:
    return detailed(WIDTH_PX, HEIGHT_PX)


def _exif() -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION], exif[270] = 6, "a picture"
    return exif.tobytes()


def _all(name: str, *options: dict[str, object], extra: tuple[bytes, ...] = ()) -> list[Upload]:
    made = [encode(_picture(), name, **chosen) for chosen in ({}, *options)]
    return [((f"photo.{name.lower()}", data),) for data in (*made, *extra)]


def _two_frames() -> dict[str, object]:
    return {"save_all": True, "append_images": [_picture().rotate(90)]}


def png() -> list[Upload]:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "text")
    info.add_itxt("Title", "text", "en", zip=True)
    info.add_text("Long", "text" * 40, zip=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = np.asarray(_picture().convert("L"))
    extra = (
        encode(Image.fromarray(grey.astype(np.uint16) * 200), "PNG"),
        encode(_picture().convert("1"), "PNG"),
        encode(_picture().quantize(16), "PNG", transparency=3),
        encode(_picture().convert("RGBA"), "PNG"),
        encode(_picture().convert("LA"), "PNG"),
    )
    return _all("PNG", {"pnginfo": info, "icc_profile": profile, "exif": _exif()}, _two_frames(), extra=extra)


def jpegs() -> list[Upload]:
    changes = ({"progressive": True}, {"exif": _exif(), "comment": b"text"}, {"restart_marker_blocks": 3})
    extra = (encode(_picture().convert("CMYK"), "JPEG"), encode(_picture().convert("L"), "JPEG", dpi=(72, 72)))
    return _all("JPEG", *changes, {"subsampling": 0, "quality": 40}, extra=extra)


def webp() -> list[Upload]:
    alpha = _picture().convert("RGBA")
    alpha.putalpha(120)
    extra = (encode(alpha, "WEBP"), encode(alpha, "WEBP", lossless=True))
    return _all("WEBP", {"lossless": True}, {"exif": _exif()}, _two_frames(), extra=extra)


def _tiled(compression: int) -> bytes:
    """A grey TIFF of four tiles."""
    grey = np.zeros((128, 160), np.uint8)
    grey[:HEIGHT_PX, :WIDTH_PX] = np.asarray(_picture().convert("L"))
    tiles = [grey[y : y + 64, x : x + 80].tobytes() for y in (0, 64) for x in (0, 80)]
    coded = [imagecodecs.zlib_encode(tile) for tile in tiles] if compression == 8 else tiles
    starts = [8 + sum(map(len, coded[:i])) for i in range(4)]
    longs = {256: [WIDTH_PX], 257: [HEIGHT_PX], 258: [8], 259: [compression], 262: [1], 277: [1], 322: [80], 323: [64]}
    longs |= {324: starts, 325: [len(tile) for tile in coded]}
    entries = [Part(np.array([tag, 4], "<u2").tobytes(), np.array(v, "<u4").tobytes()) for tag, v in longs.items()]
    return TIFF.join([Part(b"", b"II*\0" + bytes(4) + b"".join(coded)), *entries])


def tiff() -> list[Upload]:
    changes = [{"compression": c} for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")]
    grey = np.asarray(_picture().convert("L"))
    extra = (
        encode(_picture().convert("1"), "TIFF", compression="group4"),
        encode(_picture(), "TIFF", big_tiff=True),
        encode(_picture().convert("CMYK"), "TIFF"),
        encode(_picture().quantize(16), "TIFF"),
        encode(Image.fromarray(grey.astype(np.float32) / 7), "TIFF"),
        plain_tiff(grey.astype(np.uint16) * 9, 0, "big"),
        _tiled(1),
        _tiled(8),
    )
    return _all("TIFF", *changes, {"tiffinfo": {ORIENTATION: 6}}, _two_frames(), extra=extra)


def bmp() -> list[Upload]:
    return _all("BMP", extra=tuple(encode(_picture().convert(mode), "BMP") for mode in ("1", "L", "P")))


def gif() -> list[Upload]:
    return _all("GIF", {"interlace": 0, "comment": b"text"}, _two_frames(), {"transparency": 3})


def avif() -> list[Upload]:
    return _all("AVIF", {"exif": _exif(), "speed": 10}, {**_two_frames(), "speed": 10})


def pdf() -> list[Upload]:
    lines = b"1 0 0 RG 4 w " + b" ".join(b"%d 0 m %d 400 l S" % (x, x + 9) for x in range(0, 800, 40))
    pages = (encode(_picture(), "PDF"), encode(_picture(), "PDF", **_two_frames()))
    return [(("page.pdf", data),) for data in (*pages, drawing(lines), drawing(lines, flate=True))]


def dicom() -> list[Upload]:
    deep = np.asarray(_picture().convert("L")).astype(np.uint16) * 16
    eight, rgb = np.asarray(_picture().convert("L")), np.asarray(_picture())
    stated = {"RescaleSlope": 2, "RescaleIntercept": -1024, "WindowCenter": 500, "WindowWidth": 900}
    person = {"PatientAge": "034Y", "PatientID": "7", "PixelSpacing": [0.2, 0.2], "ViewPosition": "PA"}
    table = dataset(deep, VOILUTSequence=look_up_table(0, 12, *range(4096)), BitsStored=12, HighBit=11)
    palette = dataset(eight // 64, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(palette, f"{colour}PaletteColorLookupTableData", np.arange(4, dtype="<u2").tobytes())
    run_length = dataset(deep)
    run_length.compress(uid.RLELossless, generate_instance_uid=False)
    item, shared = Dataset(), Dataset()
    item.PixelSpacing = [0.2, 0.2]
    shared.PixelMeasuresSequence = [item]
    frames = dataset(eight, NumberOfFrames=2, PixelData=eight.tobytes() * 2, SharedFunctionalGroupsSequence=[shared])
    native = [
        write(dataset(deep, **stated, **person)),
        write(dataset(deep, PixelPaddingValue=0), uid.ImplicitVRLittleEndian),
        write(table, uid.DeflatedExplicitVRLittleEndian),
        write(dataset(eight, PhotometricInterpretation="MONOCHROME1")),
        write(dataset(rgb)),
        write(palette),
        write(run_length, uid.RLELossless),
        write(frames),
        write(dataset(deep.byteswap(), WindowCenter=9, WindowWidth=9), uid.ExplicitVRBigEndian),
    ]
    stream = io.BytesIO()
    Image.fromarray(deep).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
    lossless = imagecodecs.jpeg8_encode(eight, lossless=True)
    coded = [
        compressed(dataset(rgb), uid.JPEGBaseline8Bit, jpeg(_picture())),
        compressed(dataset(eight), uid.JPEGBaseline8Bit, jpeg(_picture().convert("L"))),
        compressed(dataset(deep), uid.JPEG2000Lossless, stream.getvalue()),
        compressed(dataset(eight), uid.JPEGLSLossless, imagecodecs.jpegls_encode(eight)),
        compressed(dataset(eight), uid.JPEGLosslessSV1, lossless),
    ]
    return [(("film.dcm", data),) for data in (*native, *coded)]


def dicom_ecg() -> list[Upload]:
    signal = heart(100, 3)
    groups = [dicom_group(signal, 100)], [dicom_group(signal, 100, unit="mV"), dicom_group(signal, 100, offset_ms=500)]
    made = [tuple(dicom_file(chosen)) for chosen in groups]
    return [*made, tuple(dicom_file(groups[0], uid.ImplicitVRLittleEndian))]


def wfdb() -> list[Upload]:
    return [tuple(wfdb_record(heart(100, 3), 100)), tuple(wfdb_record(heart(100, 2), 100, unit="uV"))]


def csv() -> list[Upload]:
    signal = heart(100, 3)
    made = csv_file(signal, 100), csv_file(signal, 100, separator=";", decimal=","), csv_file(signal, None, None)
    return [*map(tuple, made), tuple(csv_file(signal, None, comment="# fs = 100 Hz, units: mV", separator="\t"))]


def edf() -> list[Upload]:
    return [tuple(edf_file(heart(100, 3), 100)), tuple(edf_file(heart(100, 2), 100, unit="mV", records=-1, kind=""))]


def symptom_body() -> list[Upload]:
    bodies = ({"symptoms": ["fever", "head ache", "no cough and vomiting"], "age": 30, "sex": "female"},)
    return [(("body.json", json.dumps(body).encode()),) for body in bodies]


def heart_body() -> list[Upload]:
    return [(("body.json", json.dumps(body).encode()),) for body in (HEART_VALUES, HEART_PERSON)]


def form() -> list[Upload]:
    photo, (header, signals) = encode(_picture(), "JPEG"), wfdb_record(heart(100, 3), 100)
    return [
        (("form", multipart(("image", "photo.jpg", photo))),),
        (("form", multipart(("record", *header), ("record", *signals))),),
        (("form", multipart(("image", "photo.jpg", photo), ("age", None, b"30"))),),
    ]


SEEDS: dict[str, Callable[[], list[Upload]]] = {
    "PNG": png, "JPEG": jpegs, "WEBP": webp, "TIFF": tiff, "BMP": bmp, "GIF": gif, "AVIF": avif, "PDF": pdf,
    "DICOM": dicom, "DICOM-ECG": dicom_ecg, "WFDB": wfdb, "CSV": csv, "EDF": edf,
    "SYMPTOMS": symptom_body, "FACTORS": heart_body, "FORM": form,
}  # fmt: skip


@functools.cache
def seeds(family: str) -> tuple[Upload, ...]:
    """The seed files of one format."""
    return tuple(SEEDS[family]())
