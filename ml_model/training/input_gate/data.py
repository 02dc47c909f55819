"""What the input gate learns from: the pictures of every task, everyday photographs, and drawn documents and noise."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ml_model.input_gate.modality_classifier import OTHER
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.training.augmentation.synthetic_negatives import KINDS, draw_other
from ml_model.training.data.ecg_pages import with_page_styles
from ml_model.training.data.readers import DatasetNotFound, read_task
from ml_model.training.data.samples import DRAWN, Sample

NATURAL_FOLDER = "natural_images"
# Pictures kept of each kind, and of each kind of drawn picture. The test pictures of the tasks are all kept.
MOST = {"train": 800, "val": 250}
DRAWN_EACH = {"train": 200, "val": 40, "test": 200}
VAL_SHARE = 0.2  # of the photographs that the split trains on


def gate_samples(data: Path, drawn_dir: Path, limit: int | None = None) -> list[Sample]:
    """Samples labelled by kind. `source` is the data set, or the kind of drawn picture.

    limit: at most so many of each kind and split. Raises DatasetNotFound when a task's data or the photographs are
    missing.
    """
    samples = [s for task in load_image_tasks() for s in _of_task(task, data)]
    samples += [*_natural(data), *_drawn(drawn_dir, limit)]
    most = MOST if limit is None else dict.fromkeys((*MOST, "test"), limit)
    return [
        s for kind in sorted({s.label for s in samples}) for s in _spread([x for x in samples if x.label == kind], most)
    ]


def _of_task(task: ImageTask, data: Path) -> Iterator[Sample]:
    modality = task.input.modality
    for sample in with_page_styles(read_task(data, task), per_record=1):
        # Half of the ECG pages are photographed.
        photographed = bool(sample.look and sample.look % 2)
        yield replace(sample, label=modality, codes=(modality,), photographed=photographed, attributes={})


def _natural(data: Path) -> Iterator[Sample]:
    root = data / NATURAL_FOLDER
    if not (root / "split.csv").is_file():
        raise DatasetNotFound(f"{data}: no {NATURAL_FOLDER}/split.csv; the gate needs photographs of everyday things")
    with (root / "split.csv").open(newline="", encoding="utf-8") as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            split = "val" if row["split"] == "train" and number % round(1 / VAL_SHARE) == 0 else row["split"]
            path = root / Path(row["file"]).name
            yield Sample(path, "photographs", OTHER, (OTHER,), f"photograph/{row['group']}", split)


def _drawn(folder: Path, limit: int | None) -> Iterator[Sample]:
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        first = 0
        for split, count in DRAWN_EACH.items():
            for seed in range(first, first + min(count, limit or count)):
                path = folder / f"{kind}-{seed}.png"
                if not path.is_file():
                    cv2.imwrite(str(path), draw_other(kind, seed)[..., ::-1])
                yield Sample(path, f"{DRAWN}{kind}", OTHER, (OTHER,), path.stem, split)
            first += count


def _spread(samples: Sequence[Sample], most: dict[str, int]) -> Iterator[Sample]:
    """At most so many of each split; of other pictures, which are of many sorts, twice as many."""
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        found = [s for s in samples if s.split == split]
        count = most.get(split, len(found)) * (2 if samples[0].label == OTHER else 1)
        chosen = rng.permutation(len(found))[:count]
        yield from (found[i] for i in sorted(chosen))
