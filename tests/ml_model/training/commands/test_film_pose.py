"""The command that fits and measures how a chest film is told to lie."""

from __future__ import annotations

import re
import shutil
from itertools import product
from pathlib import Path

import pytest
from pictures import chest_film
from PIL import Image

from ml_model.inference.bundle import MODELS_DIR
from ml_model.input_gate.modality_classifier import BUNDLE_ID
from ml_model.training.commands.film_pose import main
from ml_model.training.data.splits import SPLITS


def test_weights_are_fitted_and_compared_and_films_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["file,label,group,split"]
    for number, (split, label) in enumerate(product(SPLITS, ("NORMAL", "PNEUMONIA"))):
        name = f"{split}/{label}/IM-{number:04d}.png"
        path = tmp_path / "data" / "chest_xray" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chest_film(number)).save(path)
        rows.append(f"{name},{label},{number},{split}")
    (tmp_path / "data" / "chest_xray" / "split.csv").write_text("\n".join(rows), encoding="utf-8")
    shutil.copytree(MODELS_DIR / BUNDLE_ID, tmp_path / "models" / BUNDLE_ID)
    assert main(["--data", str(tmp_path / "data"), "--models", str(tmp_path / "models")]) == 0
    out = capsys.readouterr().out
    assert [len(line.split(", ")) for line in out.splitlines()[:16]] == [16] * 16
    assert re.search(r"\ndiffer from those that are served by at most [1-9]\d* thousandths\n", out)
    for inverted, turns in product(("positive", "inverted"), (0, 90, 180, 270)):
        assert f"| {inverted}, turned by {turns} degrees: told so | 2 | 1.000 " in out
        assert f"| {inverted}, turned by {turns} degrees: polarity right | 2 | 1.000 " in out
    assert "| films, inverted: taken only when put right, from 0.98 | 2 | " in out
    assert "| films, as they are: of these not called inverted, and another kind when inverted | 2 | 0.000 " in out
    assert "pictures of" not in out
