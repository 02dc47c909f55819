"""The Predictor refuses what is no picture, and many threads get what one thread gets."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from samples import tiny_probabilities

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle, file_sha256
from ml_model.inference.predictor import Engine, Predictor
from ml_model.tasks.registry import ImageTask, load_image_tasks

TASK = load_image_tasks()[0]
ENGINES: tuple[Engine, ...] = ("openvino", "onnxruntime")


def images(count: int, task: ImageTask = TASK) -> np.ndarray:
    size = (count, task.input.height_px, task.input.width_px, 3)
    return np.random.default_rng(count).integers(0, 256, size, dtype=np.uint8)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_share_one_predictor(engine: Engine, write_tiny_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    predictor = Predictor(write_tiny_bundle(TASK, tmp_path), engine=engine)
    batch = images(24)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: predictor.predict(batch[i : i + 1]).probabilities[0], range(24)))
    for picture, answer in zip(batch, answers, strict=True):
        assert answer == pytest.approx(tiny_probabilities(TASK, picture), abs=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_graph_without_maps_has_none(
    engine: Engine, write_tiny_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    prediction = Predictor(write_tiny_bundle(TASK, tmp_path, maps=False), engine=engine).predict(images(2))
    assert prediction.activation_maps.shape == (2, len(TASK.classes), 0, 0)
    assert prediction.probabilities.shape == (2, len(TASK.classes))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((224, 224, 3), np.uint8), np.zeros((1, 224, 224, 1), np.uint8), np.zeros((1, 224, 224, 3), np.float32)],
    ids=["no batch axis", "grey", "float"],
)
def test_other_arrays_are_refused(wrong: np.ndarray, write_tiny_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    predictor = Predictor(write_tiny_bundle(TASK, tmp_path))
    with pytest.raises(ValueError, match=r"expected uint8 \(N, H, W, 3\), got"):
        predictor.predict(wrong)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_graph_that_is_none_is_said(engine: Engine, write_tiny_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = write_tiny_bundle(TASK, tmp_path)
    (bundle.path / "model.onnx").write_bytes(b"not a graph")
    files = {"model.onnx": file_sha256(bundle.path / "model.onnx")}
    bundle = replace(bundle, manifest=bundle.manifest.model_copy(update={"files": files}))
    with pytest.raises(BundleInvalid, match=r"model\.onnx does not compile"):
        Predictor(bundle, engine=engine)
