"""DICOM files for tests, written by pydicom, and what they look like decoded."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from ml_model.inputs.dicom.header import read_dicom_header
from ml_model.inputs.dicom.pixels import decode_dicom

MAX_PIXELS = 50_000_000


def dataset(pixels: NDArray[np.integer], **changes: object) -> Dataset:
    """A radiograph of these stored values; None removes an element."""
    made = Dataset()
    made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.SOPInstanceUID = "1.2.3"
    made.Modality = "DX"
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    made.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = pixels.dtype.itemsize * 8
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.tobytes()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made["PixelData"].VR = "OW" if made.BitsAllocated > 8 else "OB"
    for name, value in changes.items():
        if value is None:
            delattr(made, name)
        else:
            setattr(made, name, value)
    return made


def write(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.get("SOPClassUID", "1.2.3")
    made.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def compressed(made: Dataset, syntax: str, *frames: bytes) -> bytes:
    made.PixelData = encapsulate(list(frames))
    made["PixelData"].is_undefined_length = True
    made["PixelData"].VR = "OB"
    return write(made, syntax)


def shown(data: bytes, frame: int | None = None, window: str | None = None) -> NDArray[np.uint8]:
    """Grey or RGB at full size."""
    return decode_dicom(read_dicom_header(data, frame), MAX_PIXELS, window)


def grey(data: bytes) -> list[list[int]]:
    levels = shown(data)
    assert (levels.dtype, levels.ndim) == (np.uint8, 2)
    return levels.tolist()


def ramp(*values: int, dtype: type = np.uint16) -> NDArray[np.integer]:
    return np.array([values], dtype)


def frames_of(*levels: int, rows_px: int = 4, columns_px: int = 6) -> Dataset:
    """A frame of each of these levels, flat, in 8 bits."""
    made = dataset(np.zeros((rows_px, columns_px), np.uint8), NumberOfFrames=len(levels))
    made.PixelData = b"".join(bytes([level]) * (rows_px * columns_px) for level in levels)
    return made


def ct_slice(hounsfield: NDArray[np.integer], **changes: object) -> bytes:
    """Signed values that are Hounsfield units, as CT devices write them: 1024 higher, with a rescale."""
    told = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 0, "WindowWidth": 2000}
    return write(dataset((hounsfield + 1024).astype(np.int16), **(told | changes)))


def look_up_table(first: int, bits: int, *values: int) -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(values), first, bits])
    item.add_new(0x00283006, "OW", np.array(values, "<u2").tobytes())
    return Sequence([item])


def jpeg(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=100, subsampling=0, **options)
    return stream.getvalue()
