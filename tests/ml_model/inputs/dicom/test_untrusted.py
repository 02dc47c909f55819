"""DICOM uploads: limits and refusals, damaged bytes, threads, and the files of other people's devices."""

from __future__ import annotations

import contextlib
import io
import logging
import random
import subprocess
import sys
import time
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
from dicom_files import compressed, dataset, jpeg, look_up_table, ramp, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import resident_mib
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    MPEG4HP41,
    BasicTextSRStorage,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
    TwelveLeadECGWaveformStorage,
)
from samples import real_archive

from ml_model.errors import InputTooLarge, MediDiagnoseError, PoorQuality, UnreadableInput, UnsupportedFormat
from ml_model.inputs.dicom.header import DicomFacts, read_dicom_header
from ml_model.inputs.dicom.pixels import stored_values
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageInput

INPUT = ImageInput(modality="film", height_px=32, width_px=48, min_side_px=1)
MAX_PIXELS = 50_000_000

# Refusals


def test_limits_apply_before_anything_is_decoded() -> None:
    made = dataset(np.zeros((4, 4), np.uint8), Rows=30_000, Columns=30_000)
    with pytest.raises(InputTooLarge, match="30000x30000"):
        load_image(write(made), INPUT)
    with pytest.raises(InputTooLarge, match="30000x30000"):
        load_image(compressed(made, JPEGBaseline8Bit, jpeg(Image.new("L", (8, 8)))), INPUT)
    with pytest.raises(PoorQuality, match="4x4"):
        load_image(write(dataset(np.zeros((4, 4), np.uint8))), INPUT.model_copy(update={"min_side_px": 32}))


def test_a_stream_larger_than_its_header_is_never_unfolded() -> None:
    bomb = jpeg(Image.new("L", (4000, 3000)))
    with pytest.raises(UnreadableInput, match="4000x3000"):
        load_image(compressed(dataset(np.zeros((8, 8), np.uint8)), JPEGBaseline8Bit, bomb), INPUT)
    deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
    zeros = b"".join(deflater.compress(bytes(2**20)) for _ in range(300)) + deflater.flush()
    meta = bytes(128) + b"DICM\x02\x00\x10\x00UI\x16\x00" + b"1.2.840.10008.1.2.1.99"
    with pytest.raises(InputTooLarge, match="inflates"):
        load_image(meta + zeros, INPUT)


def test_truncated_and_incomplete() -> None:
    data = write(dataset(np.zeros((16, 16), np.uint16)))
    with pytest.raises(UnreadableInput, match="truncated"):
        load_image(data[:-1], INPUT)
    with pytest.raises(UnreadableInput, match="truncated"):
        load_image(data[: data.index(b"\xe0\x7f\x10\x00")], INPUT)
    with pytest.raises(UnreadableInput, match="needs 512 bytes of pixels and has 100"):
        load_image(write(dataset(np.zeros((16, 16), np.uint16), PixelData=bytes(100))), INPUT)
    with pytest.raises(UnreadableInput, match="Rows is missing"):
        load_image(write(dataset(ramp(1, 2), Rows=None)), INPUT)
    with pytest.raises(UnreadableInput, match="no area"):
        load_image(write(dataset(ramp(1, 2), Rows=0)), INPUT)
    cut = compressed(dataset(np.zeros((16, 16), np.uint8)), JPEGBaseline8Bit, jpeg(Image.new("L", (16, 16))))
    with pytest.raises(UnreadableInput, match="truncated"):
        load_image(cut[:-20], INPUT)


def test_files_without_a_picture_are_named() -> None:
    report = Dataset()
    report.SOPClassUID, report.Modality = BasicTextSRStorage, "SR"
    with pytest.raises(UnsupportedFormat, match="SOP class Basic Text SR Storage holds no picture"):
        load_image(write(report), INPUT)
    report.SOPClassUID, report.Modality = TwelveLeadECGWaveformStorage, "ECG"
    with pytest.raises(UnsupportedFormat, match="Waveform Storage holds no picture; send it in the field record"):
        load_image(write(report), INPUT)
    made = dataset(ramp(1, 2), PixelData=None, FloatPixelData=bytes(8))
    with pytest.raises(UnsupportedFormat, match="floating-point"):
        load_image(write(made), INPUT)
    with pytest.raises(UnsupportedFormat, match="'CMYK'"):
        load_image(write(dataset(ramp(1, 2), PhotometricInterpretation="CMYK")), INPUT)


def test_other_transfer_syntaxes_are_named() -> None:
    data = compressed(dataset(ramp(1, 2)), MPEG4HP41, b"video")
    with pytest.raises(UnsupportedFormat, match="MPEG-4 AVC/H.264 High Profile .* it is a video: export the frame"):
        load_image(data, INPUT)


def test_a_missing_codec_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load_image(VALID[0], INPUT)  # the first file registers the codecs
    monkeypatch.delitem(get_decoder(JPEGLosslessSV1)._available, "imagecodecs")
    stream = bytearray(jpeg(Image.new("L", (8, 8))))
    stream[stream.index(b"\xff\xc0") + 1] = 0xC3
    data = compressed(dataset(np.zeros((8, 8), np.uint8)), JPEGLosslessSV1, bytes(stream))
    with pytest.raises(UnsupportedFormat, match="JPEG Lossless.*not decoded here"):
        load_image(data, INPUT)


def explicit(body: bytes) -> bytes:
    return bytes(128) + b"DICM\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0" + body


BOMBS = {
    "nesting": b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 10_000,
    "elements": b"\x09\x00\x01\x10LO\0\0" * 2_000_000,
    "items": b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * 600_000,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_headers_of_millions_of_elements_are_refused_soon(kind: str) -> None:
    data = explicit(BOMBS[kind])
    before, start = resident_mib(), time.process_time()
    with pytest.raises(UnreadableInput, match="corrupt"):
        load_image(data, INPUT)
    assert resident_mib() - before < 300
    assert time.process_time() - start < 20


def test_bombs_in_sequences_of_a_stated_length_and_in_run_lengths() -> None:
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 500_000
    sequence = b"\x28\x00\x00\x30SQ\0\0" + len(items).to_bytes(4, "little") + items
    picture = write(dataset(ramp(1, 2)))
    at = picture.index(b"\xe0\x7f\x10\x00")
    laden = load_image(picture[:at] + sequence + picture[at:], INPUT)  # only the first item is read
    np.testing.assert_array_equal(laden.pixels, load_image(picture, INPUT).pixels)
    runs = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + b"\x81\0" * 5_000_000
    before = resident_mib()
    with pytest.raises(UnreadableInput, match="RLE"):
        load_image(compressed(dataset(np.zeros((64, 64), np.uint8)), RLELossless, runs), INPUT)
    assert resident_mib() - before < 100  # not 640 MB


def test_patients_are_not_named_in_logs_and_warnings(caplog: pytest.LogCaptureFixture) -> None:
    made = dataset(ramp(1, 2), PatientName="Doe^Jane", PatientAge="Doe^Jane", PatientBirthDate="19000101")
    made.add_new(0x00281050, "LO", "Doe^Jane")
    data = write(made).replace(b"\x50\x10LO", b"\x50\x10DS").replace(b"19000101", b"Doe^Jane")
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        facts = load_image(data, INPUT).dicom
        assert facts is not None
        assert replace(facts, person_sha256=None) == DicomFacts("DX", None, None, None, "MONOCHROME2", 1)
        assert str(facts.person_sha256) not in repr(facts)
        for cut in range(140, len(data), 9):
            with contextlib.suppress(MediDiagnoseError):
                load_image(data[:cut], INPUT)
    assert (caplog.text, [str(warning.message) for warning in caught]) == ("", [])


def test_importing_the_decoder_does_not_import_pydicom() -> None:
    load = "import sys, ml_model.inputs.images.decoder"
    script = f"{load}; sys.exit('pydicom' in sys.modules or 'imagecodecs' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# Any bytes


def valid_files() -> list[bytes]:
    picture = np.random.default_rng(1).integers(0, 4096, (16, 24), dtype=np.uint16)
    coded = compressed(dataset(np.zeros((16, 16), np.uint8)), JPEGBaseline8Bit, jpeg(Image.new("L", (16, 16), 99)))
    run_length = dataset(picture, VOILUTSequence=look_up_table(0, 12, *range(4096)))
    run_length.compress(RLELossless, generate_instance_uid=False)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
    return [
        write(dataset(picture, RescaleSlope=2, WindowCenter=5, WindowWidth=9, PatientAge="034Y")),
        write(dataset(picture, PixelSpacing=[1, 1]), ImplicitVRLittleEndian),
        write(dataset(picture), DeflatedExplicitVRLittleEndian),
        write(run_length, RLELossless),
        compressed(dataset(picture), JPEG2000Lossless, stream.getvalue()),
        coded,
    ]


VALID = valid_files()
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12)


@settings(deadline=None)  # the first example imports pydicom
@given(st.sampled_from(VALID), st.floats(0.2, 1), DAMAGE)
def test_damaged_files_give_a_picture_or_one_of_our_errors(
    valid: bytes, kept: float, damage: list[tuple[float, int]]
) -> None:
    data = bytearray(valid[: max(140, round(kept * len(valid)))])
    for where, byte in damage:
        data[132 + int(where * (len(data) - 132))] = byte
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            loaded = load_image(bytes(data), INPUT)
        except MediDiagnoseError:
            return
    assert loaded.pixels.shape == (32, 48, 3)


def test_several_threads_decode_at_once() -> None:
    expected = [load_image(data, INPUT).pixels for data in VALID]
    order = list(range(len(VALID))) * 20
    random.Random(0).shuffle(order)
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda index: load_image(VALID[index], INPUT).pixels, order))
    for index, pixels in zip(order, pictures, strict=True):
        np.testing.assert_array_equal(pixels, expected[index])


# Files of other people's devices and programs

NO_PICTURE = {
    *("ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "rtplan.dcm", "rtstruct.dcm"),  # radiotherapy plans
    *("reportsi.dcm", "reportsi_with_empty_number_tags.dcm", "test-SR.dcm", "waveform_ecg.dcm"),
    *("UN_sequence.dcm", "empty_charset_LEI.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm"),  # a few elements
    "no_meta.dcm",  # a stray byte before the first element
}
UNREADABLE = {
    *("MR_truncated.dcm", "rtplan_truncated.dcm"),
    *("meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"),  # pixels without Rows
    "GDCMJ2K_TextGBR.dcm",  # JPEG 2000 with a file header and a broken stream
    "JPEG2000-embedded-sequence-delimiter.dcm",  # its size was overwritten
}


def real_files() -> dict[str, bytes]:
    with zipfile.ZipFile(real_archive("dicom.zip")) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
        return {n.name: archive.read(str(n)) for n in names if n.suffix == ".dcm" or n.parent.name == "WG04"}


def test_every_real_file_is_decoded_or_refused_for_a_known_reason() -> None:
    files = real_files()
    refused: dict[str, MediDiagnoseError] = {}
    for name, data in files.items():
        try:
            loaded = load_image(data, INPUT)
        except MediDiagnoseError as error:
            refused[name] = error
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom reports what is odd in these files
                header = dcmread(io.BytesIO(data), stop_before_pixels=True)
            assert (loaded.original_height_px, loaded.original_width_px) == (header.Rows, header.Columns), name
            assert loaded.pixels.max() > loaded.pixels.min(), name
    assert {name for name, error in refused.items() if isinstance(error, UnsupportedFormat)} == NO_PICTURE
    assert {name for name, error in refused.items() if isinstance(error, UnreadableInput)} == UNREADABLE
    assert (len(files), len(refused)) == (100, 19)


def test_stored_values_of_real_files_are_those_that_pydicom_reads() -> None:
    compared = 0
    for name, data in real_files().items():
        if name in NO_PICTURE | UNREADABLE:
            continue
        header = read_dicom_header(data)
        stored = stored_values(header, MAX_PIXELS).astype(np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                shown = header.facts.frame - 1
                expected = pixel_array(dcmread(io.BytesIO(data)), index=shown).astype(np.int64)
            except (RuntimeError, ValueError):  # no plugin for this encoding, or stricter than we are
                continue
        # JPEG decoders and colour conversions round differently.
        tolerance = 3 if stored.ndim == 3 or header.transfer_syntax.endswith("4.50") else 0
        assert np.abs(stored - expected).max() <= tolerance, name
        compared += 1
    assert compared >= 69
