"""What the fuzzer found stays found: each file is refused or answered soon, for the reason that it has."""

from __future__ import annotations

import time

import pytest
from fuzzing.findings import jpeg_ls_without_end

from ml_model.errors import UnreadableInput
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageInput

INPUT = ImageInput(modality="film", height_px=32, width_px=48, min_side_px=1)
SOON_S = 5.0  # what took half a minute or more takes milliseconds; a busy machine may take its time


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_jpeg_ls_stream_without_an_end(share: float) -> None:
    assert load_image(jpeg_ls_without_end(1), INPUT).pixels.shape == (32, 48, 3)
    started = time.monotonic()
    with pytest.raises(UnreadableInput, match="cannot be decoded"):
        load_image(jpeg_ls_without_end(share), INPUT)
    assert time.monotonic() - started < SOON_S
