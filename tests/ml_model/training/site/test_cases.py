"""A site's folder: which labels are understood, and what is said of those that are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import image_task

from ml_model.training.data.labels import label_space
from ml_model.training.data.readers import DatasetNotFound
from ml_model.training.site.cases import SITE, read_cases


def write_pictures(root: Path, names: list[str]) -> None:
    for n, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(n).integers(0, 256, (9, 8), dtype=np.uint8)
        Image.fromarray(pixels).resize((72, 64)).save(path)


def table(root: Path, *rows: str, head: str = "file,label,group") -> None:
    (root / "split.csv").write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")


def test_labels_codes_and_names_of_classes_are_read_whatever_their_case(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png", "b.png", "c.png", "d.png"])
    table(tmp_path, "a.png,Malignant,p1", "b.png,benign,p1", 'c.png,"BI-RADS 1: Negative",', "d.png,,p3")
    cases = read_cases(tmp_path, image_task("breast"))
    assert [(s.label, s.codes, s.group, s.split) for s in cases.samples] == [
        ("Malignant", ("birads_4", "birads_5", "birads_6"), f"{SITE}/p1", "external"),
        ("benign", ("birads_2", "birads_3"), f"{SITE}/p1", "external"),
        ("BI-RADS 1: Negative", ("birads_1",), f"{SITE}/{tmp_path / 'c.png'}", "external"),
    ]
    assert cases.left_out == 1
    assert label_space(cases.task, SITE).names == ("birads_1", "benign", "malignant")


def test_folders_are_labels_and_near_duplicates_are_one_group(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["benign/a.png", "malignant/b.png", "malignant/b_mask.png"])
    Image.open(tmp_path / "malignant/b.png").save(tmp_path / "malignant/c.jpg", quality=95)
    found = {s.path.name: (s.label, s.group) for s in read_cases(tmp_path, image_task("breast")).samples}
    assert set(found) == {"a.png", "b.png", "c.jpg"}
    assert found["b.png"] == found["c.jpg"] != found["a.png"]


def test_only_the_labels_that_occur_are_measured(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png", "b.png"])
    table(tmp_path, "a.png,malignant,p1", "b.png,Bengin cases,p2")
    cases = read_cases(tmp_path, image_task("lung-ct"))
    assert (len(cases.samples), cases.left_out) == (1, 1)  # the set that knows benign nodules leaves them out
    assert label_space(cases.task, SITE).names == ("malignant",)


@pytest.mark.parametrize(
    ("task", "rows", "head", "said"),
    [
        (
            "breast",
            ["a.png,cyst,p1", "a.png,cyst,p2"],
            "file,label,group",
            r"received the labels 'cyst' \(2\); breast know",
        ),
        ("breast", ["a.png,malignant"], "file,label", "split.csv has no column group"),
        ("breast", ["a.png,malignant,1", "b.png,birads_5,2"], "file,label,group", "'malignant' and 'birads_5' overlap"),
        ("breast", ["no.png,malignant,1"], "file,label,group", "1 files named in split.csv are missing, first no.png"),
        ("breast", ["a.png,,1"], "file,label,group", "holds no case with a label of the task breast"),
        ("heart", ["a.png,NORM,1"], "file,label,group", r"recordings, .* received 0 recordings and 1 pictures"),
        ("heart", ["a.png,MI|AF,1"], "file,label,group", r"labels 'AF' \(1\); heart knows NORM, MI"),
    ],
)
def test_what_cannot_be_measured_is_said(tmp_path: Path, task: str, rows: list[str], head: str, said: str) -> None:
    write_pictures(tmp_path, ["a.png", "b.png"])
    table(tmp_path, *rows, head=head)
    with pytest.raises(DatasetNotFound, match=said):
        read_cases(tmp_path, image_task(task))


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"holds neither split.csv \(file,label,group\) nor pictures in folders"):
        read_cases(tmp_path, image_task("breast"))
