"""DICOM: what a viewer shows, with known numbers, in every encoding; and the facts of the header."""

from __future__ import annotations

import io

import numpy as np
import pytest
from dicom_files import compressed, dataset, grey, jpeg, look_up_table, ramp, shown, write
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from ml_model.inputs.dicom.header import DicomFacts, read_dicom_header
from ml_model.inputs.images.decoder import load_image, sniff_format
from ml_model.tasks.registry import ImageInput

INPUT = ImageInput(modality="film", height_px=32, width_px=48, min_side_px=1)


def facts(**changes: object) -> DicomFacts:
    return read_dicom_header(write(dataset(ramp(1, 2), **changes))).facts


# Grey as a viewer shows it


def test_loaded_like_any_other_picture() -> None:
    pixels = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96)
    data = write(dataset(pixels, ViewPosition="PA"))
    loaded = load_image(data, INPUT)
    assert sniff_format(data) == loaded.format == "DICOM"
    assert (loaded.original_width_px, loaded.original_height_px) == (96, 64)
    assert (loaded.pixels.shape, loaded.pixels.dtype) == ((32, 48, 3), np.uint8)
    assert loaded.dicom == DicomFacts("DX", "PA", None, None, "MONOCHROME2", 1)
    assert load_image(png(), INPUT).dicom is None


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (64, 64), 9).save(stream, "PNG")
    return stream.getvalue()


def test_linear_window_by_the_standards_formula() -> None:
    # Centre 100, width 101: black up to 49.5, white from 149.5, (x - 99.5) / 100 + 0.5 between.
    window = {"WindowCenter": 100, "WindowWidth": 101}
    values = ramp(0, 49, 74, 99, 124, 150, 4000)
    assert grey(write(dataset(values, **window))) == [[0, 0, 62, 126, 190, 255, 255]]
    inverted = write(dataset(values, PhotometricInterpretation="MONOCHROME1", **window))
    assert grey(inverted) == [[255, 255, 193, 129, 65, 0, 0]]


def test_first_of_several_windows_and_the_other_functions() -> None:
    values = ramp(0, 50, 100, 150, 200)
    assert grey(write(dataset(values, WindowCenter=[100, 5], WindowWidth=[200, 5], VOILUTFunction="LINEAR_EXACT"))) == [
        [0, 64, 128, 191, 255]
    ]
    sigmoid = grey(write(dataset(values, WindowCenter=100, WindowWidth=200, VOILUTFunction="SIGMOID")))
    assert sigmoid == [[round(255 / (1 + np.exp(-4 * (x - 100) / 200))) for x in (0, 50, 100, 150, 200)]]


def test_rescale_comes_before_the_window_and_values_may_be_negative() -> None:
    # Hounsfield units 2 x - 1024: -1024, 0, 1000; window 0 +- 500.
    window = {"RescaleSlope": 2, "RescaleIntercept": -1024, "WindowCenter": 0, "WindowWidth": 1000}
    exact = {**window, "VOILUTFunction": "LINEAR_EXACT", "Modality": "CT"}
    assert grey(write(dataset(ramp(0, 512, 612, 1012), **exact))) == [[0, 128, 178, 255]]
    signed = ramp(-512, 0, 100, 500, dtype=np.int16)
    assert grey(write(dataset(signed, **{**exact, "RescaleIntercept": 0}))) == [[0, 128, 178, 255]]


def test_modality_and_voi_look_up_tables() -> None:
    values = ramp(9, 10, 11, 12, 99)
    modality = {"ModalityLUTSequence": look_up_table(10, 16, 100, 200, 300)}
    window = {"WindowCenter": 200, "WindowWidth": 200, "VOILUTFunction": "LINEAR_EXACT"}
    assert grey(write(dataset(values, **modality, **window))) == [[0, 0, 128, 255, 255]]
    voi = {"VOILUTSequence": look_up_table(10, 10, 0, 1023, 511)}
    assert grey(write(dataset(values, **voi, WindowCenter=1, WindowWidth=2))) == [[0, 0, 255, 127, 127]]
    empty = {"VOILUTSequence": Sequence([Dataset()]), **window}
    assert grey(write(dataset(ramp(100, 200, 300), **empty))) == [[0, 128, 255]]


def test_without_a_window() -> None:
    assert grey(write(dataset(ramp(10, 100, 200, dtype=np.uint8)))) == [[10, 100, 200]]  # made for display: as stored
    assert grey(write(dataset(ramp(0, 7, 15, dtype=np.uint8), BitsStored=4, HighBit=3))) == [[0, 119, 255]]
    ct = dataset(ramp(-1000, 0, 1000, dtype=np.int16), Modality="CT")
    assert grey(write(ct)) == [[0, 128, 255]]
    many = np.full((1, 1000), 500, np.uint16)
    many[0, :4] = [0, 65_535, 100, 900]  # one dead pixel and one marker; half a percent is five pixels
    many[0, 10:30], many[0, 30:50] = 100, 900
    picture = grey(write(dataset(many)))[0]
    assert picture[:4] == [0, 255, 0, 255]
    assert picture[500] == 128
    assert grey(write(dataset(ramp(7, 7, 7)))) == [[0, 0, 0]]


def test_a_window_that_shows_nothing_is_not_used() -> None:
    for window in ({"WindowCenter": 9000, "WindowWidth": 10}, {"WindowCenter": 0, "WindowWidth": 0}):
        assert grey(write(dataset(ramp(0, 50, 100), Modality="CT", **window))) == [[0, 128, 255]]


def test_padding_is_black_and_counts_in_no_statistic() -> None:
    values = ramp(-2000, 0, 50, 100, dtype=np.int16)
    for photometric, expected in (("MONOCHROME2", [0, 0, 128, 255]), ("MONOCHROME1", [0, 255, 127, 0])):
        made = dataset(values, Modality="CT", PhotometricInterpretation=photometric)
        made.add_new(0x00280120, "SS", -2000)
        assert grey(write(made)) == [expected]


def test_bits_outside_the_stored_ones_are_ignored() -> None:
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "VOILUTFunction": "LINEAR_EXACT"}
    values = ramp(0xF000, 0x1800, 0x0FFF)  # overlays in the upper four bits
    assert grey(write(dataset(values, BitsStored=12, HighBit=11, **window))) == [[0, 128, 255]]
    high = ramp(0x000F, 0x8001, 0xFFF0)  # the twelve stored bits at the upper end
    assert grey(write(dataset(high, BitsStored=12, HighBit=15, **window))) == [[0, 128, 255]]
    negative = {"WindowCenter": 0, "WindowWidth": 4096, "VOILUTFunction": "LINEAR_EXACT"}
    signed = ramp(0x0800, 0x0000, 0x07FF, dtype=np.uint16)  # -2048, 0, 2047
    made = dataset(signed, BitsStored=12, HighBit=11, PixelRepresentation=1, **negative)
    assert grey(write(made)) == [[0, 128, 255]]


def test_deep_values_share_levels() -> None:
    deep = ramp(0, 2**31, 2**32 - 1, dtype=np.uint32)
    assert grey(write(dataset(deep, Modality="CT"))) == [[0, 128, 255]]
    assert grey(write(dataset(ramp(2**32 - 3, 2**32 - 2, 2**32 - 1, dtype=np.uint32)))) == [[0, 128, 255]]


def test_enhanced_multi_frame_objects_keep_rescale_and_window_in_functional_groups() -> None:
    rescale, window, spacing, groups = Dataset(), Dataset(), Dataset(), Dataset()
    rescale.RescaleIntercept, rescale.RescaleSlope = -100, 1
    window.WindowCenter, window.WindowWidth, window.VOILUTFunction = 0, 200, "LINEAR_EXACT"
    spacing.PixelSpacing = [0.5, 0.25]
    groups.PixelValueTransformationSequence = Sequence([rescale])
    groups.FrameVOILUTSequence = Sequence([window])
    groups.PixelMeasuresSequence = Sequence([spacing])
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        data = write(dataset(ramp(0, 100, 200), **{name: Sequence([groups])}))
        assert grey(data) == [[0, 128, 255]]
        assert read_dicom_header(data).facts.pixel_spacing_mm == (0.5, 0.25)


# Colour


def colours() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def test_rgb_by_pixel_and_by_plane() -> None:
    np.testing.assert_array_equal(shown(write(dataset(colours()))), colours())
    planes = dataset(colours(), PlanarConfiguration=1)
    planes.PixelData = colours().transpose(2, 0, 1).tobytes()
    np.testing.assert_array_equal(shown(write(planes)), colours())
    deep = dataset(colours().astype(np.uint16) * 257)
    np.testing.assert_array_equal(shown(write(deep)), colours())


def test_luminance_and_chrominance() -> None:
    ybr = np.asarray(Image.fromarray(colours()).convert("YCbCr"))
    expected = np.asarray(Image.fromarray(ybr, "YCbCr").convert("RGB"))
    full = shown(write(dataset(ybr, PhotometricInterpretation="YBR_FULL"))).astype(int)
    assert np.abs(full - expected).max() <= 1  # Pillow and pydicom round differently
    half = dataset(ybr[:1, :2], PhotometricInterpretation="YBR_FULL_422")
    half.PixelData = bytes([82, 145, 90, 240])  # Y1 Y2 Cb Cr: red, and a lighter red
    difference = shown(write(half)).astype(int) - [[[239, 15, 15], [255, 78, 78]]]
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("scale", [1, 257])
def test_palette_of_16_bits_and_of_writers_that_fill_only_eight(scale: int) -> None:
    made = dataset(ramp(4, 5, 6, 200, dtype=np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for number, entries in enumerate(((0, 255, 7), (10, 20, 30), (1, 2, 3))):
        made.add_new(0x00281101 + number, "US", [3, 5, 16])
        made.add_new(0x00281201 + number, "OW", (np.array(entries, "<u2") * scale).tobytes())
    if scale == 1:
        made[0x00281201].value = np.array((0, 255, 7), "<u2").tobytes()
    assert shown(write(made)).tolist() == [[[0, 10, 1], [0, 10, 1], [255, 20, 2], [7, 30, 3]]]


# Encodings


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_encodings(syntax: str) -> None:
    values = ramp(0, 256, 512)
    big = syntax == ExplicitVRBigEndian
    window = {"WindowCenter": 256, "WindowWidth": 512, "VOILUTFunction": "LINEAR_EXACT"}
    made = dataset(values, **window)
    made.PixelData = (values.byteswap() if big else values).tobytes()
    assert grey(write(made, syntax)) == [[0, 128, 255]]


def test_without_preamble() -> None:
    made = dataset(ramp(0, 100, 200), Modality="CT")
    del made.file_meta
    for implicit, little in ((True, True), (False, True), (False, False)):
        made.PixelData = np.array([0, 100, 200], "<u2" if little else ">u2").tobytes()
        stream = io.BytesIO()
        made.save_as(stream, implicit_vr=implicit, little_endian=little)
        assert stream.getvalue()[128:132] != b"DICM"
        assert sniff_format(stream.getvalue()) == "DICOM"
        assert grey(stream.getvalue()) == [[0, 128, 255]]


def test_run_lengths_of_16_bits_and_of_colour() -> None:
    deep = np.repeat(np.arange(0, 60_000, 1000, dtype=np.uint16), 5).reshape(10, 30)
    for pixels in (deep, colours()):
        made = dataset(pixels, WindowCenter=2**15, WindowWidth=2**16)
        plain = shown(write(made))
        made.compress(RLELossless, generate_instance_uid=False)
        np.testing.assert_array_equal(shown(write(made, RLELossless)), plain)


def test_jpeg_2000_of_16_bits_and_of_colour() -> None:
    deep = (np.arange(64 * 64) * 16 % 65_536).astype(np.uint16).reshape(64, 64)
    for pixels, mode in ((deep, "I;16"), (np.tile(colours(), (16, 16, 1)), "RGB")):
        stream = io.BytesIO()
        image = Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes())
        image.save(stream, "JPEG2000", irreversible=False, no_jp2=True, mct=int(mode == "RGB"))
        made = dataset(pixels, WindowCenter=2**15, WindowWidth=2**16)
        plain = shown(write(made))
        if mode == "RGB":
            made.PhotometricInterpretation = "YBR_RCT"
        np.testing.assert_array_equal(shown(compressed(made, JPEG2000Lossless, stream.getvalue())), plain)


def test_jpeg_colours_are_transformed_only_when_they_were() -> None:
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    image = Image.fromarray(flat)
    transformed = dataset(flat, PhotometricInterpretation="YBR_FULL_422")
    assert np.abs(shown(compressed(transformed, JPEGBaseline8Bit, jpeg(image))).astype(int) - flat).max() <= 2
    plain = jpeg(image, keep_rgb=True)
    assert np.abs(shown(compressed(dataset(flat), JPEGBaseline8Bit, plain)).astype(int) - flat).max() <= 2


def test_frames_in_several_fragments() -> None:
    first, second = (jpeg(Image.new("L", (16, 16), level)) for level in (10, 200))
    by_frame = {None: 10, 1: 10, 2: 200}
    made = dataset(np.zeros((16, 16), np.uint8), NumberOfFrames=2)
    for has_table in (True, False):
        made.PixelData = encapsulate([first, second], fragments_per_frame=2, has_bot=has_table)
        made["PixelData"].is_undefined_length = True
        assert {one: int(shown(write(made, JPEGBaseline8Bit), one)[8, 8]) for one in by_frame} == by_frame


# Facts of the header


@pytest.mark.parametrize(
    ("age", "years"), [("034Y", 34), ("006M", 0.5), ("010D", 10 / 365.25), ("052W", 364 / 365.25), ("000D", 0)]
)
def test_age_as_stated(age: str, years: float) -> None:
    assert facts(PatientAge=age, PatientBirthDate="19000101", StudyDate="20000101").patient_age_years == (
        pytest.approx(years)
    )


def test_age_from_dates_or_not_at_all() -> None:
    dates = {"PatientBirthDate": "20100630", "StudyDate": "20200630"}
    assert facts(**dates).patient_age_years == pytest.approx(10, abs=0.01)
    assert facts(**dates, PatientAge="000Y").patient_age_years == pytest.approx(10, abs=0.01)  # a placeholder
    assert facts(PatientAge="000Y").patient_age_years is None
    assert facts(PatientBirthDate="20200630", StudyDate="20100630").patient_age_years is None
    assert facts(PatientAge="999Y").patient_age_years is None
    assert facts().patient_age_years is None


def test_view_modality_and_spacing() -> None:
    found = facts(Modality="CR", ViewPosition="AP", ImagerPixelSpacing=[0.2, 0.1], PatientName="Doe^Jane")
    assert (found.modality, found.view_position, found.pixel_spacing_mm) == ("CR", "AP", (0.2, 0.1))
    assert "Doe" not in repr(found)
    assert facts(PixelSpacing=[0.4, 0.3], ImagerPixelSpacing=[0.2, 0.1]).pixel_spacing_mm == (0.4, 0.3)
    for broken in ([0, 1], [-1, 1]):
        assert facts(PixelSpacing=broken).pixel_spacing_mm is None
    breast = facts(Modality="MG", BodyPartExamined="BREAST", ViewPosition="MLO", ImageLaterality="R", Laterality="L")
    assert (breast.modality, breast.body_part, breast.view_position, breast.laterality) == ("MG", "BREAST", "MLO", "R")
    assert facts(BodyPartExamined="WHOLE BODY").body_part == "WHOLEBODY"
    silent = facts(Modality=None, ViewPosition="")
    assert (silent.modality, silent.view_position) == (None, None)


def test_words_that_are_none_of_dicoms_may_be_names_and_are_not_repeated() -> None:
    planted = dict.fromkeys(("Modality", "BodyPartExamined", "ViewPosition", "ImageLaterality"), "SMITH")
    found = facts(**planted)
    assert (found.modality, found.body_part, found.view_position, found.laterality) == ("unknown", None, None, None)
    assert "SMITH" not in repr(found)
