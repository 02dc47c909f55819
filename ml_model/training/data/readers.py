"""Data set readers: a folder as its users download it -> samples with label, group and split.

Four layouts are read: any folder with `split.csv` (file, label, group, split, further
columns become attributes), HAM10000 (image folders and HAM10000_metadata.csv), PTB-XL
(ptbxl_database.csv and WFDB records) and class folders `{train,val,test}/<label>/` or
`<label>/`, such as the Kermany chest X-rays and BUSI.
"""

from __future__ import annotations

import ast
import csv
import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ml_model.tasks.registry import DatasetSpec, ImageTask
from ml_model.training.data.near_duplicates import clusters
from ml_model.training.data.samples import Sample
from ml_model.training.data.splits import assign_splits, check_splits

IMAGE_SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
PATIENT_IN_FILE_NAME = re.compile(r"(person\d+|(?:NORMAL2-)?IM-\d+)", re.IGNORECASE)
MASK_MARK = "_mask"  # in the names of lesion outlines, which lie beside the pictures of BUSI
TEST_FOLDERS = frozenset({"test", "testing"})
EXTERNAL = "external"  # split of what no model is trained on, and the folder of such sets
PTB_XL_INDEX = "ptbxl_database.csv"
HAM_ATTRIBUTES = ("dx_type", "age", "sex", "localization")


class DatasetNotFound(ValueError):
    """The folder given by the user holds none of the task's data sets."""


def mask_files(sample: Sample) -> list[Path]:
    """Lesion outlines beside a picture: `<name>_mask.png`, further lesions in `<name>_mask_1.png` and so on."""
    return sorted(sample.path.parent.glob(f"{glob.escape(sample.path.stem)}{MASK_MARK}*.png"))


def find_root(data: Path, dataset: DatasetSpec) -> Path | None:
    """Folder of the data set: below `data`, or `data` itself, by its name or, renamed, by what is in it."""
    names = (dataset.folder, *dataset.also_found_as)
    for name in names:
        if (data / name).is_dir():
            return data / name
    return data if data.name in names or _looks_like(data, names, dataset) else None


def _looks_like(root: Path, names: Sequence[str], dataset: DatasetSpec) -> bool:
    if (root / "split.csv").is_file():
        with (root / "split.csv").open(newline="", encoding="utf-8") as stream:
            first = next(csv.DictReader(stream), None)
        return first is not None and Path(first["file"]).parts[0] in names
    if (root / PTB_XL_INDEX).is_file():
        return dataset.folder == "ptb-xl"
    if any(root.glob("**/HAM10000_metadata*")):
        return dataset.folder == "HAM10000"
    meanings = {codes: [n for n in dataset.labels if dataset.labels[n] == codes] for codes in dataset.labels.values()}
    return any(
        all(any((base / n).is_dir() for n in names) for names in meanings.values())
        for base in (root, root / "train", root / "Training", root / "Data" / "train")
    )


def _from_split_csv(root: Path, dataset: DatasetSpec) -> Iterator[Sample]:
    """A row without a label is left out; a table without splits has none of its own."""
    with (root / "split.csv").open(newline="", encoding="utf-8") as stream:
        for row in (table := csv.DictReader(stream)):
            if missing := {"file", "label", "group"} - set(table.fieldnames or ()):
                raise DatasetNotFound(f"{root}: split.csv has no column {', '.join(sorted(missing))}")
            file, label, group, split = (row.pop(key, None) or "" for key in ("file", "label", "group", "split"))
            if dataset.groups_within_labels:
                group = f"{label}/{group}"
            if label and label not in dataset.ignored_labels:
                yield _sample(dataset, _named_file(root, file), label, group, split, row)


def _named_file(root: Path, file: str) -> Path:
    """The file that split.csv names from the set's folder or from the one above it; a renamed folder is found too, and
    the header of a recording that is named without a suffix."""
    named = [root.parent / file, root / file, root / f"{file}.hea"]
    return next((path for path in named if path.exists()), root / Path(*(Path(file).parts[1:] or [file])))


def _from_ham10000(root: Path, dataset: DatasetSpec) -> Iterator[Sample]:
    images = {p.stem: p for p in sorted(root.rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES}
    metadata = next(p for p in sorted(root.rglob("HAM10000_metadata*")) if p.is_file())
    with metadata.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if path := images.get(row["image_id"]):
                yield _sample(dataset, path, row["dx"], row["lesion_id"], "", {k: row[k] for k in HAM_ATTRIBUTES})


def _from_class_folders(root: Path, dataset: DatasetSpec) -> Iterator[Sample]:
    """Groups are the patients that file names tell, or else clusters of near-duplicate pictures.

    An official test folder is kept, but for clusters that are in its training folder too: they are trained on.
    """
    paths = [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES and path.parent.name in dataset.labels and MASK_MARK not in path.stem
    ]
    patients = [PATIENT_IN_FILE_NAME.match(path.name) for path in paths]
    # The official validation folder of the Kermany set has 16 images: it is trained on instead.
    tested = [not TEST_FOLDERS.isdisjoint(part.lower() for part in path.relative_to(root).parts) for path in paths]
    if any(patients) or not paths:  # test patients are numbered anew
        names = [f"{p.parent.name}-{m.group(1).lower() if m else p.stem}" for p, m in zip(paths, patients, strict=True)]
        names = [f"test-{name}" if test else name for name, test in zip(names, tested, strict=True)]
        copied: set[str] = set()
    else:
        names = [f"cluster-{number}" for number in clusters(paths)]
        copied = {name for name, test in zip(names, tested, strict=True) if not test}
    for path, name, test in zip(paths, names, tested, strict=True):
        yield _sample(dataset, path, path.parent.name, name, "test" if test and name not in copied else "", {})


def _from_ptb_xl(root: Path, dataset: DatasetSpec) -> Iterator[Sample]:
    """Published folds: 1-8 train, 9 validation, 10 test. A record's classes are those of its diagnostic statements."""
    with (root / "scp_statements.csv").open(newline="", encoding="utf-8") as stream:
        superclass = {r[""]: r["diagnostic_class"] for r in csv.DictReader(stream) if r["diagnostic"] == "1.0"}
    with (root / PTB_XL_INDEX).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            header = root / f"{row['filename_lr']}.hea"
            found = {superclass[code] for code in ast.literal_eval(row["scp_codes"]) if code in superclass}
            if not found or not header.is_file():
                continue
            codes = tuple(code for label, codes in dataset.labels.items() if label in found for code in codes)
            fold = int(row["strat_fold"])
            split = "train" if fold <= 8 else "val" if fold == 9 else "test"
            attributes = {"age": row["age"], "sex": {"0": "male", "1": "female"}[row["sex"]]}
            group = f"{dataset.name}/{row['patient_id']}"
            yield Sample(header, dataset.name, "+".join(sorted(found)), codes, group, split, attributes)


def _sample(dataset: DatasetSpec, path: Path, label: str, group: str, split: str, attributes: dict[str, str]) -> Sample:
    """label: one of the data set's, or several with a bar between them, for a task in which all may be true."""
    found = [label] if label in dataset.labels else label.split("|")
    if not set(found) <= set(dataset.labels):
        known = ", ".join(dataset.labels)
        raise DatasetNotFound(f"{path}: label {label!r} is not one of {dataset.name}'s ({known})")
    codes = tuple(code for name, codes in dataset.labels.items() if name in found for code in codes)
    return Sample(path, dataset.name, "+".join(found), codes, f"{dataset.name}/{group}", split, attributes)


def read_dataset(root: Path, dataset: DatasetSpec, seed: int) -> list[Sample]:
    """All samples of one data set; where the set has no split of its own, groups are split 80/10/10."""
    if (root / "split.csv").is_file():
        samples = list(_from_split_csv(root, dataset))
    elif (root / PTB_XL_INDEX).is_file():
        samples = list(_from_ptb_xl(root, dataset))
    elif any(root.rglob("HAM10000_metadata*")):
        samples = list(_from_ham10000(root, dataset))
    else:
        samples = list(_from_class_folders(root, dataset))
    if missing := [s.path for s in samples if not s.path.is_file()]:
        raise DatasetNotFound(f"{root}: {len(missing)} files named in split.csv are missing, first {missing[0].name}")
    return assign_splits(samples, seed)


def read_task(data: Path, task: ImageTask, *, seed: int = 0, limit: int | None = None) -> list[Sample]:
    """Samples of every data set of the task found in `data` (a data set's folder, or their parent).

    limit: keep at most so many samples per split, spread over the classes. Raises
    DatasetNotFound, SplitError.
    """
    roots = {d.name: root for d in task.datasets if (root := find_root(data, d))}
    if not roots:
        wanted = ", ".join(d.folder for d in task.datasets)
        raise DatasetNotFound(f"{data}: none of {wanted} is there; see docs/training.md for the expected folders")
    samples = [s for d in task.datasets if d.name in roots for s in read_dataset(roots[d.name], d, seed)]
    if limit:
        samples = _spread(samples, limit)
    check_splits(samples, task.codes)
    return samples


def read_external(data: Path, task: ImageTask) -> list[Sample]:
    """Samples of the task's external sets found in `data` or in its folder `external`; none where there are none.

    They judge a model and are never trained on. Raises DatasetNotFound where a row of such a set has another split.
    """
    found: list[Sample] = []
    for dataset in task.external:
        names = (dataset.folder, *dataset.also_found_as)
        roots = [base / name for base in (data / EXTERNAL, data) for name in names if (base / name).is_dir()]
        samples = read_dataset(roots[0], dataset, 0) if roots else []
        if wrong := [s for s in samples if s.split != EXTERNAL]:
            where, split = wrong[0].path.name, wrong[0].split
            raise DatasetNotFound(f"{roots[0]}: {where} has the split {split!r}, not {EXTERNAL!r}")
        found += samples
    return found


def _spread(samples: list[Sample], limit: int) -> list[Sample]:
    """At most `limit` samples per split, taken round robin over (source, label)."""
    kept: list[Sample] = []
    for split in ("train", "val", "test"):
        queues: dict[tuple[str, str], list[Sample]] = {}
        for sample in samples:
            if sample.split == split:
                queues.setdefault((sample.source, sample.label), []).append(sample)
        depth = -(-limit // max(1, len(queues)))
        kept += [s for queue in queues.values() for s in queue[:depth]]
    return kept
