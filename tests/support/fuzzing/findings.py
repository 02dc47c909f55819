"""Files that the fuzzer found, made here again at their smallest: each once took minutes, gigabytes or an exception."""

from __future__ import annotations

import imagecodecs
import numpy as np
from dicom_files import compressed, dataset
from pydicom.uid import JPEGLSLossless


def jpeg_ls_without_end(share: float) -> bytes:
    """DICOM of a JPEG-LS stream that is cut: its codec searched for a marker in whatever memory lies behind it."""
    values = np.random.default_rng(0).integers(0, 4096, (128, 128), dtype=np.uint16)
    stream = bytes(imagecodecs.jpegls_encode(values))
    return compressed(dataset(values), JPEGLSLossless, stream[: int(len(stream) * share)])
