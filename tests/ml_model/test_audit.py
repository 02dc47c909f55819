"""The audit finds what would make held-out figures a lie, and its exit code says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from beats import write_ptb_xl
from PIL import Image

from ml_model.audit import main


def picture(path: Path, seed: int, *, brighter: int = 0) -> None:
    """A smooth random picture, the same for the same seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 200, (9, 9), dtype=np.uint8) + np.uint8(brighter)
    Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Clean: 30 patients, each in one split."""
    rows = ["file,label,group,split"]
    for n in range(30):
        label, split = ("NORMAL", "PNEUMONIA")[n % 2], ("train", "train", "train", "val", "test")[n % 5]
        picture(tmp_path / f"chest_xray/{n}.png", n)
        rows.append(f"chest_xray/{n}.png,{label},p{n},{split}")
    (tmp_path / "chest_xray/split.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "chest_xray"


def add(data: Path, row: str) -> None:
    with (data / "split.csv").open("a") as stream:
        stream.write(row + "\n")


def test_clean_data_pass(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(data)]) == 0
    report = capsys.readouterr().out
    assert "train  NORMAL                    9" in report
    assert "exact duplicates: 0" in report
    assert "no leakage found" in report


def test_a_patient_on_both_sides_fails(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(data / "extra.png", 99)
    add(data, "chest_xray/extra.png,NORMAL,p0,test")
    assert main([str(data)]) == 1
    assert "groups in two splits: 1" in capsys.readouterr().out


def test_a_copy_under_another_name_fails(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(data / "copy.png", 0)
    add(data, "chest_xray/copy.png,NORMAL,p77,test")
    assert main([str(data)]) == 1
    report = capsys.readouterr().out
    assert "exact duplicates between training and held-out pictures: 1" in report
    assert "LEAKAGE" in report


def test_a_brighter_copy_is_reported_as_near(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(data / "copy.png", 0, brighter=20)
    add(data, "chest_xray/copy.png,NORMAL,p77,test")
    assert main([str(data)]) == 0
    report = capsys.readouterr().out
    assert "pictures of different groups: 1" in report
    assert "0.png ~ copy.png" in report


def test_an_unknown_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "holds no data set that a task file names" in capsys.readouterr().err


def test_recordings_are_audited_by_their_signals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_ptb_xl(tmp_path, records=60)
    assert main([str(root)]) == 0
    report = capsys.readouterr().out
    assert "train  NORM                     10" in report
    assert "exact duplicates between training and held-out recordings: 0" in report
    assert "near duplicates between training and held-out recordings of different groups: not looked for" in report
    assert "no leakage found" in report


def test_a_recording_under_two_patients_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_ptb_xl(tmp_path, records=60)
    records = root / "records100" / "00000"
    for copy in ("00050_lr", "00045_lr"):  # of record 0, in fold 1: in fold 1 too, and in the test split, fold 10
        header = (records / "00000_lr.hea").read_text().replace("00000_lr", copy)
        (records / f"{copy}.hea").write_text(header)
        (records / f"{copy}.dat").write_bytes((records / "00000_lr.dat").read_bytes())
    assert main([str(root)]) == 1
    report = capsys.readouterr().out
    assert "exact duplicates: 2" in report
    assert "exact duplicates between training and held-out recordings: 2" in report


def test_a_file_that_is_no_picture_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "broken.png").write_text("no picture")
    add(data, "chest_xray/broken.png,NORMAL,p88,train")
    assert main([str(data)]) == 2
    assert f"error: {data / 'broken.png'}: " in capsys.readouterr().err
