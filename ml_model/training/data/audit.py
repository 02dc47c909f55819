"""What would make held-out figures a lie: copies, near copies and groups on both sides of a split."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.recording import read_wfdb
from ml_model.errors import MediDiagnoseError
from ml_model.training.data.near_duplicates import difference_hash, distances, hash_pixels
from ml_model.training.data.samples import Sample

NEAR_BITS = 4


@dataclass(frozen=True)
class Audit:
    """What was found. Pairs are (training sample, held-out sample).

    leaking_near: None of ECG recordings, of which near duplicates are not looked for.
    """

    counts: dict[tuple[str, str], int]  # (split, label)
    exact_duplicates: int
    leaking_exact: list[tuple[Sample, Sample]]
    leaking_near: list[tuple[Sample, Sample]] | None
    leaking_groups: list[str]

    @property
    def leaks(self) -> bool:
        """Whether held-out figures could not be believed."""
        return bool(self.leaking_exact or self.leaking_groups)


def _fingerprint(sample: Sample) -> tuple[str, NDArray[np.uint8] | None]:
    """SHA-256 of what is seen or recorded, and the difference hash of a picture. Raises ValueError with the file."""
    try:
        if sample.path.suffix == ".hea":
            return hashlib.sha256(read_wfdb(sample.path).signal_mv.tobytes()).hexdigest(), None
        pixels = hash_pixels(sample.path)
    except MediDiagnoseError as error:
        raise ValueError(f"{sample.path}: {error}") from error
    return hashlib.sha256(pixels.tobytes()).hexdigest(), difference_hash(pixels)


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
    with ThreadPoolExecutor() as pool:
        prints = list(pool.map(_fingerprint, samples))
    by_pixels: dict[str, list[Sample]] = defaultdict(list)
    for sample, (digest, _) in zip(samples, prints, strict=True):
        by_pixels[digest].append(sample)
    splits_of: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        splits_of[sample.group].add(sample.split)
    copies = [c for c in by_pixels.values() if len(c) > 1]
    leaking_exact = [(a, b) for c in copies for a in c for b in c if a.split == "train" and b.split != "train"]
    hashes = [h for _, h in prints if h is not None]
    return Audit(
        dict(Counter((s.split, s.label) for s in samples)),
        sum(len(c) - 1 for c in copies),
        leaking_exact,
        _near_pairs(samples, np.array(hashes)) if len(hashes) == len(samples) else None,
        sorted(g for g, splits in splits_of.items() if len(splits) > 1),
    )


def report(result: Audit) -> str:
    """The findings as text."""
    of = "recordings" if result.leaking_near is None else "pictures"
    near = "not looked for" if result.leaking_near is None else len(result.leaking_near)
    lines = [f"{split:<6} {label:<20} {n:>6}" for (split, label), n in sorted(result.counts.items())]
    lines += [
        f"exact duplicates: {result.exact_duplicates}",
        f"exact duplicates between training and held-out {of}: {len(result.leaking_exact)}",
        f"near duplicates between training and held-out {of} of different groups: {near}",
        *(f"  {a.path.name} ~ {b.path.name}" for a, b in (result.leaking_near or ())[:10]),
        f"groups in two splits: {len(result.leaking_groups)}",
        *(f"  {group}" for group in result.leaking_groups[:10]),
        "LEAKAGE: held-out figures of this split cannot be believed" if result.leaks else "no leakage found",
    ]
    return "\n".join(lines)
