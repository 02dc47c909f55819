"""The one decoder for pictures: training, evaluation and serving all read them through `load_image`.

Bytes in, DICOM and PDF too, uint8 RGB at the model's size out (how it comes to that size:
`geometry.py`). The format is found in the content; limits are checked on the header, before
any pixel is decoded. Nothing of Pillow's global state is changed, and plugins are called
directly, so that its process-wide warning for large pictures never fires.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ml_model.inputs.dicom.header import DicomFacts, read_dicom_header
from ml_model.inputs.dicom.pixels import decode_dicom, kind_of_pixels
from ml_model.inputs.dicom.presentation import AS_STORED, Presentation, refuse_for
from ml_model.inputs.file_type import sniff_format
from ml_model.inputs.film_pose import UPRIGHT, FilmPose, film_pose
from ml_model.inputs.images.colour_modes import to_rgb
from ml_model.inputs.images.damage import refusing_damage
from ml_model.inputs.images.frames import ONE_FRAME, count_frames
from ml_model.inputs.images.geometry import Frame, place, resize_rgb
from ml_model.inputs.images.intensity import colour_levels, smoothed, too_much_noise
from ml_model.inputs.images.pdf import draw_isolated, render_first_page
from ml_model.inputs.images.raster_containers import Container, read_container
from ml_model.inputs.images.surround import Surround, ends_straight, find_surround
from ml_model.inputs.images.tiff import exif_orientation
from ml_model.inputs.upload_limits import DEFAULT_LIMITS, ImageLimits, check_min_side, check_pixels, checked_format
from ml_model.tasks.registry import ImageInput

__all__ = [
    "DEFAULT_LIMITS",
    "DecodedImage",
    "ImageLimits",
    "LoadedImage",
    "decode_image",
    "fitted",
    "load_image",
    "resize_rgb",
    "sniff_format",
]

# A JPEG is decoded at 1/2, 1/4 or 1/8 scale only while it stays at least this many times the model's size:
# the antialiased resize behind it then hides the difference.
_DRAFT_MARGIN = 2
_OVERVIEW_PX = (64, 64)
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PLUGINS: dict[str, Callable[[io.BytesIO], ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "AVIF": AvifImageFile,
}
_COUNTING = (WebPImageFile, AvifImageFile)  # they know their frames once opened
_LEAST_SURROUNDED_PX = 128  # of the shorter side: flat tissue or air fills much of a smaller patch


@dataclass(frozen=True)
class DecodedImage:
    """An upright picture. The original size is that of the upright upload (orientation applied)."""

    rgb: Image.Image  # mode RGB, without its surround; smaller where a large JPEG was decoded at reduced scale
    original_width_px: int
    original_height_px: int
    format: str
    dicom: DicomFacts | None = None  # what the header of a DICOM file says
    frames: int = 1  # frames or pages that the file holds; the first is read, of DICOM that of `dicom.frame`
    surround: Surround | None = None  # what was around the picture, in pixels of the original, and is cut off
    pose: FilmPose = UPRIGHT  # of a chest film, as it was sent; `rgb` is positive

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of `rgb` in the original, in its pixels."""
        return self.surround.box if self.surround else (0, 0, self.original_width_px, self.original_height_px)


@dataclass(frozen=True)
class LoadedImage:
    """A picture as the model takes it. The original size is that of the upright upload (orientation applied)."""

    pixels: NDArray[np.uint8]  # (height_px, width_px, 3), RGB, 0-255, at the model's size
    original_width_px: int
    original_height_px: int
    format: str
    frame: Frame  # what `pixels` shows of the original, in its pixels
    dicom: DicomFacts | None = None  # what the header of a DICOM file says
    surround: Surround | None = None  # what was around the picture, in pixels of the original, and is cut off
    pose: FilmPose = UPRIGHT  # of a chest film, as it was sent; only exchanged levels were exchanged back
    noise: float | None = None  # in levels, of a picture that was smoothed because of it
    colour_levels: float = 0.0  # mean difference between red and blue, before that

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture without its surround, in pixels of the original."""
        if self.surround is None:
            return self.original_width_px, self.original_height_px
        left, top, right, bottom = self.surround.box
        return right - left, bottom - top


def load_image(data: bytes, image_input: ImageInput, limits: ImageLimits = DEFAULT_LIMITS) -> LoadedImage:
    """Decode one upload to what the model takes. Raises what `decode_image` raises."""
    return fitted(decode_image(data, image_input, limits), image_input)


def fitted(decoded: DecodedImage, image_input: ImageInput) -> LoadedImage:
    """A decoded picture brought to the model's size."""
    width_px, height_px = decoded.original_width_px, decoded.original_height_px
    left, top, right, bottom = decoded.box
    pixels, shown = place(decoded.rgb, image_input)
    frame = shown.rescaled(decoded.rgb.size, (right - left, bottom - top)).moved(left, top)
    # What is cut to its content has lost its colours.
    colour = colour_levels(resize_rgb(decoded.rgb, *_OVERVIEW_PX) if image_input.cut_to_content else pixels)
    noise = too_much_noise(pixels, image_input.most_noise, grey=image_input.grey)
    if noise:
        pixels = smoothed(pixels, noise, grey=image_input.grey, by=image_input.denoising)
    return LoadedImage(
        pixels, width_px, height_px, decoded.format, frame, decoded.dicom, decoded.surround, decoded.pose, noise, colour
    )  # fmt: skip


def decode_image(
    data: bytes, image_input: ImageInput, limits: ImageLimits = DEFAULT_LIMITS, *, full_size: bool = False,
    whole: bool = False, presentation: Presentation = AS_STORED,
) -> DecodedImage:  # fmt: skip
    """Decode one upload to upright RGB.

    The first frame of an animation and the first page of a PDF document (where `image_input.pdf_pages`), of a DICOM
    file the frame through the window that `presentation` asks for; upright by its orientation tag, alpha laid over
    white, 16-bit, CMYK, palette and grey brought to RGB. Colour profiles are ignored, as they were in training.
    full_size: every pixel; else a JPEG far larger than the model's size may come reduced.

    Raises EmptyInput (no bytes), InputTooLarge (bytes or pixels over the limit), UnsupportedFormat (no picture by its
    content), UnreadableInput (truncated, corrupt, zero-sized), PoorQuality (a side under `image_input.min_side_px`),
    InvalidValue (a frame or window that this file does not have).
    A frame or a viewer's window around the picture is cut off (`surround.py`), but of an outline, which is `whole`.
    """
    decoded = _decoded(data, image_input, limits, full_size, presentation)
    return decoded if whole else _air_dark(_cut_free(decoded, image_input), image_input)


def _cut_free(decoded: DecodedImage, image_input: ImageInput) -> DecodedImage:
    """The picture without what is around it; whole where too little would be left, and where it is small, unless
    what is around it ends in straight edges."""
    surround = find_surround(decoded.rgb, image_input)
    small = min(decoded.original_width_px, decoded.original_height_px) < _LEAST_SURROUNDED_PX
    if surround is None or small and not ends_straight(decoded.rgb, surround):
        return decoded
    original = surround.rescaled(decoded.rgb.size, (decoded.original_width_px, decoded.original_height_px))
    left, top, right, bottom = original.box
    if min(right - left, bottom - top) < image_input.min_side_px:
        return decoded
    return replace(decoded, rgb=decoded.rgb.crop(surround.box), surround=original)


def _air_dark(decoded: DecodedImage, image_input: ImageInput) -> DecodedImage:
    """A chest film with air dark, and how it lies; other pictures as they are."""
    if not image_input.film:
        return decoded
    pose = film_pose(decoded.rgb)
    return replace(decoded, rgb=ImageChops.invert(decoded.rgb) if pose.inverted else decoded.rgb, pose=pose)


def _decoded(
    data: bytes, image_input: ImageInput, limits: ImageLimits, full_size: bool, presentation: Presentation
) -> DecodedImage:
    """The upload as it is, with all that is around the picture."""
    name = checked_format(data, image_input, limits)
    if name == "DICOM":
        return _decode_dicom(data, image_input, limits, presentation)
    if presentation != AS_STORED:
        refuse_for(name, presentation)
    if name == "PDF":
        return _decode_pdf(data, image_input, limits)
    with refusing_damage(name):
        container = read_container(name, data, limits.max_pixels)
        kind = f"animated {name}" if container.animated else name
        if container.size_px is not None:
            check_pixels(kind, *container.size_px, limits)
        if kind == "WEBP" and container.size_px:
            return _decode_still_webp(container, *container.size_px, image_input)
        with _PLUGINS[name](io.BytesIO(container.data)) as image:
            check_pixels(kind, *image.size, limits)
            orientation = _orientation(image, container)
            width_px, height_px = _upright_size(image.size, orientation)
            check_min_side(width_px, height_px, image_input)
            # A breast or a trunk may fill a small part of its film only, so all its pixels are needed.
            if not (full_size or image_input.cut_to_content):
                _draft(image, orientation, image_input)
            frames = (
                image.n_frames if isinstance(image, _COUNTING) else 1 if name in ONE_FRAME else count_frames(name, data)
            )
            image.load()
            vars(image).pop("_decoder", None)  # AVIF's keeps the pixels a second time
            upright = _upright(to_rgb(image, container), orientation)
    return DecodedImage(upright, width_px, height_px, name, frames=frames)


def _decode_still_webp(container: Container, width_px: int, height_px: int, image_input: ImageInput) -> DecodedImage:
    """Into one buffer; Pillow's plugin plays every WebP as an animation, on three more canvases."""
    import imagecodecs

    width_px, height_px = _upright_size((width_px, height_px), container.orientation)
    check_min_side(width_px, height_px, image_input)
    image = Image.fromarray(imagecodecs.webp_decode(container.data))
    return DecodedImage(_upright(to_rgb(image, container), container.orientation), width_px, height_px, "WEBP")


def _decode_dicom(
    data: bytes, image_input: ImageInput, limits: ImageLimits, presentation: Presentation
) -> DecodedImage:
    header = read_dicom_header(data, presentation.frame)
    width_px, height_px = header.layout.columns_px, header.layout.rows_px
    check_pixels(kind_of_pixels(header), width_px, height_px, limits)
    check_min_side(width_px, height_px, image_input)
    rgb = Image.fromarray(decode_dicom(header, limits.max_pixels, presentation.window)).convert("RGB")
    return DecodedImage(rgb, width_px, height_px, "DICOM", header.facts, header.facts.frames)


def _decode_pdf(data: bytes, image_input: ImageInput, limits: ImageLimits) -> DecodedImage:
    limits.announce("PDF", limits.max_pixels)  # pictures on the page may be so large
    page, pages = (draw_isolated if limits.isolated else render_first_page)(data, limits.max_pixels)
    check_min_side(*page.size, image_input)
    return DecodedImage(page, *page.size, "PDF", frames=pages)


def _upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size[::-1] if orientation >= 5 else size


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = _ORIENTATIONS.get(orientation)
    return image if method is None else image.transpose(method)


def _orientation(image: ImageFile, container: Container) -> int:
    """AVIF's rotation properties are known to its decoder only, which reports them as an EXIF block."""
    return exif_orientation(image.info.get("exif", b"")) if image.format == "AVIF" else container.orientation


def _draft(image: ImageFile, orientation: int, image_input: ImageInput) -> None:
    """Let a large JPEG be decoded at reduced scale; no effect on other formats."""
    needed = _upright_size((image_input.width_px, image_input.height_px), orientation)
    image.draft(None, (_DRAFT_MARGIN * needed[0], _DRAFT_MARGIN * needed[1]))
