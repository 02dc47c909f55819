"""Quality gate: known values, what is refused with value and threshold, and real pictures that must pass."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from samples import image_task, real_archive

from ml_model.errors import PoorQuality
from ml_model.input_gate.image_quality import (
    MIN_BRIGHT_LEVEL,
    MIN_CONTRAST,
    Quality,
    measure_detail,
    measure_quality,
    quality_refusal,
)
from ml_model.inputs.images.decoder import LoadedImage, decode_image, load_image
from ml_model.inputs.images.geometry import Frame
from ml_model.tasks.registry import ImageInput, ImageTask, load_image_tasks

FILM = ImageInput(modality="film", height_px=224, width_px=224)


def loaded(pixels: NDArray[np.uint8], width_px: int = 640, height_px: int = 480) -> LoadedImage:
    return LoadedImage(pixels, width_px, height_px, "PNG", Frame(0, 0, width_px, height_px))


def flat(level: int, side_px: int = 224) -> NDArray[np.uint8]:
    return np.full((side_px, side_px, 3), level, np.uint8)


def noisy(level: int, deviation: float, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(level, deviation, (224, 224, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


def halves(left: int, right: int) -> NDArray[np.uint8]:
    pixels = flat(left)
    pixels[:, 112:] = right
    return pixels


def check(image: LoadedImage, image_input: ImageInput) -> Quality:
    """The quality of a picture that is not refused for it."""
    quality = measure_quality(image)
    if refusal := quality_refusal(quality, image_input):
        raise PoorQuality(refusal)
    return quality


def test_values_of_a_picture_in_two_halves() -> None:
    quality = measure_quality(loaded(halves(100, 140)))
    assert quality.mean_level == pytest.approx(120)
    assert quality.contrast == pytest.approx(20)  # half the pixels 20 above the mean, half 20 below
    assert quality.bright_level == pytest.approx(140)
    # The Laplacian is +40 and -40 along the two columns at the edge, and 0 in the other 222.
    assert quality.sharpness == pytest.approx(40**2 * 2 / 224)
    assert quality.min_side_px == 480


def test_blurring_lowers_the_sharpness_and_keeps_the_contrast() -> None:
    pixels = halves(60, 180)
    small = Image.fromarray(pixels).resize((28, 28)).resize((224, 224), Image.Resampling.BICUBIC)
    sharp, blurred = measure_quality(loaded(pixels)), measure_quality(loaded(np.asarray(small)))
    assert blurred.sharpness < 0.1 * sharp.sharpness
    assert blurred.contrast == pytest.approx(sharp.contrast, rel=0.05)


def waves(per_side: float, amplitude: float = 40, side_px: int = 224) -> NDArray[np.uint8]:
    """Cosine waves from side to side, so many of them, all channels alike."""
    x = (np.arange(side_px) + 0.5) / side_px
    row = np.round(128 + amplitude * np.cos(2 * np.pi * per_side * x))
    return np.broadcast_to(row[None, :, None], (side_px, side_px, 3)).astype(np.uint8)


@pytest.mark.parametrize(("per_side", "share"), [(2, 0), (7.5, 0), (8, 1), (12, 1), (15.5, 1), (16, 0), (30, 0)])
def test_detail_is_what_lies_in_waves_of_an_eighth_to_a_sixteenth_of_the_side(per_side: float, share: float) -> None:
    assert measure_detail(waves(per_side)) == pytest.approx(share, abs=0.002)
    assert measure_detail(waves(per_side).transpose(1, 0, 2).copy()) == pytest.approx(share, abs=0.002)


def test_detail_is_a_share_of_the_variance_of_all_channels() -> None:
    mixed = waves(2, 40).astype(int) + waves(12, 20) - 128
    assert measure_detail(mixed.astype(np.uint8)) == pytest.approx(20**2 / (40**2 + 20**2), abs=0.01)
    one_channel = mixed.astype(np.uint8)
    one_channel[..., 1:] = waves(2, 40)[..., 1:]
    assert measure_detail(one_channel) == pytest.approx(20**2 / (3 * 40**2 + 20**2), abs=0.01)
    assert measure_detail(flat(77)) == 0


@pytest.mark.parametrize("side_px", [64, 150, 224, 512])
def test_detail_depends_on_neither_size_nor_noise(side_px: int) -> None:
    smooth = waves(2, 40, side_px)
    noise = np.random.default_rng(0).normal(0, 8 * side_px / 224, smooth.shape)  # more in larger pictures averages out
    assert measure_detail(smooth) < 0.0003
    assert measure_detail(np.clip(smooth + noise, 0, 255).astype(np.uint8)) < (0.001 if side_px > 112 else 0.01)
    assert measure_detail(waves(12, 40, side_px)) > 0.95


def test_a_blurred_picture_is_refused_with_value_and_threshold() -> None:
    soft = loaded(waves(3))
    with pytest.raises(
        PoorQuality,
        match=r"^the picture is blurred beyond use: structures of 1/8 to 1/16 of its side hold [0-9.e-]+ of the "
        r"variance of its levels, at least 0\.001 is needed; send a sharp one$",
    ):
        check(soft, FILM)
    assert check(soft, FILM.model_copy(update={"min_detail": 0})).detail < 0.001
    sharp = loaded(halves(60, 180))
    assert check(sharp, FILM).detail == pytest.approx(0.0129, abs=0.0005)
    with pytest.raises(PoorQuality, match=r"hold 0\.013 of .* at least 0\.02 is needed"):
        check(sharp, FILM.model_copy(update={"min_detail": 0.02}))


def test_contrast_is_seen_in_colour_alone() -> None:
    pixels = flat(150)
    pixels[:, 112:] = (168, 140, 152)  # another hue of nearly the same grey level
    grey_step = abs(float(np.array([0.299, 0.587, 0.114]) @ [18, -10, 2]))
    quality = measure_quality(loaded(pixels))
    assert grey_step < 0.5
    assert quality.contrast == pytest.approx(9, abs=0.01)
    assert check(loaded(pixels), FILM) == quality


def test_an_accepted_picture_is_described() -> None:
    found = check(loaded(halves(30, 200), width_px=50, height_px=900), FILM)
    assert found.min_side_px == 50
    assert found.mean_level == pytest.approx(115)


@pytest.mark.parametrize("level", [40, 41, 128, 254, 255])
def test_a_flat_picture_is_blank(level: int) -> None:
    message = (
        "the picture is blank: its contrast (standard deviation of the levels, 0-255) is 0.00, "
        "at least 2.5 is needed; send one that shows the subject"
    )
    with pytest.raises(PoorQuality, match=f"^{re.escape(message)}$"):
        check(loaded(flat(level)), FILM)


@pytest.mark.parametrize("level", [0, 1, 39])
def test_a_black_picture_is_too_dark(level: int) -> None:
    message = (
        f"the picture is too dark: its brightest parts reach level {level}.0 of 255, "
        "at least 40 is needed; send one with a normal exposure"
    )
    with pytest.raises(PoorQuality, match=f"^{re.escape(message)}$"):
        check(loaded(flat(level)), FILM)


def test_a_dark_picture_with_content_is_refused_for_its_darkness() -> None:
    with pytest.raises(PoorQuality, match=r"too dark: its brightest parts reach level 30\.0"):
        check(loaded(halves(0, 30)), FILM)


@pytest.mark.parametrize("deviation", [1, 3, 6, 10])
@pytest.mark.parametrize("level", [90, 200])
def test_sensor_noise_is_no_content(level: int, deviation: float) -> None:
    noise = noisy(level, deviation)
    assert noise.std() > 0.9 * deviation
    with pytest.raises(PoorQuality, match="blank"):
        check(loaded(noise), FILM)


def test_the_thresholds_are_where_they_say() -> None:
    # Two halves d apart have a contrast of d / 2: 4 lies below 2.5, 6 above.
    with pytest.raises(PoorQuality, match=r"is 2\.00, at least 2\.5"):
        check(loaded(halves(100, 104)), FILM)
    assert check(loaded(halves(100, 106)), FILM).contrast == pytest.approx(3)
    assert MIN_CONTRAST == 2.5
    assert check(loaded(halves(0, 40)), FILM).bright_level == MIN_BRIGHT_LEVEL == 40


def test_one_speck_does_not_make_a_dark_picture_bright() -> None:
    pixels = noisy(12, 4)
    pixels[100:104, 100:104] = 255
    with pytest.raises(PoorQuality, match="too dark"):
        check(loaded(pixels), FILM)


@pytest.mark.parametrize("shape", [(32, 32), (64, 96), (224, 224), (640, 512), (33, 1024)])
def test_any_size_of_input_is_measured(shape: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[:, shape[1] // 2 :] = 200
    quality = measure_quality(loaded(pixels))
    assert quality.contrast == pytest.approx(100, rel=0.06)
    assert quality.bright_level == pytest.approx(200, abs=1)


def real_pictures(archive: str, every: int) -> list[tuple[str, bytes]]:
    """Each n-th picture of a data set's zip file, lesion outlines left out."""
    with zipfile.ZipFile(real_archive(f"{archive}.zip")) as content:
        names = sorted(n for n in content.namelist() if PurePosixPath(n).suffix == ".avif" and "_mask" not in n)
        return [(name, content.read(name)) for name in names[::every]]


REAL = [
    ("ham10000", "skin", 90),
    ("chest_xray", "xray", 60),
    ("adult_chest_xray", "xray", 9),
    ("breast_ultrasound", "breast", 8),
    ("idc_patches", "histopathology", 120),
    ("breakhis_100x", "histopathology", 4),
    ("brain_mri", "brain-mri", 30),
    ("chest_ctscan", "lung-ct", 8),
    ("iq_othnccd", "lung-ct", 11),
    ("rsna_mammography", "mammogram", 40),
]


@pytest.mark.parametrize(("archive", "task_id", "every"), REAL)
def test_real_pictures_pass(archive: str, task_id: str, every: int) -> None:
    task = image_task(task_id)
    pictures = real_pictures(archive, every)
    assert len(pictures) >= 50
    faintest, darkest, softest = 255.0, 255.0, 1.0
    for name, data in pictures:
        found = measure_quality(load_image(data, task.input))
        assert quality_refusal(found, task.input) is None, name
        faintest = min(faintest, found.contrast)
        darkest = min(darkest, found.bright_level)
        softest = min(softest, found.detail)
    # Room between what is refused and anything real: the thresholds may not creep up.
    assert faintest > 1.5 * MIN_CONTRAST
    assert darkest > 1.25 * MIN_BRIGHT_LEVEL
    assert softest > 2 * task.input.min_detail


@pytest.mark.parametrize(("archive", "task_id", "every"), REAL)
def test_real_pictures_pass_small_and_large_and_compressed_and_not_blurred(
    archive: str, task_id: str, every: int
) -> None:
    task = image_task(task_id)
    pictures = real_pictures(archive, 8 * every)
    assert len(pictures) >= 6
    for name, data in pictures:
        rgb = decode_image(data, task.input).rgb
        rgb.thumbnail((700, 700))
        for copy, quality in ((rgb, 30), (rgb.resize((2 * rgb.width, 2 * rgb.height), Image.Resampling.BICUBIC), 75)):
            stream = io.BytesIO()
            copy.save(stream, "JPEG", quality=quality)
            found = measure_quality(load_image(stream.getvalue(), task.input))
            assert quality_refusal(found, task.input) is None, name
        stream = io.BytesIO()
        share = 0.16 if archive == "idc_patches" else 0.08  # a patch is shown at half the size of what the model sees
        rgb.filter(ImageFilter.GaussianBlur(share * min(rgb.size))).save(stream, "PNG")
        blurred = load_image(stream.getvalue(), task.input)
        with pytest.raises(PoorQuality, match="blurred|blank|dark"):
            check(blurred, task.input)


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda task: task.id)
def test_a_white_page_is_refused_by_every_task(task: ImageTask) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (600, 450), "white").save(stream, "JPEG")
    with pytest.raises(PoorQuality, match="blank"):
        check(load_image(stream.getvalue(), task.input), task.input)
