"""Stored values of every width and sign become grey levels in order, in little memory."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from dicom_files import dataset, grey, ramp, shown, write
from pictures import extra_bytes


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_the_ends_of_every_width_are_black_and_white(dtype: type) -> None:
    ends = np.iinfo(dtype)
    middle = (int(ends.min) + int(ends.max) + 1) // 2
    made = dataset(ramp(ends.min, middle, ends.max, dtype=dtype), Modality="CT", BitsAllocated=ends.bits)
    assert grey(write(made)) == [[0, 128, 255]]
    above = dataset(ramp(middle, ends.max, dtype=dtype), Modality="CT", BitsAllocated=ends.bits)
    assert grey(write(above)) == [[0, 255]]


@pytest.mark.skipif(sys.platform != "linux", reason="the highest memory of a process is read from /proc")
def test_a_deep_film_is_not_copied_at_four_bytes_a_pixel() -> None:
    """The file, its stored values, their levels as grey: 7 bytes a pixel and what pydicom copies; it was 14."""
    data = write(dataset((np.arange(2000 * 2000) % 60_000).astype(np.uint16).reshape(2000, 2000)))
    shown(data)
    assert extra_bytes(lambda: shown(data)) < 10 * 2000 * 2000
