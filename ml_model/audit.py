"""Audit a data set before training on it.

    python -m ml_model.audit ml_model/Dataset/HAM10000

Reports counts per split and label, exact duplicates (same pixels), near duplicates (difference
hash within 4 of 64 bits) and groups in two splits. Exits 1 when the test or validation split
leaks into training: a group, or an exact duplicate, on both sides.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.tasks.registry import load_image_tasks
from ml_model.training.data.near_duplicates import difference_hash, distances, hash_pixels
from ml_model.training.data.readers import DatasetNotFound, find_root, read_dataset
from ml_model.training.data.samples import Sample

NEAR_BITS = 4


@dataclass(frozen=True)
class Audit:
    """What was found. Pairs are (training picture, held-out picture)."""

    counts: dict[tuple[str, str], int]  # (split, label)
    exact_duplicates: int
    leaking_exact: list[tuple[Sample, Sample]]
    leaking_near: list[tuple[Sample, Sample]]
    leaking_groups: list[str]

    @property
    def leaks(self) -> bool:
        """Whether held-out figures could not be believed."""
        return bool(self.leaking_exact or self.leaking_groups)


def _fingerprints(samples: Sequence[Sample]) -> list[tuple[str, NDArray[np.uint8]]]:
    def one(sample: Sample) -> tuple[str, NDArray[np.uint8]]:
        pixels = hash_pixels(sample.path)
        return hashlib.sha256(pixels.tobytes()).hexdigest(), difference_hash(pixels)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, samples))


def _near_pairs(samples: Sequence[Sample], hashes: NDArray[np.uint8]) -> list[tuple[Sample, Sample]]:
    train = np.array([i for i, s in enumerate(samples) if s.split == "train"])
    held = [i for i, s in enumerate(samples) if s.split != "train"]
    pairs = []
    for i in held:
        near = train[distances(hashes[train], hashes[i]) <= NEAR_BITS]
        pairs += [(samples[j], samples[i]) for j in near if samples[j].group != samples[i].group]
    return pairs


def audit(samples: Sequence[Sample]) -> Audit:
    """Counts, duplicates and leaks of a data set's samples."""
    prints = _fingerprints(samples)
    by_pixels: dict[str, list[Sample]] = defaultdict(list)
    for sample, (digest, _) in zip(samples, prints, strict=True):
        by_pixels[digest].append(sample)
    splits_of: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        splits_of[sample.group].add(sample.split)
    copies = [c for c in by_pixels.values() if len(c) > 1]
    leaking_exact = [(a, b) for c in copies for a in c for b in c if a.split == "train" and b.split != "train"]
    return Audit(
        dict(Counter((s.split, s.label) for s in samples)),
        sum(len(c) - 1 for c in copies),
        leaking_exact,
        _near_pairs(samples, np.array([h for _, h in prints])),
        sorted(g for g, splits in splits_of.items() if len(splits) > 1),
    )


def report(result: Audit) -> str:
    """The findings as text."""
    lines = [f"{split:<6} {label:<20} {n:>6}" for (split, label), n in sorted(result.counts.items())]
    lines += [
        f"exact duplicates: {result.exact_duplicates}",
        f"exact duplicates between training and held-out pictures: {len(result.leaking_exact)}",
        f"near duplicates between training and held-out pictures of different groups: {len(result.leaking_near)}",
        *(f"  {a.path.name} ~ {b.path.name}" for a, b in result.leaking_near[:10]),
        f"groups in two splits: {len(result.leaking_groups)}",
        *(f"  {group}" for group in result.leaking_groups[:10]),
        "LEAKAGE: held-out figures of this split cannot be believed" if result.leaks else "no leakage found",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 without leakage, 1 with, 2 when the folder holds no known data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args(arguments).data
    found = {d.name: (d, root) for t in load_image_tasks() for d in t.datasets if (root := find_root(data, d))}
    if not found:
        print(f"error: {data} holds no data set that a task file names", file=sys.stderr)
        return 2
    leaks = False
    for name, (dataset, root) in found.items():
        try:
            result = audit(read_dataset(root, dataset, seed=0))
        except DatasetNotFound as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        print(f"{name}\n{report(result)}")
        leaks |= result.leaks
    return int(leaks)


if __name__ == "__main__":
    sys.exit(main())
