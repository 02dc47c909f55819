"""Which frame of a DICOM file is read, and through which window: as asked, else the middle one as the file says; and
which pixels are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from dicom_files import compressed, ct_slice, dataset, frames_of, look_up_table, ramp, shown, write
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from ml_model.errors import InvalidValue, UnreadableInput, UnsupportedFormat
from ml_model.inputs.dicom.header import read_dicom_header
from ml_model.inputs.dicom.presentation import AS_STORED, WINDOWS_HU, Presentation, frame_of, window_of
from ml_model.inputs.images.decoder import decode_image, load_image
from ml_model.inputs.images.frames import note_on_frames
from ml_model.tasks.registry import ImageInput

INPUT = ImageInput(modality="film", height_px=32, width_px=32, min_side_px=1)
WATER_TO_BONE = ramp(-1350, -600, 0, 40, 150, 480, 1730, dtype=np.int16)


def level(data: bytes, frame: int | None = None) -> int:
    levels = np.unique(shown(data, frame))
    assert len(levels) == 1
    return int(levels[0])


# Frames


@pytest.mark.parametrize(("frames", "middle"), [(1, 1), (2, 1), (3, 2), (4, 2), (30, 15), (31, 16)])
def test_the_middle_one_is_shown_where_none_is_asked_for(frames: int, middle: int) -> None:
    assert frame_of(None, frames) == middle
    data = write(frames_of(*range(1, frames + 1)))
    assert level(data) == middle
    facts = read_dicom_header(data).facts
    assert (facts.frame, facts.frames) == (middle, frames)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_each_frame_is_found_in_every_encoding(syntax: str) -> None:
    made = frames_of(10, 90, 30)
    if syntax == RLELossless:
        made.compress(RLELossless, generate_instance_uid=False)
    data = write(made, syntax)
    assert [level(data, one) for one in (1, 2, 3, None)] == [10, 90, 30, 90]


def test_frames_of_odd_lengths_and_of_single_bits() -> None:
    data = write(frames_of(10, 90, 30, rows_px=3, columns_px=5))
    assert [level(data, one) for one in (1, 2, 3)] == [10, 90, 30]
    bits = np.random.default_rng(0).integers(0, 2, (3, 3, 5), np.uint8)
    made = dataset(bits[0], NumberOfFrames=3, BitsAllocated=1, BitsStored=1, HighBit=0)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    made.PixelData = packed + bytes(len(packed) % 2)
    for number, expected in enumerate(bits, 1):
        np.testing.assert_array_equal(shown(write(made), number), 255 * expected)


def test_a_frame_that_there_is_not_is_refused_with_how_many_there_are() -> None:
    data = write(frames_of(1, 2, 3, 4, 5))
    for asked in (0, 6, 100_000, -1):
        with pytest.raises(InvalidValue, match=rf"^frame: received {asked}; the file holds 5 frames: send 1 to 5$"):
            shown(data, asked)
    with pytest.raises(InvalidValue, match="received 2; the file holds one frame: send frame=1, or leave it out$"):
        shown(write(dataset(ramp(1, 2))), 2)


def test_a_file_that_ends_before_the_frame_is_truncated() -> None:
    made = frames_of(10, 90, 30)
    made.PixelData = made.PixelData[:48]
    assert level(write(made), 2) == 90
    with pytest.raises(UnreadableInput, match="needs 72 bytes of pixels and has 48: it is truncated"):
        shown(write(made), 3)


@pytest.mark.parametrize("stated", [True, False])
def test_rescale_window_and_spacing_are_those_of_the_frame(stated: bool) -> None:
    groups = []
    for number in (1, 2, 3):
        rescale, window, spacing, group = Dataset(), Dataset(), Dataset(), Dataset()
        rescale.RescaleIntercept, rescale.RescaleSlope = 0, number
        window.WindowCenter, window.WindowWidth, window.VOILUTFunction = 100, 200, "LINEAR_EXACT"
        spacing.PixelSpacing = [0.5 * number, 0.25 * number]
        group.PixelValueTransformationSequence = Sequence([rescale])
        group.FrameVOILUTSequence = Sequence([window])
        group.PixelMeasuresSequence = Sequence([spacing])
        group.is_undefined_length_sequence_item = not stated
        groups.append(group)
    made = dataset(ramp(0, 20, 50), NumberOfFrames=3, PerFrameFunctionalGroupsSequence=Sequence(groups))
    made.PixelData *= 3
    data = write(made)
    assert [shown(data, one)[0].tolist() for one in (1, 2, 3)] == [[0, 25, 64], [0, 51, 128], [0, 76, 191]]
    spacings = [read_dicom_header(data, one).facts.pixel_spacing_mm for one in (1, None, 3)]
    assert spacings == [(0.5, 0.25), (1.0, 0.5), (1.5, 0.75)]
    made.PerFrameFunctionalGroupsSequence = Sequence(groups[:1])
    assert read_dicom_header(write(made), 3).facts.pixel_spacing_mm is None


# Windows


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("lung", [0, 128, 230, 236, 255, 255, 255]),
        ("soft", [0, 0, 102, 128, 198, 255, 255]),
        ("brain", [0, 0, 0, 129, 255, 255, 255]),
        ("bone", [0, 17, 79, 83, 94, 128, 255]),
        ("0,300", [0, 0, 128, 162, 255, 255, 255]),
        ("-600,1500", [0, 128, 230, 236, 255, 255, 255]),
        (None, [0, 51, 128, 133, 147, 189, 255]),
    ],
)
def test_windows_are_in_hounsfield_units(window: str | None, expected: list[int]) -> None:
    """Centre and width by the linear function of PS3.3 C.11.2.1.2: ((x - (c - .5)) / (w - 1) + .5) * 255."""
    assert shown(ct_slice(WATER_TO_BONE), window=window)[0].tolist() == expected
    if window:
        centre, width = WINDOWS_HU.get(window) or map(float, window.split(","))
        linear = ((WATER_TO_BONE[0] - (centre - 0.5)) / (width - 1) + 0.5) * 255
        assert np.abs(np.clip(linear, 0, 255) - expected).max() <= 0.5


def test_a_window_is_used_where_it_shows_nothing_and_in_place_of_tables() -> None:
    assert shown(ct_slice(WATER_TO_BONE), window="9000,10")[0].tolist() == [0] * 7
    films = {"VOILUTSequence": look_up_table(0, 8, *range(255, -1, -1)), "Modality": "DX"}
    data = write(dataset(ramp(0, 100, 200), **films))
    assert shown(data)[0].tolist() == [255, 155, 55]
    assert shown(data, window="100,201")[0].tolist() == [1, 128, 255]
    dark = write(dataset(ramp(0, 100, 200), PhotometricInterpretation="MONOCHROME1"))
    assert shown(dark, window="100,201")[0].tolist() == [254, 127, 0]


def test_names_are_of_ct_with_a_rescale_alone() -> None:
    told = "window: lung is in Hounsfield units, which CT files with a rescale have; this is "
    for changes, found in (
        ({"Modality": "MR"}, "modality MR"),
        ({"Modality": "SMITH JOHN"}, "modality unknown"),
        ({"RescaleSlope": None, "RescaleIntercept": None}, "a CT file without RescaleSlope"),
    ):
        data = ct_slice(WATER_TO_BONE, **{k: v for k, v in changes.items() if v is not None})
        if "RescaleSlope" in changes:
            data = write(dataset(WATER_TO_BONE, Modality="CT"))
        with pytest.raises(InvalidValue) as refused:
            shown(data, window="lung")
        assert str(refused.value).startswith(told + found + ":")
        assert shown(data, window="0,300").max() > 0
    rgb = write(dataset(np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(InvalidValue, match="in colour"):
        shown(rgb, window="0,300")


@pytest.mark.parametrize("window", ["", "Lung", "lung\n", "1", "1,0", "1,-5", "nan,1", "1e5,3", "1,2,3", "1,2 ", "١,٢"])
def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(InvalidValue, match=r"^window: received .* or centre,width in figures$"):
        window_of(window, "CT", rescaled=True)


# The decoder


def test_the_decoder_shows_what_is_asked_for_and_is_what_it_was_where_nothing_is() -> None:
    data = write(frames_of(10, 90, 30, rows_px=40, columns_px=40))
    found = load_image(data, INPUT)
    assert (found.pixels.max(), found.dicom and found.dicom.frame) == (90, 2)
    third = decode_image(data, INPUT, presentation=Presentation(frame=3))
    assert (np.asarray(third.rgb).max(), third.dicom and third.dicom.frame, third.frames) == (30, 3, 3)
    asked = decode_image(ct_slice(np.tile(WATER_TO_BONE, (7, 1))), INPUT, presentation=Presentation(window="brain"))
    assert np.asarray(asked.rgb)[0, :, 0].tolist() == [0, 0, 0, 129, 255, 255, 255]


def test_of_other_files_only_the_first_frame_can_be_asked_for() -> None:
    stream = io.BytesIO()
    Image.new("L", (64, 64), 9).save(stream, "PNG")
    png = stream.getvalue()
    plain = np.asarray(decode_image(png, INPUT, presentation=AS_STORED).rgb)
    np.testing.assert_array_equal(np.asarray(decode_image(png, INPUT, presentation=Presentation(frame=1)).rgb), plain)
    with pytest.raises(InvalidValue, match="^frame: received 2; of a PNG file only the first frame or page is read"):
        decode_image(png, INPUT, presentation=Presentation(frame=2))
    with pytest.raises(InvalidValue, match="^window: this is a PNG file"):
        decode_image(png, INPUT, presentation=Presentation(window="lung"))


def test_the_note_says_which_frame_it_was() -> None:
    assert note_on_frames("DICOM", 1, 1) is None
    told = "the DICOM file holds 3 frames; only frame 2 was read and answered: frame=1 to 3 asks for another"
    assert note_on_frames("DICOM", 3, 2) == told
    assert str(note_on_frames("DICOM", 3)).startswith("the DICOM file holds 3 frames; only the middle one is read")


@pytest.mark.parametrize(
    ("number", "name", "instead"),
    [
        ("4.201", "High-Throughput JPEG 2000 Image Compression \\(Lossless Only\\)", "\\(HTJ2K\\): export"),
        (
            "4.202",
            "High-Throughput JPEG 2000 with RPCL",
            "\\(HTJ2K\\): export the picture uncompressed or as JPEG 2000",
        ),
        ("4.203", "High-Throughput JPEG 2000 Image Compression", "\\(HTJ2K\\): export the picture uncompressed"),
        ("4.100", "MPEG2 Main Profile", "it is a video: export the frame to be answered as a still picture"),
        ("4.102", "MPEG-4 AVC/H.264 High Profile", "it is a video"),
        ("4.107", "HEVC/H.265 Main Profile", "it is a video"),
        ("4.94", "JPIP Referenced", "its pixels are on a server \\(JPIP\\)"),
    ],
)
def test_pixels_that_are_not_decoded_are_refused_by_name_and_with_what_to_do(
    number: str, name: str, instead: str
) -> None:
    data = compressed(dataset(ramp(1, 2), NumberOfFrames=2), f"1.2.840.10008.1.2.{number}", b"\xff\x4f\xff\x51", b"zz")
    told = f"^pixels in the DICOM transfer syntax {name}.* are not decoded here; .*{instead}"
    with pytest.raises(UnsupportedFormat, match=told):
        load_image(data, INPUT)
