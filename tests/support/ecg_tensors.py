"""Tensors of the published network on recordings, made up, laid out as they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CONVOLUTIONS = {
    "stem.0": (64, 12, 15), "blocks.0.conv1": (64, 64, 7), "blocks.0.conv2": (64, 64, 7),
    "blocks.1.conv1": (128, 64, 7), "blocks.1.conv2": (128, 128, 7), "blocks.1.shortcut.0": (128, 64, 1),
}  # fmt: skip
NORMS = {
    "stem.1": 64, "blocks.0.bn1": 64, "blocks.0.bn2": 64, "blocks.1.bn1": 128, "blocks.1.bn2": 128,
    "blocks.1.shortcut.1": 128,
}  # fmt: skip


def made_tensors() -> dict[str, NDArray[np.float32]]:
    """As PyTorch lays them out: (out, in, kernel)."""
    rng, found = np.random.default_rng(4), {}
    for name, shape in CONVOLUTIONS.items():
        found[f"{name}.weight"] = rng.normal(0, 1 / np.sqrt(shape[1] * shape[2]), shape)
    for name, count in NORMS.items():
        found[f"{name}.weight"], found[f"{name}.bias"] = rng.uniform(0.5, 1.5, count), rng.normal(0, 0.2, count)
        found[f"{name}.running_mean"], found[f"{name}.running_var"] = (
            rng.normal(0, 0.2, count),
            rng.uniform(1, 2, count),
        )
    found |= {"head.weight": rng.normal(0, 0.2, (5, 128)), "head.bias": rng.normal(0, 0.2, 5)}
    return {name: tensor.astype(np.float32) for name, tensor in found.items()}


def write_tensors(folder: Path, network: str) -> Path:
    """A file as `--weights` takes it."""
    file = folder / "tensors.npz"
    np.savez(file, **{f"{network}/{name}": tensor for name, tensor in made_tensors().items()})  # type: ignore[arg-type]
    return file
