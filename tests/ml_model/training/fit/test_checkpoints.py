"""A run is resumed from its own stages only, and one that is not resumed starts from nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from samples import image_task

from ml_model.input_gate.modality_classifier import modality_spec
from ml_model.training.data.samples import Sample
from ml_model.training.fit.checkpoints import OtherTraining, Stage, open_checkpoints, training_minutes
from ml_model.training.fit.image_trainer import phase_stages, train
from ml_model.training.input_gate.fit import train_gate
from ml_model.training.job import Job
from ml_model.training.recipe import Augmentation, GateRecipe, Phase, Recipe

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
STILL = Augmentation(
    horizontal_flip=False, rotation_degrees=0, shift=0, zoom=0, stretch=0, brightness=0, contrast=0, codec=0,
    rescale=0, blur=0, noise=0,
)  # fmt: skip
RECIPE = Recipe(
    task="xray", backbone="small_cnn", augmentation=STILL,
    phases=(Phase("first", 1, 32, 1e-3, batch_size=4), Phase("second", 1, 32, 1e-3, batch_size=4)),
)  # fmt: skip


def pictures(folder: Path, labels: tuple[str, ...], each: int) -> list[Sample]:
    """Grey files of every label in every split."""
    found = []
    for n, label in enumerate(label for label in labels for _ in range(each)):
        path = folder / f"{n}.png"
        Image.new("L", (40, 40), 40 + n).save(path)
        split = ("train", "train", "val", "test")[n % each % 4]
        found.append(Sample(path, "films", label, (label,), str(n), split))
    return found


def job(tmp_path: Path, recipe: Recipe = RECIPE, *, resume: bool = False) -> Job:
    task = image_task("xray")
    samples = pictures(tmp_path, task.codes, 8)
    pixels = np.random.default_rng(0).integers(0, 256, (len(samples), 40, 40, 3), dtype=np.uint8)
    return Job(task=task, recipe=recipe, samples=samples, pixels=pixels, out_dir=tmp_path / "out", resume=resume)


def weights(model: keras.Model) -> list[NDArray[np.float32]]:
    return [np.asarray(w) for w in model.get_weights()]


def same(one: list[NDArray[np.float32]], other: list[NDArray[np.float32]]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(RECIPE, seed=1), "recipe.seed was 0 and is 1"),
        (replace(RECIPE, weight_decay=0.5), "recipe.weight_decay was 0.02 and is 0.5"),
        (
            replace(RECIPE, phases=(replace(RECIPE.phases[0], epochs=3), RECIPE.phases[1])),
            "recipe.phases.0.epochs was 1 and is 3",
        ),
    ],
)
def test_phases_of_another_recipe_are_not_taken_for_ones_own(tmp_path: Path, other: Recipe, said: str) -> None:
    folder = open_checkpoints(tmp_path / "out", resume=False)
    phase_stages(job(tmp_path), folder)[0].bind()
    phase_stages(job(tmp_path), folder)[0].check()
    with pytest.raises(OtherTraining, match=re.escape(said)) as raised:
        phase_stages(job(tmp_path, other), folder)[0].check()
    assert str(raised.value).startswith(f"the checkpoints of phase0 in {folder} were made otherwise: ")
    assert str(raised.value).endswith("start anew without --resume, or give another --out")


def test_phases_of_other_data_are_not_taken_for_ones_own(tmp_path: Path) -> None:
    folder, first = open_checkpoints(tmp_path / "out", resume=False), job(tmp_path)
    phase_stages(first, folder)[0].bind()
    with pytest.raises(OtherTraining, match=r"data\.films was [0-9a-f]{16} and is [0-9a-f]{16}"):
        phase_stages(replace(first, samples=first.samples[:-1]), folder)[0].check()


def test_a_phase_follows_from_those_before_it_and_not_from_what_comes_after(tmp_path: Path) -> None:
    folder = open_checkpoints(tmp_path / "out", resume=False)
    for stage in phase_stages(job(tmp_path), folder):
        stage.bind()
    for stage in phase_stages(job(tmp_path, replace(RECIPE, served_prior_weight=1.0, decision="balanced")), folder):
        stage.check()
    longer = replace(RECIPE, phases=(RECIPE.phases[0], replace(RECIPE.phases[1], learning_rate=1.0)))
    first, second = phase_stages(job(tmp_path, longer), folder)
    first.check()
    with pytest.raises(OtherTraining, match=r"phase1 .* recipe\.phases\.1\.learning_rate was 0\.001 and is 1\.0"):
        second.check()


def test_a_training_resumes_its_own_phases_and_refuses_others(tmp_path: Path) -> None:
    short = replace(RECIPE, phases=RECIPE.phases[:1])
    trained = weights(train(job(tmp_path, short)))
    assert same(weights(train(job(tmp_path, short, resume=True))), trained)
    assert training_minutes(tmp_path / "out") >= 0
    with pytest.raises(OtherTraining, match=r"recipe\.seed was 0 and is 1"):
        train(job(tmp_path, replace(short, seed=1), resume=True))


def test_checkpoints_that_do_not_say_what_made_them_are_refused(tmp_path: Path) -> None:
    folder = open_checkpoints(tmp_path, resume=False)
    stage = Stage(folder, "phase0", {"recipe": {"seed": 0}})
    stage.check()
    stage.weights.write_bytes(b"weights of an older version")
    with pytest.raises(OtherTraining, match="they do not say from what"):
        stage.check()


def test_the_gate_trained_anew_keeps_no_old_weights(tmp_path: Path) -> None:
    spec = modality_spec()
    samples = pictures(tmp_path, spec.codes, 4)
    size = (len(samples), spec.input.height_px, spec.input.width_px, 3)
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    recipe = GateRecipe(1, 1e-3, 16, "block2_relu", STILL, backbone="small_cnn")
    first, _ = train_gate(recipe, spec, samples, pixels, None, tmp_path / "out", resume=False)
    for state in (tmp_path / "out" / "checkpoints").glob("*.json"):  # as of a better run
        if "figure" in (kept := json.loads(state.read_text())):
            state.write_text(json.dumps(kept | {"figure": 2.0}))
    other = replace(recipe, seed=1)
    again, _ = train_gate(other, spec, samples, pixels, None, tmp_path / "out", resume=False)
    assert not same(weights(again), weights(first))
    with pytest.raises(OtherTraining, match=r"recipe\.seed was 1 and is 0"):
        train_gate(recipe, spec, samples, pixels, None, tmp_path / "out", resume=True)
    resumed, _ = train_gate(other, spec, samples, pixels, None, tmp_path / "out", resume=True)
    assert same(weights(resumed), weights(again))
