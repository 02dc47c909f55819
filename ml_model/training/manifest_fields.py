"""What a manifest says of the making of a bundle: data, recipe, code and libraries."""

from __future__ import annotations

import shutil
import subprocess  # nosec B404
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ml_model.inference.bundle import file_sha256
from ml_model.inference.measured import ImageMetrics
from ml_model.inference.predictor import MODEL_FILE
from ml_model.inference.publishing import draft_of
from ml_model.training.data.decoded_cache import data_fingerprint
from ml_model.training.data.samples import Sample
from ml_model.training.job import Job, SignalJob
from ml_model.training.recipe import plain

LIBRARIES = ("keras", "tensorflow", "numpy", "pillow", "openvino", "onnx", "tf2onnx")


def _git_commit() -> str:
    """Of the code that trains; unknown outside of a clone."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    # The git that is installed, asked for its commit; no shell.
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)  # noqa: S603  # nosec B603
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def manifest_fields(job: Job | SignalJob, metrics: ImageMetrics, **extra: Any) -> dict[str, Any]:
    """Manifest fields of a job."""
    described = provenance(
        job.bundle_id, job.contract_sha256, job.task.codes, job.task.licence, job.samples, draft_of(job.out_dir),
        seed=job.recipe.seed, recipe=_recipe(job),
    )  # fmt: skip
    return {**described, "metrics": metrics, **extra}


def origin(
    bundle_id: str, contract_sha256: str, licence: str, learnt: Path, *, seed: int, libraries: Sequence[str]
) -> dict[str, Any]:
    """Manifest fields of any bundle; `learnt` is the file that the training made, which the version is named after."""
    created = datetime.now(UTC).strftime("%Y-%m-%d")
    return {
        "task": bundle_id,
        "contract_sha256": contract_sha256,
        "version": f"{created.replace('-', '.')}+{file_sha256(learnt)[:8]}",
        "licence": licence,
        "created": created,
        "git_commit": _git_commit(),
        "seed": seed,
        "library_versions": {name: version(name) for name in libraries},
    }


def provenance(
    bundle_id: str, contract_sha256: str, codes: Sequence[str], licence: str, samples: Sequence[Sample], draft: Path,
    *, seed: int, recipe: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Manifest fields that say what a bundle was made from; its graph is in `draft`. codes: in output order."""
    sources = sorted({s.source for s in samples})
    return {
        **origin(bundle_id, contract_sha256, licence, draft / MODEL_FILE, seed=seed, libraries=LIBRARIES),
        "classes": codes,
        "trained_on": ", ".join(sources),
        "recipe": recipe,
        "data_fingerprints": {name: data_fingerprint([s for s in samples if s.source == name]) for name in sources},
    }


def _recipe(job: Job | SignalJob) -> dict[str, Any]:
    """The recipe as plain data; dataclasses all the way down."""
    import keras

    weights = Path(job.weights).name if job.weights else "none"
    return {**plain(job.recipe), "weights": weights, "backend": keras.backend.backend()}
