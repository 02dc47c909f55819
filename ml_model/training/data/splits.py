"""Splits by group: no lesion, patient or cluster in two splits, every class in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ml_model.training.data.samples import Sample

SPLITS = ("train", "val", "test")


class SplitError(ValueError):
    """A group is in two splits, or a class is missing from one."""


def assign_splits(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Give each sample without a split one, by group and per label: 80 % train, 10 % val, 10 % test.

    A source that brings its own test split keeps it, and gives a tenth of the rest to val.
    """
    free = [s for s in samples if not s.split]
    if not free:
        return list(samples)
    shares = (0.9, 1.0) if any(s.split == "test" for s in samples) else (0.8, 0.9)
    groups_by_label: dict[str, list[str]] = defaultdict(list)
    for sample in free:
        groups_by_label[sample.label].append(sample.group)
    rng = np.random.default_rng(seed)
    split_of: dict[str, str] = {}
    for label in sorted(groups_by_label):
        groups = sorted(set(groups_by_label[label]) - set(split_of))
        order = rng.permutation(len(groups))
        for rank, index in enumerate(order):
            share = (rank + 0.5) / len(groups)
            split_of[groups[index]] = "train" if share < shares[0] else "val" if share < shares[1] else "test"
    return [s if s.split else replace(s, split=split_of[s.group]) for s in samples]


def check_splits(samples: Sequence[Sample], codes: Sequence[str]) -> None:
    """Raises SplitError when a group leaks, a split name is unknown, or a class lacks samples in a split."""
    splits_of: dict[str, set[str]] = defaultdict(set)
    codes_in: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        if sample.split not in SPLITS:
            raise SplitError(f"{sample.path.name}: split {sample.split!r} is none of {', '.join(SPLITS)}")
        splits_of[sample.group].add(sample.split)
        codes_in[sample.split].update(sample.codes)
    if leaking := sorted(group for group, splits in splits_of.items() if len(splits) > 1):
        where = " and ".join(sorted(splits_of[leaking[0]]))
        raise SplitError(f"{len(leaking)} groups are in two splits, first {leaking[0]} (in {where})")
    for split in SPLITS:
        if missing := [code for code in codes if code not in codes_in[split]]:
            raise SplitError(f"split {split} has no sample of {', '.join(missing)}")
