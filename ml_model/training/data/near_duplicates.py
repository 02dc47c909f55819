"""Clusters of near-duplicate pictures, for data sets that name no patients."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageInput

HASH_INPUT = ImageInput(modality="any", height_px=128, width_px=128, min_side_px=8)
CLUSTER_CELLS = 16
# Of 256 bits. Measured on three public sets whose duplicates are known: finds 141 of 164 pairs of brain MRI and all 36
# of chest CT, and no cluster grows beyond 8 pictures; at 30 bits chains of 19 appear.
CLUSTER_BITS = 20


def difference_hash(picture: NDArray[np.uint8], cells: int = 8) -> NDArray[np.uint8]:
    """cells x cells bits, packed: whether each cell is brighter than its right neighbour (Krawetz 2013)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (cells + 1, cells), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1])


def distances(hashes: NDArray[np.uint8], one: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Differing bits between each of `hashes` (N, bytes) and `one` (bytes,)."""
    differing: NDArray[np.int64] = np.bitwise_count(hashes ^ one).sum(axis=1, dtype=np.int64)
    return differing


def hash_pixels(path: Path) -> NDArray[np.uint8]:
    """A picture at the size at which pictures are compared, uint8 (128, 128, 3)."""
    return load_image(path.read_bytes(), HASH_INPUT).pixels


def clusters(paths: Sequence[Path]) -> list[int]:
    """Cluster number of each picture; pictures within CLUSTER_BITS of each other, or of a third, share one."""
    with ThreadPoolExecutor() as pool:
        hashes = np.stack(list(pool.map(lambda p: difference_hash(hash_pixels(p), CLUSTER_CELLS), paths)))
    cluster = np.arange(len(paths))
    for i in range(1, len(paths)):
        near = np.flatnonzero(distances(hashes[:i], hashes[i]) <= CLUSTER_BITS)
        joined = np.unique(cluster[near])
        if len(joined):
            cluster[np.isin(cluster, joined)] = joined[0]
            cluster[i] = joined[0]
    return [int(c) for c in cluster]
