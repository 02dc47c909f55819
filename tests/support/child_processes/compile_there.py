"""Opens a bundle with a cache and says what it answers and what became of the graph; a process of its own.

`compile_there.py BUNDLE TASK CACHE [BYTES]`: with BYTES no file can become larger than that.
"""

from __future__ import annotations

import hashlib
import resource
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import Bundle, load_bundle
from ml_model.inference.compiled_cache import CompiledCache
from ml_model.inference.predictor import Predictor
from ml_model.tasks.registry import ImageTask, load_task


def noise(bundle: Bundle) -> NDArray[np.uint8]:
    """A picture for the bundle's model, of noise."""
    task = load_task(bundle.manifest.task)
    assert isinstance(task, ImageTask)
    size = (1, task.input.height_px, task.input.width_px, 3)
    return np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)


def main(folder: Path, task_id: str, cache: Path, most_bytes: str = "") -> None:
    """As the arguments say."""
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes),) * 2)
    task = load_task(task_id)
    assert isinstance(task, ImageTask)
    bundle = load_bundle(folder, task=task_id, contract_sha256=task.contract_sha256)
    told: list[str] = []
    kept = CompiledCache(cache, lambda _, outcome, reason: told.append(": ".join(filter(None, (outcome, reason)))))
    found = Predictor(bundle, engine="openvino", cache=kept).predict(noise(bundle)).probabilities
    print(hashlib.sha256(found.tobytes()).hexdigest(), ", ".join(told), sep="|")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
