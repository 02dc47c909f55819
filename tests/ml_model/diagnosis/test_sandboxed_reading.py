"""A file gives the same values, bit for bit, and the same errors, wherever it is read."""

from __future__ import annotations

import io
import time
from typing import Any

import imagecodecs
import numpy as np
import pytest
from beats import twelve_leads
from dicom_files import compressed, dataset, write
from ecg_files import csv_file, wfdb_record
from hostile.costly_pictures import jpeg, noise
from hostile.hidden_texts import TEXT, comment_2000
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import JPEG2000
from samples import image_task

from ml_model.diagnosis.reading import (
    KindOfFile,
    PictureFiles,
    PictureToKeep,
    PictureToShow,
    Reader,
    RecordingFiles,
    SandboxedReader,
    reading_pool,
)
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.recording import EcgRecording
from ml_model.errors import MediDiagnoseError
from ml_model.sandbox.messages import packed
from ml_model.sandbox.worker import Cost, Question

LIMITS = {"max_bytes": 2**25, "max_pixels": 50_000_000}


def outcome(reader: Reader | None, question: Question[Any]) -> tuple[Any, list[bytes]]:
    """What a question gives, as a message: or its error. None: read here."""
    buffers: list[Any] = []
    try:
        head = packed(reader(question) if reader else question.read(), buffers)
    except MediDiagnoseError as error:
        return (type(error), str(error)), []
    return head, [bytes(one) for one in buffers]


def same_everywhere(question: Question[Any]) -> Any:
    """The outcome, which must not depend on the process."""
    here = outcome(None, question)
    assert repr(outcome(lambda q: reading_pool().ask(q, time.monotonic() + 60), question)) == repr(here)
    assert repr(outcome(SandboxedReader(reading_pool(), time.monotonic() + 60), question)) == repr(here)
    return here[0]


def picture(format: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise(320, 240)).save(stream, format)
    return stream.getvalue()


@pytest.mark.parametrize("task", ["skin", "mammogram", "lung-ct"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "DICOM"])
def test_pictures(format: str, task: str) -> None:
    radiograph = dataset(noise(300, 200)[..., 0].astype(np.uint16) * 16, PatientAge="050Y", ViewPosition="PA")
    data = write(radiograph) if format == "DICOM" else picture(format)
    found = same_everywhere(PictureFiles((data,), image_task(task).input, **LIMITS, overview=True))
    assert found[0]["image"]["format"] == format
    assert (found[0]["image"]["dicom"] is not None) == (format == "DICOM")
    same_everywhere(KindOfFile(data, image_task(task).input, **LIMITS))
    shown = PictureToShow(data, image_task(task).input, **LIMITS, longest_px=100)
    same_everywhere(shown)
    assert shown.read().shape == ((67, 100, 3) if format == "DICOM" else (75, 100, 3))


def test_a_page_is_digitised() -> None:
    heart = image_task("heart")
    page = draw_page(EcgRecording(twelve_leads(), 100.0)).pixels
    stream = io.BytesIO()
    Image.fromarray(page).save(stream, "PDF", resolution=150)
    for data in (jpeg(page, 95), stream.getvalue()):
        files = PictureFiles((data,), heart.input, **LIMITS, overview=False, page=True, signal=heart.signal)
        (found,) = same_everywhere(files)
        assert found["page"]["reading"]["layout"] == "3x4+1"


def test_recordings() -> None:
    heart = image_task("heart")
    signal_mv = twelve_leads()
    for files in (wfdb_record(signal_mv), csv_file(signal_mv)):
        found = same_everywhere(RecordingFiles(tuple(files), None, heart.signal, refusing=True))
        assert found["check"]["duration_s"] == len(signal_mv) / found["recording"]["sampling_rate_hz"]


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"%PDF-1.4", jpeg(noise(400, 400))[:9000], bytes(40), picture("BMP")[:5000]]
)
def test_errors(data: bytes) -> None:
    kind, message = same_everywhere(PictureFiles((data,), image_task("skin").input, **LIMITS, overview=True))
    assert issubclass(kind, MediDiagnoseError)
    assert message


def test_a_large_picture_is_granted_its_memory() -> None:
    """20 megapixels of a format whose decoder keeps them all, and then some."""
    stream = io.BytesIO()
    Image.new("RGBA", (5000, 4000), (200, 30, 90, 128)).save(stream, "TIFF", compression="tiff_adobe_deflate")
    question = PictureFiles((stream.getvalue(),), image_task("skin").input, **LIMITS, overview=False)
    (found,) = reading_pool().ask(question, time.monotonic() + 60)
    assert found.image.pixels[0, 0].tolist() == question.read()[0].image.pixels[0, 0].tolist()


@pytest.mark.parametrize(
    ("values", "level"),
    [
        (np.zeros((3000, 3000, 3), np.uint8), 30),  # 25 bytes a pixel
        (noise(1800, 1800)[..., 0].view(np.int8).astype(np.int16) * 256, 90),  # 16 bits that hardly pack
    ],
)
def test_lossy_jpeg_2000_is_read_and_kept_within_what_it_is_granted(
    values: NDArray[np.integer[Any]], level: int
) -> None:
    code = imagecodecs.jpeg2k_encode(values, codecformat="j2k", level=level)
    at = code.index(b"\xff\x52")
    film = compressed(dataset(values), JPEG2000, code[:at] + comment_2000(TEXT) + code[at:])
    reader, own = SandboxedReader(reading_pool(), time.monotonic() + 60), image_task("skin").input
    kept = reader(PictureToKeep(film, **LIMITS, checked=own))
    assert (TEXT in film, TEXT in kept.data, kept.format) == (True, False, "DICOM")
    granted: list[Cost] = []
    PictureFiles((kept.data,), own, **LIMITS, overview=False).read(granted.append)
    pixels, more = values.shape[0] * values.shape[1], 27 if values.ndim == 3 else 17
    assert granted == [Cost(48 * 2**20 + more * pixels, pytest.approx(1e-7 * pixels + 5e-7 * len(kept.data)))]
