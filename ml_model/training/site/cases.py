"""The cases of a site: a folder in a layout that the readers know, in any labels that the task has a name for."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from ml_model.tasks.registry import DatasetSpec, ImageTask
from ml_model.training.data.readers import (
    EXTERNAL,
    IMAGE_SUFFIXES,
    MASK_MARK,
    PTB_XL_INDEX,
    DatasetNotFound,
    read_dataset,
)
from ml_model.training.data.samples import Sample

SITE = "this site"
Codes = tuple[str, ...]


@dataclass(frozen=True)
class SiteCases:
    """task: as declared, with the site's labels as its one set of another place, which is called SITE. left_out: how
    many rows have no label, or one that the task's data sets ignore."""

    task: ImageTask
    samples: tuple[Sample, ...]
    left_out: int


def read_cases(data: Path, task: ImageTask) -> SiteCases:
    """All labelled cases below `data`, whatever split they are in. Raises DatasetNotFound where there are none, or
    where a label is not known, or may mean two things."""
    if (data / PTB_XL_INDEX).is_file() or any(data.rglob("HAM10000_metadata*")):
        labels, left_out = dict(task.datasets[0].labels), 0
    else:
        written = _written(data)
        ignored = {label for d in task.datasets for label in d.ignored_labels} | {""}
        left_out = sum(count for label, count in written.items() if label in ignored)
        labels = _read(data, task, Counter({label: n for label, n in written.items() if label not in ignored}))
    if not labels:
        raise DatasetNotFound(f"{data}: holds no case with a label of the task {task.id}")
    spec = _spec(task, labels)
    samples = [
        replace(s, split=EXTERNAL, group=s.group if s.group != f"{SITE}/" else f"{SITE}/{s.path}")
        for s in read_dataset(data, spec, seed=0)
    ]
    _require_kind(data, task, samples)
    used = {code for s in samples for code in s.codes}
    present = _spec(task, _named(task, {name: own for name, own in labels.items() if set(own) <= used}))
    return SiteCases(task.model_copy(update={"external": (present,)}), tuple(samples), left_out)


def _spec(task: ImageTask, labels: Mapping[str, Codes]) -> DatasetSpec:
    return DatasetSpec(
        name=SITE, folder=SITE, group_key="as the site says", population="the site's own cases",
        licence="the site's own", citation="the site's own", labels=dict(labels),
        ignored_labels=tuple(label for d in task.datasets for label in d.ignored_labels),
    )  # fmt: skip


def _written(data: Path) -> Counter[str]:
    """Every label as it is written, with the number of its files: of split.csv, else of the folders."""
    if (data / "split.csv").is_file():
        with (data / "split.csv").open(newline="", encoding="utf-8") as stream:
            return Counter(row.get("label") or "" for row in csv.DictReader(stream))
    paths = [p for p in data.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and MASK_MARK not in p.stem]
    if not paths:
        raise DatasetNotFound(
            f"{data}: holds neither split.csv (file,label,group) nor pictures in folders that are called by their label"
        )
    return Counter(path.parent.name for path in paths)


def _vocabulary(task: ImageTask) -> dict[str, set[Codes]]:
    """By name in small letters: what it stands for. Codes and names of classes, labels of data sets."""
    known: dict[str, set[Codes]] = {}
    for spec in task.classes:
        for name in (spec.code, spec.name):
            known.setdefault(name.casefold(), set()).add((spec.code,))
    for dataset in (*task.datasets, *task.external):
        for name, codes in dataset.labels.items():
            known.setdefault(name.casefold(), set()).add(tuple(sorted(codes, key=task.codes.index)))
    return known


def _read(data: Path, task: ImageTask, written: Counter[str]) -> dict[str, Codes]:
    """What each label as written stands for."""
    known, labels, unknown = _vocabulary(task), dict[str, Codes](), Counter[str]()
    for label, count in written.items():
        several = task.multi_label and label.casefold() not in known
        for name in label.split("|") if several else [label]:
            meant = known.get(name.strip().casefold(), set())
            if len(meant) == 1:
                labels[name] = next(iter(meant))
            else:
                unknown[name] += count
    if unknown:
        got = ", ".join(f"{name!r:.60} ({count})" for name, count in unknown.most_common(8))
        raise DatasetNotFound(
            f"{data}: received the labels {got}; {task.id} knows {', '.join(_expected(task))}, and the names of its "
            "classes"
        )
    if not task.multi_label:
        for (a, of_a), (b, of_b) in combinations(labels.items(), 2):
            if set(of_a) != set(of_b) and set(of_a) & set(of_b):
                raise DatasetNotFound(f"{data}: the labels {a!r} and {b!r} overlap; call all cases by the coarser one")
    return labels


def _expected(task: ImageTask) -> list[str]:
    of_sets = (label for d in (*task.datasets, *task.external) for label in d.labels)
    return list(dict.fromkeys((*of_sets, *task.codes)))


def _named(task: ImageTask, labels: Mapping[str, Codes]) -> dict[str, Codes]:
    """Each meaning once, by the name that the task's data sets have for it where they have one."""
    own = {frozenset(codes): name for name, codes in task.measured_labels.items()}
    return {
        own.get(meaning, name): labels[name] for meaning, name in {frozenset(c): n for n, c in labels.items()}.items()
    }


def _require_kind(data: Path, task: ImageTask, samples: list[Sample]) -> None:
    recordings = sum(s.path.suffix == ".hea" for s in samples)
    if recordings == (len(samples) if task.signal else 0):
        return
    taken = "recordings, named by their WFDB headers (.hea) in split.csv" if task.signal else "pictures"
    raise DatasetNotFound(
        f"{data}: {task.id} is measured on {taken}; received {recordings} recordings and "
        f"{len(samples) - recordings} pictures"
    )
