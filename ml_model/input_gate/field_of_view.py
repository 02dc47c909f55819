"""How large a field a microscope picture shows, and whether it is what the model was trained on.

The scale stands in no ordinary picture file: it comes from the request or a DICOM header. Without either, the number
of pixels still tells the least that a picture can show, since objectives and scanners have a finest resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ml_model.inputs.images.decoder import LoadedImage
from ml_model.tasks.registry import ImageInput

FAR_OFF_FACTOR = 2.0  # beyond the expected range by which a field is warned of; training varies it by 1.3
FINEST_UM_PER_PX = 0.25  # of slide scanners and cameras at 40x, the strongest objective in routine use
_UM_PER_MM = 1000.0
ToldBy = Literal["pixel_size_um", "dicom", "pixels"]


@dataclass(frozen=True)
class FieldOfView:
    """Width and height in micrometres, at least so large with told_by "pixels". expected_um: the range of widths."""

    width_um: float
    height_um: float
    told_by: ToldBy
    expected_um: tuple[float, float]

    @property
    def warning(self) -> str | None:
        """A sentence on a field far larger or, where its size is known, far smaller than expected."""
        low, high = self.expected_um
        size = f"{self.width_um:.0f} x {self.height_um:.0f} micrometres"
        wanted = f"the model expects a field {low:g} to {high:g} micrometres wide"
        if self.told_by == "pixels":
            if self.width_um <= high * FAR_OFF_FACTOR:
                return None
            return (
                f"the picture shows at least {size}, even at {FINEST_UM_PER_PX:g} micrometres a pixel; {wanted}: "
                "cut out one field, or send pixel_size_um if the pixels are finer"
            )
        if low / FAR_OFF_FACTOR <= self.width_um <= high * FAR_OFF_FACTOR:
            return None
        return f"the picture shows {size} (told by {self.told_by}); {wanted}: this answer is not to be relied on"


def field_of_view(image: LoadedImage, image_input: ImageInput, pixel_size_um: float | None) -> FieldOfView | None:
    """The field of one picture; None where the task does not depend on it. pixel_size_um: as the request says."""
    expected = image_input.field_width_um
    if expected is None:
        return None
    spacing = image.dicom.pixel_spacing_mm if image.dicom else None
    if pixel_size_um is not None:
        return _field(image, (pixel_size_um, pixel_size_um), "pixel_size_um", expected)
    if spacing is not None:
        return _field(image, (spacing[0] * _UM_PER_MM, spacing[1] * _UM_PER_MM), "dicom", expected)
    return _field(image, (FINEST_UM_PER_PX, FINEST_UM_PER_PX), "pixels", expected)


def _field(
    image: LoadedImage, pitch_um: tuple[float, float], told_by: ToldBy, expected: tuple[float, float]
) -> FieldOfView:
    """pitch_um: between rows and between columns of the original picture."""
    width_um, height_um = image.size_px[0] * pitch_um[1], image.size_px[1] * pitch_um[0]
    return FieldOfView(round(width_um, 1), round(height_um, 1), told_by, expected)
