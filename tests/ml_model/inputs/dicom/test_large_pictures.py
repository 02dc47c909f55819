"""JPEG 2000 of more pixels than any model needs: decoded at half its scale, with the same grey values."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from dicom_files import compressed, dataset, shown
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import JPEG2000, JPEG2000Lossless

from ml_model.errors import TooCostly
from ml_model.inputs.dicom import pixels
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageInput

INPUT = ImageInput(modality="film", height_px=32, width_px=48, min_side_px=1)
WINDOW = {"WindowCenter": 2**15, "WindowWidth": 2**16}


@pytest.fixture(autouse=True)
def _few_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_HALVED_ABOVE_PIXELS", 64 * 96 - 1)


def film(values: NDArray[np.unsignedinteger[Any]], resolutions: int = 3, **header: object) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(values)
    image.save(stream, "JPEG2000", irreversible=False, no_jp2=True, num_resolutions=resolutions)
    return compressed(dataset(values, **(WINDOW | header)), JPEG2000Lossless, stream.getvalue())


def slope(rows: int, columns: int) -> NDArray[np.uint16]:
    return (np.arange(rows)[:, None] * 300 + np.arange(columns) * 400).astype(np.uint16)


def test_a_large_one_comes_at_half_its_scale_with_its_own_levels_and_size() -> None:
    values = slope(64, 96)
    halved = shown(film(values))
    assert halved.shape == (32, 48)
    assert np.abs(halved.astype(int) - (values[::2, ::2] >> 8)).max() <= 2
    loaded = load_image(film(values), INPUT)
    assert (loaded.original_width_px, loaded.original_height_px) == (96, 64)


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("lossy", [False, True])
def test_a_large_one_of_signed_values_too(bits: int, lossy: bool) -> None:
    values = (slope(64, 96) - 2**15).astype(np.int16) >> 16 - bits
    how = {"level": 90, "reversible": False} if lossy else {"level": 0, "reversible": True}
    code = imagecodecs.jpeg2k_encode(values, codecformat="j2k", bitspersample=bits, **how)
    told = {"BitsStored": bits, "HighBit": bits - 1, "WindowCenter": 0, "WindowWidth": 2**bits}
    halved = shown(compressed(dataset(values, **told), JPEG2000, code))
    assert halved.shape == (32, 48)
    assert np.abs(halved.astype(int) - ((values[::2, ::2] >> bits - 8) + 128)).max() <= 2


def test_smaller_ones_come_whole() -> None:
    assert shown(film(slope(63, 96))).shape == (63, 96)


@pytest.mark.parametrize(
    "made",
    [
        film(slope(64, 96), resolutions=1),
        film(slope(64, 96), PixelRepresentation=1),
        film(slope(64, 96), BitsStored=12, HighBit=11),
        film(np.zeros((64, 96, 3), np.uint8)),
    ],
)
def test_others_would_take_too_much_whole(made: bytes) -> None:
    with pytest.raises(TooCostly, match="export it uncompressed or as JPEG"):
        shown(made)


def test_numbers_of_colours_are_not_mixed() -> None:
    numbers = (np.arange(64)[:, None] % 2 * 200 + np.zeros(96, int)).astype(np.uint8)  # every other row is white
    tables: dict[str, object] = {}
    for colour in ("Red", "Green", "Blue"):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tables[f"{colour}PaletteColorLookupTableData"] = (np.arange(256) // 200 * 0xFFFF).astype("<u2").tobytes()
    with pytest.raises(TooCostly):
        shown(film(numbers, PhotometricInterpretation="PALETTE COLOR", **tables))
    smaller = film(numbers[:63], PhotometricInterpretation="PALETTE COLOR", **tables)
    assert shown(smaller)[:2, 0].tolist() == [[0, 0, 0], [255, 255, 255]]
