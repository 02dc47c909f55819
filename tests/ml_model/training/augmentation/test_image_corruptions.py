"""Changes of the test pictures: what they do to known pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from dicom_files import dataset, write
from numpy.typing import NDArray
from pictures import detailed, encode
from PIL import Image
from samples import image_task, write_tiny

from ml_model.inference.predictor import Predictor
from ml_model.tasks.registry import ImageInput
from ml_model.training.augmentation.image_corruptions import CORRUPTIONS, PICTURE_CHANGES, VARIANTS, changed_bytes
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.answers import answering_pictures


def opened(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def half() -> NDArray[np.uint8]:
    """Left half level 60, right half level 160."""
    pixels = np.full((100, 200, 3), 60, np.uint8)
    pixels[:, 100:] = 160
    return pixels


@pytest.mark.parametrize(("name", "left", "right"), [("brighter", 78, 208), ("darker", 42, 112)])
def test_brightness_moves_by_thirty_percent(half: NDArray[np.uint8], name: str, left: int, right: int) -> None:
    changed = opened(CORRUPTIONS[name](Image.fromarray(half)))
    assert (changed[50, 20, 0], changed[50, 180, 0]) == (left, right)


def test_blur_spreads_over_the_edge_and_not_beyond(half: NDArray[np.uint8]) -> None:
    row = opened(CORRUPTIONS["blur"](Image.fromarray(half)))[50, :, 0].astype(int)
    assert (row[20], row[180]) == (60, 160)
    assert 60 < row[99] < 110 < row[100] < 160


def test_noise_has_its_deviation_and_is_the_same_each_time(half: NDArray[np.uint8]) -> None:
    changed = opened(CORRUPTIONS["noise"](Image.fromarray(half)))
    assert (changed.astype(float) - half).std() == pytest.approx(12, abs=0.5)
    assert np.array_equal(changed, opened(CORRUPTIONS["noise"](Image.fromarray(half))))


def test_rotations_turn_opposite_ways_and_keep_the_size(half: NDArray[np.uint8]) -> None:
    left, right = (
        opened(CORRUPTIONS[name](Image.fromarray(half)))[..., 0] for name in ("rotated_left", "rotated_right")
    )
    assert left.shape == right.shape == half.shape[:2]
    # The edge through the centre leans: 40 rows above it lies 40 tan 15 = 11 columns to one side.
    assert (left[10, 94], right[10, 94]) == (160, 60)
    assert (left[10, 105], right[10, 105]) == (160, 60)


@pytest.mark.parametrize(("name", "scale"), [("jpeg_75", 1), ("jpeg_95", 1), ("png", 1), ("twice_the_size", 2)])
def test_recoding_keeps_what_is_seen(half: NDArray[np.uint8], name: str, scale: int) -> None:
    changed = opened(VARIANTS[name](Image.fromarray(half)))
    assert changed.shape == (100 * scale, 200 * scale, 3)
    assert abs(int(changed[50 * scale, 30 * scale, 0]) - 60) <= 2
    assert abs(int(changed[50 * scale, 170 * scale, 0]) - 160) <= 2


INPUT = ImageInput(modality="film", height_px=32, width_px=48, min_side_px=1)


def on_its_side(orientation: int) -> bytes:
    """A JPEG whose tag says how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(detailed(), "JPEG", quality=95, exif=exif)


def sixteen_bits() -> bytes:
    """Levels that a cut of the upper or lower byte would lose: 12 bits in a 16-bit PNG."""
    grey = np.asarray(detailed().convert("L")).astype(np.uint16) * 16
    return encode(Image.fromarray(grey), "PNG")


def radiograph() -> bytes:
    return write(dataset(np.asarray(detailed().convert("L")).astype(np.uint16) * 16))


def test_sixteen_bits_are_seen_as_the_decoder_sees_them() -> None:
    half = np.full((40, 60), 1000, np.uint16)
    half[:, 30:] = 4000
    row = opened(changed_bytes(encode(Image.fromarray(half), "PNG"), CORRUPTIONS["darker"], INPUT))[20, :, 0]
    assert row.tolist() == [43] * 30 + [174] * 30  # 255 * level / 4095, times .7


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_picture_on_its_side_is_turned_before_it_is_changed(orientation: int) -> None:
    plain = opened(encode(detailed(), "JPEG", quality=95))
    upright = opened(changed_bytes(on_its_side(orientation), VARIANTS["png"], INPUT))
    assert np.array_equal(upright, np.rot90(plain, {3: 2, 6: 3, 8: 1}[orientation]))


@pytest.mark.parametrize("data", [on_its_side(6), sixteen_bits(), radiograph()], ids=["exif", "16-bit", "dicom"])
def test_a_lossless_copy_is_answered_as_the_file_itself(data: bytes, tmp_path: Path) -> None:
    """Whatever the file is like; and no change fails on it."""
    task = image_task("xray")
    answer = answering_pictures(task, Predictor(write_tiny(task, tmp_path)))
    path = tmp_path / "picture"
    path.write_bytes(data)
    sample = Sample(path, "a", task.codes[0], (task.codes[0],), "g", "test")
    as_sent = answer(sample, None).probabilities
    np.testing.assert_array_equal(answer(sample, VARIANTS["png"]).probabilities, as_sent)
    for changes in PICTURE_CHANGES.values():
        for change in changes.values():
            assert answer(sample, change).probabilities.shape == as_sent.shape
