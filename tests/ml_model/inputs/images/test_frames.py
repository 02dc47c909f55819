"""A file of several frames or pages: how many there are, and that the answer says that one was read."""

from __future__ import annotations

import io
import struct
import time
from typing import Any

import numpy as np
import pytest
from dicom_files import dataset, write
from hypothesis import given
from hypothesis import strategies as st
from pictures import INPUT, detailed, encode
from PIL import Image
from samples import upload

from backend.app import Application
from ml_model.inputs.images.decoder import decode_image
from ml_model.inputs.images.frames import count_frames
from ml_model.tasks.registry import ImageInput

PAGE = ImageInput(modality="page", height_px=32, width_px=48, min_side_px=1, pdf_pages=True)
SERIES = ("GIF", "TIFF", "PNG", "WEBP", "AVIF", "PDF")


def series(name: str, count: int, mode: str = "RGB") -> bytes:
    """So many different pictures in one file."""
    first, *others = (detailed(seed=seed).convert(mode) for seed in range(count))
    return encode(first, name, save_all=True, append_images=others) if count > 1 else encode(first, name)


def tiff_with(kind: int) -> bytes:
    """A TIFF of two directories, the second of this NewSubfileType."""
    data = bytearray(series("TIFF", 2))
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    (second,) = struct.unpack_from("<I", data, start + 2 + 12 * entries)
    struct.pack_into("<HHII", data, second + 2, 254, 4, 1, kind)
    return bytes(data)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_frames_and_pages_are_counted(name: str, count: int) -> None:
    assert decode_image(series(name, count), PAGE).frames == count


def test_frames_of_a_dicom_series_are_those_of_its_header() -> None:
    film = np.zeros((3, 32, 48), np.uint8)
    made = dataset(film[0], NumberOfFrames=3, PixelData=film.tobytes())
    assert decode_image(write(made), INPUT).frames == 3
    assert decode_image(write(dataset(film[0])), INPUT).frames == 1


@pytest.mark.parametrize(("kind", "pages"), [(0, 2), (1, 1), (2, 2), (4, 1), (5, 1)])
def test_smaller_copies_and_masks_in_a_tiff_are_no_pages(kind: int, pages: int) -> None:
    assert count_frames("TIFF", tiff_with(kind)) == pages


def test_big_and_big_endian_tiffs_are_counted() -> None:
    first, second = detailed(), detailed(seed=1)
    assert count_frames("TIFF", encode(first, "TIFF", big_tiff=True, save_all=True, append_images=[second])) == 2
    directory = struct.pack(">HHHIHHI", 1, 256, 3, 1, 8, 0, 40)
    assert count_frames("TIFF", b"MM\0*" + struct.pack(">I", 8) + directory.ljust(32, b"\0") + directory[:14]) == 2


def test_a_directory_that_leads_back_ends_the_chain() -> None:
    directory = struct.pack("<HHHIII", 1, 256, 3, 1, 8, 8)
    assert count_frames("TIFF", b"II*\0" + struct.pack("<I", 8) + directory) == 1


@given(st.sampled_from(["GIF", "TIFF", "PNG", "WEBP"]), st.integers(0, 2000), st.binary(max_size=8))
def test_damaged_files_are_counted_without_a_fault(name: str, at: int, content: bytes) -> None:
    data = FILES[name]
    at %= len(data)
    assert count_frames(name, data[:13] + data[13 : 13 + at]) >= 1
    assert count_frames(name, data[: at + 13] + content + data[at + 13 + len(content) :]) >= 1


FILES = {name: series(name, 2) for name in ("GIF", "TIFF", "PNG", "WEBP")}


def test_counting_a_hostile_gif_takes_no_time() -> None:
    """Thirty megabytes of blocks of one byte."""
    data = FILES["GIF"][:13] + b"\x21\xfe" + b"\x01x" * 15_000_000
    began = time.process_time()
    assert count_frames("GIF", data) == 1
    assert time.process_time() - began < 1


def answered(app: Application, path: str, data: bytes) -> dict[str, Any]:
    reply = app.test_client().post(path, data=upload(data))
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.get_json()
    return body


@pytest.mark.parametrize(("name", "what"), [("GIF", "frames"), ("TIFF", "pages"), ("WEBP", "frames")])
@pytest.mark.parametrize("query", ["", "?gate=off"])
def test_the_answer_says_that_only_the_first_was_read(live_app: Application, name: str, what: str, query: str) -> None:
    several = answered(live_app, f"/analyze/skin{query}", series(name, 4))["input_check"]
    said = (
        f"the {name} file holds 4 {what}; only the first was read and answered: send the others as files of their own"
    )
    assert (several["warnings"], several["accepted"]) == ([said], True)
    assert answered(live_app, f"/analyze/skin{query}", encode(detailed(), name))["input_check"]["warnings"] == []


def test_of_several_views_it_is_said_which_one_holds_more(live_app: Application) -> None:
    sent = [(io.BytesIO(data), "a") for data in (series("PNG", 1, "L"), series("GIF", 2, "L"))]
    reply = live_app.test_client().post("/analyze/mammogram", data={"image": sent})
    (averaged, said) = reply.get_json()["input_check"]["warnings"]
    assert averaged.startswith("2 pictures were averaged")
    assert said.startswith("picture 2: the GIF file holds 2 frames")


def test_pages_of_a_printed_ecg_and_frames_of_a_film(live_app: Application) -> None:
    (said, *_) = answered(live_app, "/analyze/heart?gate=off", series("PDF", 3))["input_check"]["warnings"]
    assert said.startswith("the PDF file holds 3 pages")
    film = np.random.default_rng(0).integers(0, 256, (2, 240, 240), np.uint8)
    made = dataset(film[0], NumberOfFrames=2, PixelData=film.tobytes())
    (said, *_) = answered(live_app, "/analyze/xray?gate=off", write(made))["input_check"]["warnings"]
    assert said.startswith("the DICOM file holds 2 frames")
    image = Image.new("RGB", (64, 64))
    assert decode_image(encode(image, "JPEG"), INPUT).frames == 1
