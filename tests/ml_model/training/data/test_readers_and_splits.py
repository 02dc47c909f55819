"""Readers of the public layouts, and splits that keep groups together."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ml_model.tasks.registry import DatasetSpec
from ml_model.training.data.readers import DatasetNotFound, find_root, read_dataset
from ml_model.training.data.samples import Sample
from ml_model.training.data.splits import SplitError, assign_splits, check_splits


def dataset(folder: str, labels: dict[str, list[str]], **extra: object) -> DatasetSpec:
    common = {"group_key": "patient", "population": "p", "licence": "l", "citation": "c"}
    return DatasetSpec(name=folder, folder=folder, labels=labels, **common, **extra)


def picture(path: Path, level: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(path)


XRAY = dataset("chest_xray", {"NORMAL": ["normal"], "PNEUMONIA": ["pneumonia"]})


def test_chest_xray_download_keeps_official_test_and_patients_together(tmp_path: Path) -> None:
    for patient in range(20):
        for view in range(3):
            picture(tmp_path / f"chest_xray/train/PNEUMONIA/person{patient}_bacteria_{view}.jpeg")
            picture(tmp_path / f"chest_xray/train/NORMAL/IM-{patient:04}-{view:04}.jpeg")
    picture(tmp_path / "chest_xray/val/NORMAL/NORMAL2-IM-1427-0001.jpeg")
    picture(tmp_path / "chest_xray/test/NORMAL/IM-0001-0001.jpeg")
    picture(tmp_path / "chest_xray/test/PNEUMONIA/person1_virus_6.jpeg")
    samples = read_dataset(tmp_path / "chest_xray", XRAY, seed=0)
    assert len(samples) == 123
    assert {s.path.name for s in samples if s.split == "test"} == {"IM-0001-0001.jpeg", "person1_virus_6.jpeg"}
    assert {s.split for s in samples} == {"train", "val", "test"}
    splits_of = defaultdict(set)
    for s in samples:
        splits_of[s.group].add(s.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert sum(s.split == "val" for s in samples) in range(9, 16)
    check_splits(samples, ("normal", "pneumonia"))


def test_ham10000_download_is_split_by_lesion(tmp_path: Path) -> None:
    rows = []
    for lesion in range(30):
        for view in range(2):
            image = f"ISIC_{lesion:04}{view}"
            picture(tmp_path / f"HAM10000_images_part_{view + 1}/{image}.jpg")
            rows.append([f"HAM_{lesion}", image, "mel" if lesion % 3 else "nv", "histo", "60", "male", "back"])
    with (tmp_path / "HAM10000_metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"], *rows])
    ham = dataset("HAM10000", {"mel": ["mel"], "nv": ["nv"]})
    samples = read_dataset(tmp_path, ham, seed=3)
    assert len(samples) == 60
    assert samples[0].attributes == {"dx_type": "histo", "age": "60", "sex": "male", "localization": "back"}
    check_splits(samples, ("mel", "nv"))
    assert read_dataset(tmp_path, ham, seed=3) == samples
    assert find_root(tmp_path, ham) == tmp_path
    assert find_root(tmp_path, XRAY) is None


def test_busi_masks_are_not_pictures(tmp_path: Path) -> None:
    for label in ("benign", "malignant", "normal"):
        for n in range(12):
            picture(tmp_path / f"Dataset_BUSI_with_GT/{label}/{label} ({n}).png")
            picture(tmp_path / f"Dataset_BUSI_with_GT/{label}/{label} ({n})_mask.png")
    busi = dataset("Dataset_BUSI_with_GT", {"normal": ["b1"], "benign": ["b2", "b3"], "malignant": ["b4"]})
    samples = read_dataset(tmp_path / "Dataset_BUSI_with_GT", busi, seed=0)
    assert len(samples) == 36
    assert samples[0].codes == ("b2", "b3")


def scan(path: Path, seed: int, shade: int = 0) -> None:
    """A picture with structure of its own; `shade` changes its pixels and not what it shows."""
    cells = np.random.default_rng(seed).integers(0, 200, (16, 17, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((cells.repeat(8, axis=0).repeat(8, axis=1) + shade).astype(np.uint8)).save(path)


def test_near_duplicates_share_a_group_and_copies_of_test_pictures_are_trained_on(tmp_path: Path) -> None:
    brain = dataset("brain_mri", {"glioma": ["g"], "none": ["n"]})
    for n in range(40):
        scan(tmp_path / f"Data/Training/{('glioma', 'none')[n % 2]}/{n}.png", n)
    for n in (0, 1, 2):  # copies of training pictures, a little brighter
        scan(tmp_path / f"Data/Testing/{('glioma', 'none')[n % 2]}/copy{n}.png", n, shade=9)
    for n in (100, 101):
        scan(tmp_path / f"Data/Testing/{('glioma', 'none')[n % 2]}/{n}.png", n)
    samples = read_dataset(tmp_path, brain, seed=0)
    by_name = {s.path.stem: s for s in samples}
    assert {s.path.stem for s in samples if s.split == "test"} == {"100", "101"}
    assert [by_name[f"copy{n}"].group for n in range(3)] == [by_name[str(n)].group for n in range(3)]
    assert len({s.group for s in samples}) == 42
    check_splits(samples, ("g", "n"))


def test_a_renamed_folder_is_known_by_its_labels_and_a_parent_of_others_is_not(tmp_path: Path) -> None:
    two_spellings = dataset("ct", {"benign": ["b"], "Bengin cases": ["b"], "normal": ["n"]})
    for name in ("Bengin cases", "normal"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    assert find_root(tmp_path / "mine", two_spellings) == tmp_path / "mine"
    assert find_root(tmp_path, two_spellings) is None


def test_ignored_labels_are_left_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"chest_xray/{name}.png")
    rows = "file,label,group,split\nchest_xray/a.png,NORMAL,g1,val\nchest_xray/b.png,COVID,g2,val\n"
    (tmp_path / "chest_xray/split.csv").write_text(rows)
    ignoring = XRAY.model_copy(update={"ignored_labels": ("COVID",)})
    assert [s.path.name for s in read_dataset(tmp_path / "chest_xray", ignoring, seed=0)] == ["a.png"]


def test_split_csv_gives_split_group_and_attributes(tmp_path: Path) -> None:
    picture(tmp_path / "chest_xray/a.png")
    (tmp_path / "chest_xray/split.csv").write_text("file,label,group,split,view\nchest_xray/a.png,NORMAL,g1,val,PA\n")
    (sample,) = read_dataset(tmp_path / "chest_xray", XRAY, seed=0)
    assert (sample.group, sample.split, sample.attributes) == ("chest_xray/g1", "val", {"view": "PA"})
    assert find_root(tmp_path, XRAY) == tmp_path / "chest_xray"


def test_split_csv_may_name_files_from_its_own_folder(tmp_path: Path) -> None:
    root = tmp_path / "chest_xray"
    picture(root / "opacity" / "1.png")
    (root / "split.csv").write_text("file,label,group,split\nopacity/1.png,PNEUMONIA,1,train\n")
    assert [s.path for s in read_dataset(root, XRAY, seed=0)] == [root / "opacity" / "1.png"]


def test_groups_may_be_numbered_anew_in_each_label(tmp_path: Path) -> None:
    rows = ["file,label,group,split"]
    for label in XRAY.labels:
        picture(tmp_path / "chest_xray" / label / "1.png")
        rows.append(f"{label}/1.png,{label},1,train")
    (tmp_path / "chest_xray" / "split.csv").write_text("\n".join(rows))
    apart = XRAY.model_copy(update={"groups_within_labels": True})
    names = [[s.group for s in read_dataset(tmp_path / "chest_xray", d, seed=0)] for d in (XRAY, apart)]
    assert names == [["chest_xray/1"] * 2, ["chest_xray/NORMAL/1", "chest_xray/PNEUMONIA/1"]]


def test_unknown_label_and_missing_file_are_said(tmp_path: Path) -> None:
    root = tmp_path / "chest_xray"
    root.mkdir()
    (root / "split.csv").write_text("file,label,group,split\nchest_xray/a.png,COVID,g1,val\n")
    with pytest.raises(
        DatasetNotFound, match=r"a\.png: label 'COVID' is not one of chest_xray's \(NORMAL, PNEUMONIA\)"
    ):
        read_dataset(root, XRAY, seed=0)
    (root / "split.csv").write_text("file,label,group,split\nchest_xray/a.png,NORMAL,g1,val\n")
    with pytest.raises(DatasetNotFound, match=r"1 files named in split\.csv are missing, first a\.png"):
        read_dataset(root, XRAY, seed=0)


def sample(group: str, label: str, split: str = "") -> Sample:
    return Sample(Path(f"{group}.png"), "s", label, (label,), group, split)


def test_a_leaking_group_is_named() -> None:
    with pytest.raises(SplitError, match=r"1 groups are in two splits, first g1 \(in test and train\)"):
        check_splits([sample("g1", "a", "train"), sample("g1", "a", "test")], ("a",))


def test_a_class_missing_from_a_split_is_named() -> None:
    samples = [sample("g1", "a", "train"), sample("g2", "b", "train"), sample("g3", "a", "val")]
    with pytest.raises(SplitError, match="split val has no sample of b"):
        check_splits([*samples, sample("g4", "a", "test"), sample("g5", "b", "test")], ("a", "b"))


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=1, max_size=200), st.integers(0, 5))
def test_assigned_splits_never_cut_a_group(pairs: list[tuple[int, str]], seed: int) -> None:
    samples = assign_splits([sample(f"g{g}", label) for g, label in pairs], seed)
    split_of: dict[str, str] = {}
    for s in samples:
        assert s.split in ("train", "val", "test")
        assert split_of.setdefault(s.group, s.split) == s.split
