"""Law 1: HTTP, the evaluation loop and the training pipeline see the same pixels and give the same probabilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from samples import upload

from backend.app import Application
from ml_model.inference.predictor import Predictor
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.training.augmentation.images import NONE, augment
from ml_model.training.data.decoded_cache import decode_all
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.answers import Evaluator, answering_pictures


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_same_file_same_probabilities_bit_for_bit(
    task: ImageTask, image_format: str, live_app: Application, picture: Callable[..., bytes], tmp_path: Path
) -> None:
    loaded = live_app.services.models.get(task.id)
    assert loaded is not None
    assert isinstance(loaded.engine, Predictor)
    samples = []
    for seed in range(3):
        path = tmp_path / f"{seed}.bin"
        path.write_bytes(picture(width_px=611, height_px=433, format=image_format, seed=seed))
        samples.append(Sample(path, "s", "l", task.codes[:1], "g", "test"))

    training = decode_all(samples, task.input, tmp_path / "cache")
    if task.input.height_px == task.input.width_px:
        seen = np.stack([augment(p, NONE, task.input.height_px, np.random.default_rng(0)) for p in training])
    else:  # training sees squares out of it; the served model the whole
        seen = np.asarray(training)
    pipeline = loaded.engine.predict(seen).probabilities
    answering = answering_pictures(task, loaded.engine)
    evaluated = Evaluator(task, answering, loaded.bundle.manifest).predict(samples).probabilities
    assert np.array_equal(pipeline, evaluated)

    client = live_app.test_client()
    for sample, expected in zip(samples, evaluated, strict=True):
        answer = client.post(f"/analyze/{task.id}", data=upload(sample.path.read_bytes())).get_json()
        served = {row["code"]: row["confidence"] for row in answer["all_predictions"]}
        assert [served[code] for code in task.codes] == [float(p) for p in expected]
