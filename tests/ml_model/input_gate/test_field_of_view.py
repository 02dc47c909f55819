"""Size of a microscope picture's field: by whom it is told, and where it is warned of."""

from __future__ import annotations

import numpy as np
import pytest

from ml_model.input_gate.field_of_view import FieldOfView, field_of_view
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.inputs.images.decoder import LoadedImage
from ml_model.inputs.images.geometry import Frame
from ml_model.tasks.registry import ImageInput

FIELD = ImageInput(modality="tissue", height_px=64, width_px=96, field_width_um=(200, 340))


def picture(width_px: int, height_px: int, spacing_mm: tuple[float, float] | None = None) -> LoadedImage:
    header = DicomFacts("SM", None, None, spacing_mm, "RGB", 1) if spacing_mm else None
    pixels = np.zeros((64, 96, 3), np.uint8)
    return LoadedImage(pixels, width_px, height_px, "PNG", Frame(0, 0, width_px, height_px), header)


def told(image: LoadedImage, pixel_size_um: float | None = None) -> FieldOfView:
    field = field_of_view(image, FIELD, pixel_size_um)
    assert field is not None
    return field


def test_other_pictures_have_no_field() -> None:
    assert field_of_view(picture(50, 50), ImageInput(modality="film", height_px=64, width_px=64), 4.0) is None


def test_the_request_tells_the_scale_before_the_header() -> None:
    image = picture(700, 460, spacing_mm=(0.001, 0.002))
    assert told(image, 0.485) == FieldOfView(339.5, 223.1, "pixel_size_um", (200, 340))
    assert told(image) == FieldOfView(1400.0, 460.0, "dicom", (200, 340))  # rows 1 um apart, columns 2 um


@pytest.mark.parametrize(
    ("width_px", "pixel_size_um", "warned"),
    [(50, 4.0, False), (700, 0.485, False), (200, 0.5, False), (199, 0.5, True), (680, 1.0, False), (681, 1.0, True)],
)
def test_a_field_more_than_twice_off_is_warned_of(width_px: int, pixel_size_um: float, warned: bool) -> None:
    warning = told(picture(width_px, width_px), pixel_size_um).warning
    assert (warning is not None) is warned
    if warning:
        assert f"{width_px * pixel_size_um:.0f} x" in warning
        assert "200 to 340 micrometres" in warning


@pytest.mark.parametrize(("width_px", "warned"), [(50, False), (700, False), (2720, False), (2724, True)])
def test_without_a_scale_only_too_many_pixels_tell(width_px: int, warned: bool) -> None:
    field = told(picture(width_px, 460))
    assert (field.told_by, field.width_um) == ("pixels", width_px / 4)
    assert (field.warning is not None) is warned
    assert "pixel_size_um" in (field.warning or "pixel_size_um")


def test_the_widths_expected_must_rise() -> None:
    with pytest.raises(ValueError, match="smaller one first, got"):
        ImageInput(modality="tissue", height_px=64, width_px=64, field_width_um=(340, 200))
