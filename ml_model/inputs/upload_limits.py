"""What an upload may be at most and has to be at least: bytes, format, pixels; checked before any pixel is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ml_model.errors import EmptyInput, InputTooLarge, PoorQuality, TooCostly, UnreadableInput, UnsupportedFormat
from ml_model.inputs.file_type import describe_content, sniff_format
from ml_model.inputs.images.pdf import is_pdf
from ml_model.tasks.registry import ImageInput

_MAX_ANIMATED_PIXELS = 25_000_000  # Pillow holds four canvases of an animated WebP


@dataclass(frozen=True)
class ImageLimits:
    """What an upload may be at most. announce: told format and pixels as soon as they are known, before any is decoded;
    it may raise. isolated: this process is there to read this file, and under limits."""

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 50_000_000
    announce: Callable[[str, int], None] = lambda _name, _pixels: None
    isolated: bool = False


DEFAULT_LIMITS = ImageLimits()


def checked_format(data: bytes, image_input: ImageInput, limits: ImageLimits) -> str:
    """The format by the content. Raises EmptyInput, InputTooLarge or UnsupportedFormat."""
    if not data:
        raise EmptyInput("the file is empty (0 bytes); send an image")
    if len(data) > limits.max_bytes:
        raise InputTooLarge(
            f"the file has {len(data) / 2**20:.1f} MiB; at most {limits.max_bytes / 2**20:.0f} MiB are accepted"
        )
    name = sniff_format(data)
    if name is None and image_input.pdf_pages and is_pdf(data):
        return "PDF"
    if name is None:
        last = ", PDF or DICOM" if image_input.pdf_pages else " or DICOM"
        raise UnsupportedFormat(
            f"the content looks like {describe_content(data)}; send PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF{last}"
        )
    return name


def check_pixels(name: str, width_px: int, height_px: int, limits: ImageLimits) -> None:
    """Announces an allowed size. Raises UnreadableInput, InputTooLarge or TooCostly."""
    if width_px < 1 or height_px < 1:
        raise UnreadableInput(f"the picture is {width_px}x{height_px} pixels: it has no area; export it again")
    if width_px * height_px > limits.max_pixels:
        raise InputTooLarge(
            f"the picture is {width_px}x{height_px} = {width_px * height_px / 1e6:.1f} megapixels; "
            f"at most {limits.max_pixels / 1e6:g} are accepted: send a smaller version"
        )
    if name == "animated WEBP" and width_px * height_px > _MAX_ANIMATED_PIXELS:
        raise TooCostly(
            f"the picture is {width_px}x{height_px} pixels and animated; at most {_MAX_ANIMATED_PIXELS / 1e6:g} "
            "megapixels are read of an animation: send a still picture"
        )
    limits.announce(name, width_px * height_px)


def check_min_side(width_px: int, height_px: int, image_input: ImageInput) -> None:
    """Raises PoorQuality of a thumbnail."""
    if min(width_px, height_px) < image_input.min_side_px:
        raise PoorQuality(
            f"the picture is {width_px}x{height_px} pixels; its shorter side must have at least "
            f"{image_input.min_side_px}: send the original instead of a thumbnail"
        )
