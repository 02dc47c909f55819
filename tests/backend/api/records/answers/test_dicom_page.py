"""The lines of docs/dicom.md, run as they stand there: frames and windows of a CT series, and a look at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from dicom_files import dataset, write
from PIL import Image
from records.documented import run_lines

from backend.app import Application

ROW = np.array([-1350, -600, 0, 40, 150] * 30, np.int16)


def test_the_lines_of_the_page(make_records_app: Callable[..., Application], tmp_path: Path) -> None:
    app, folder = make_records_app(tmp_path), tmp_path / "somebody"
    folder.mkdir()
    slices = np.stack([np.tile(ROW + 50 * n, (150, 1)) + 1024 for n in range(3)]).astype(np.int16)
    made = dataset(slices[0], NumberOfFrames=3, Modality="CT", BodyPartExamined="CHEST", PixelSpacing=[0.7, 0.7])
    made.RescaleSlope, made.RescaleIntercept, made.PixelData = 1, -1024, slices.tobytes()
    (folder / "ct.dcm").write_bytes(write(made))
    run_lines("dicom.md", app, folder)
    asked, lung, figures = (json.loads((folder / f"{n}.json").read_text("utf-8")) for n in ("asked", "lung", "figures"))
    assert lung["all_predictions"] == figures["all_predictions"]
    assert lung["provenance"]["input_sha256"] == asked["provenance"]["input_sha256"]
    assert lung["input_check"]["dicom"] == asked["input_check"]["dicom"] == [{
        "modality": "CT", "body_part": "CHEST", "view": None, "laterality": None, "pixel_spacing_mm": [0.7, 0.7],
        "frame": 2, "frames": 3,
    }]  # fmt: skip
    with Image.open(folder / "soft.png") as image:
        levels = np.asarray(image)
    expected = np.rint(np.clip((ROW + 100 - 39.5) / 399 + 0.5, 0, 1) * 255)
    assert (levels.shape, np.abs(levels[0] - expected).max() <= 1) == ((150, 150), True)
