"""Fine-tuning that keeps its start: what stays, what learns slowly, what pulls, and the weights between."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from jobs import small_job

from ml_model.training.fit.image_trainer import train
from ml_model.training.fit.optimizer import warm_adamw
from ml_model.training.fit.transfer import CHOICE, between, choose_weights, hold_still, layer_rates
from ml_model.training.job import Job
from ml_model.training.models.image_classifier import build_model
from ml_model.training.recipe import Phase, Transfer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras


def network() -> keras.Model:
    return build_model("small_cnn", classes=2, size_px=64)


def line(value: float) -> keras.Model:
    """One weight, the answer to 1."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[value]], np.float32)])
    return model


def weight(model: keras.Model) -> float:
    return float(np.asarray(model.get_weights()[0])[0, 0])


def snapshots(folder: Path, *values: float) -> list[Path]:
    paths = [folder / f"epoch-{n:03}.weights.h5" for n in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        line(value).save_weights(path)
    return paths


def test_layers_up_to_the_named_one_and_batch_normalisations_stay_as_they_are() -> None:
    model = network()
    hold_still(model, Transfer(frozen_until="block0_pool", frozen_batch_norm=True))
    learning = {layer.name for layer in model.layers if layer.trainable_variables}
    assert learning == {"block1_conv", "block2_conv", "logits"}
    hold_still(model, Transfer())
    assert {"block0_conv", "block0_bn", "block2_bn"} <= {x.name for x in model.layers if x.trainable_variables}
    with pytest.raises(ValueError, match="no layer 'block9'"):
        hold_still(model, Transfer(frozen_until="block9"))


def test_each_halving_of_the_resolution_slows_the_layers_before_it() -> None:
    rates = {path.split("/")[0]: rate for path, rate in layer_rates(network(), 0.5).items()}
    assert rates["logits"] == rates["block2_conv"] == 1.0
    assert rates["block1_conv"] == 0.25  # a pool of 4 lies behind it
    assert rates["block0_conv"] == rates["block0_bn"] == 0.0625


def one_step(**options: object) -> tuple[np.ndarray, np.ndarray]:
    """Both weights of a model after a step of AdamW at a rate of .02 on gradients of 1."""
    dense = [keras.layers.Dense(1, name=name) for name in "ab"]
    model = keras.Sequential([keras.Input((1,)), *dense], name="two")
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    optimizer = warm_adamw(1.0, 10, warm_up=1, weight_decay=0.0, ema_momentum=None, **options)  # type: ignore[arg-type]
    optimizer.build(model.trainable_variables)
    moved = []
    for _ in range(2):
        optimizer.apply([np.ones(v.shape, np.float32) for v in model.trainable_variables])
        moved.append([float(np.asarray(v).ravel()[0]) for v in model.trainable_variables])
    return np.array(moved[0]), np.array(moved[1])


def test_a_rate_scales_the_step_of_its_weight() -> None:
    plain, _ = one_step()
    slowed, _ = one_step(rates={"two/a/kernel": 0.1, "two/a/bias": 0.1})
    assert slowed[:2] - 1 == pytest.approx(0.1 * (plain[:2] - 1), rel=1e-3)
    assert slowed[2:] == pytest.approx(plain[2:])


def test_the_pull_goes_back_to_where_a_weight_began() -> None:
    first, second = one_step()
    pulled, again = one_step(pull=0.5)
    rates = 1 - first[0], first[0] - second[0]  # the first two learning rates, as the steps are of that length
    assert pulled[0] == pytest.approx(1 - rates[0] + 0.5 * rates[0] * rates[0], rel=1e-4)
    assert again[0] > second[0] + 0.25 * rates[1] * rates[0]


def test_points_between_start_and_end() -> None:
    assert [w.tolist() for w in between([np.zeros(2)], [np.array([1.0, 4.0])], 0.25)] == [[0.25, 1.0]]


def test_the_best_point_on_the_way_is_kept(tmp_path: Path) -> None:
    model, paths = line(0.0), snapshots(tmp_path, 4.0, 10.0)
    kept = choose_weights(
        model, [np.zeros((1, 1), np.float32)], paths, Transfer(shares=(0.5, 1.0)), lambda m: -abs(weight(m) - 4.6)
    )
    assert [(p.epoch, p.share) for p in kept] == [(1, 0.5)]  # 5, before 4
    assert weight(model) == 5.0
    said = json.loads((tmp_path / CHOICE).read_text())
    assert [(p["epoch"], p["share"]) for p in said["points"]] == [(0, 0.0), (0, 0.5), (0, 1.0), (1, 0.5), (1, 1.0)]


def test_a_soup_averages_points_as_long_as_that_helps(tmp_path: Path) -> None:
    model, paths = line(0.0), snapshots(tmp_path, 4.0, 10.0)
    start = [np.zeros((1, 1), np.float32)]
    transfer = Transfer(shares=(0.5, 1.0), soup=True)
    kept = choose_weights(model, start, paths, transfer, lambda m: -abs(weight(m) - 4.6))
    assert [(p.epoch, p.share) for p in kept] == [(1, 0.5), (0, 1.0)]  # (5 + 4) / 2 = 4.5
    assert weight(model) == 4.5
    worse = choose_weights(model, start, paths, transfer, lambda m: -abs(weight(m)))
    assert [(p.epoch, p.share) for p in worse] == [(0, 0.0)]
    assert weight(model) == 0.0


def gentle(tmp_path: Path, epochs: int = 2, **more: object) -> Job:
    job = small_job(tmp_path, Phase("fine", epochs, 32, 1e-2, batch_size=8))
    transfer = Transfer(frozen_until="block0_pool", frozen_batch_norm=True, rate_decay=0.5, pull=0.1, shares=(0.5, 1.0))
    return replace(job, recipe=replace(job.recipe, transfer=transfer, yardstick="sources"), **more)  # type: ignore[arg-type]


def test_a_training_keeps_its_snapshots_and_chooses_among_them(tmp_path: Path) -> None:
    model = train(gentle(tmp_path))
    folder = tmp_path / "checkpoints" / "phase0-snapshots"
    assert sorted(p.name for p in folder.glob("*.h5")) == ["epoch-000.weights.h5", "epoch-001.weights.h5"]
    said = json.loads((folder / CHOICE).read_text())
    assert said["figure"] == max(p["figure"] for p in said["points"])
    assert len(said["points"]) == 5
    again = train(gentle(tmp_path, resume=True))
    for before, after in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(before, after)
