"""A head of its own for the data set whose labels mean something else: fitted by group, told by the embedding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from jobs import small_job
from networks import gradient_tape_maps, varied_network, wrap

from ml_model.inference.predictor import Predictor
from ml_model.training.models.image_classifier import LOGITS, build, build_model
from ml_model.training.models.layers import HeadBySource
from ml_model.training.models.source_specific_head import fit_by_group, group_weights, with_layer_beside, with_own_head


def test_every_patient_of_a_class_weighs_the_same() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1])
    groups = np.array(["a", "a", "a", "b", "c", "d"])
    weights = group_weights(truth, groups)
    assert weights == pytest.approx([1 / 12] * 3 + [1 / 4] * 3)


def test_a_patient_with_many_pictures_does_not_outvote_the_others() -> None:
    rng = np.random.default_rng(0)
    groups, embedding, truth = [], [], []
    for number in range(12):
        label, count = number % 2, 60 if number == 0 else 4
        groups += [f"p{number}"] * count
        signal = np.array([2.0 * label - 1, 3.0 if number == 0 else 0.0])
        embedding.append(signal + rng.normal(0, 0.3, (count, 2)))
        truth += [label] * count
    kernel, bias = fit_by_group(np.concatenate(embedding), np.array(truth), groups)
    unseen = np.array([[-1.0, 0.0], [1.0, 0.0]])
    low, high = unseen @ kernel + bias
    assert low < 0 < high


def test_the_source_s_own_head_answers_and_the_other_one_stays(tmp_path: Path) -> None:
    """Pictures of `small` are told by their level; in them bright means benign, the other way round than elsewhere."""
    job = small_job(tmp_path)
    job = replace(job, recipe=replace(job.recipe, own_head_for="small", test_time_flips=("horizontal",)))
    shift = np.array([120 if s.source == "small" else 0 for s in job.samples], np.uint8)
    pixels = np.minimum(job.pixels // 3, 100) + shift[:, None, None, None]
    flipped = [
        replace(s, codes=("malignant" if s.codes == ("benign",) else "benign",)) if s.source == "small" else s
        for s in job.samples
    ]
    job = replace(job, pixels=pixels.astype(np.uint8), samples=flipped)
    plain = build(job)
    served = with_own_head(job, plain)
    assert isinstance(served.get_layer(LOGITS), HeadBySource)
    large = np.array([i for i, s in enumerate(job.samples) if s.source == "large"])
    small = np.array([i for i, s in enumerate(job.samples) if s.source == "small"])
    same = np.abs(np.asarray(served(job.pixels[large])) - np.asarray(plain(job.pixels[large])))
    assert same.max() < 1e-5
    answered = np.asarray(served(job.pixels[small])).argmax(axis=1)
    assert (answered == [("benign", "malignant").index(job.samples[i].codes[0]) for i in small]).all()
    with pytest.raises(ValueError, match="training pictures of nowhere"):
        with_own_head(replace(job, recipe=replace(job.recipe, own_head_for="nowhere")), plain)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of TensorFlow
def test_the_maps_are_those_of_the_head_that_answers(tmp_path: Path) -> None:
    from ml_model.training.models.onnx_export import export_onnx, served_outputs

    plain, rng = varied_network()
    head = HeadBySource(3, name=LOGITS)
    model = keras.Model(plain.input, head(plain.get_layer("dropout").output))
    pictures = rng.integers(0, 256, (4, 48, 48, 3), dtype=np.uint8)
    embedding = np.asarray(keras.Model(model.input, model.get_layer("dropout").output)(pictures))
    kernel = rng.normal(size=(2, 128, 3))
    score = np.zeros((128, 1))
    score[0] = 1
    head.set_weights([kernel, rng.normal(size=(2, 3)), score, np.array([-np.median(embedding[:, 0])])])
    assert 0 < np.asarray(head.second(embedding)).mean() < 1
    _, maps, _ = served_outputs(model, pictures, multi_label=False)
    expected = gradient_tape_maps(model, pictures)
    assert np.abs(np.asarray(maps) - expected).max() < 1e-5 * expected.max()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    export_onnx(again, tmp_path / "model.onnx", multi_label=False)
    got = Predictor(wrap(tmp_path), engine="openvino").predict(pictures)
    told, _, _ = served_outputs(model, pictures, multi_label=False)
    assert np.abs(got.probabilities - np.asarray(told)).max() < 5e-3


def test_an_earlier_layer_joins_the_last_one_and_the_answers_stay() -> None:
    keras.utils.set_random_seed(0)
    plain = build_model("small_cnn", classes=2, size_px=(64, 96))
    wider = with_layer_beside(plain, "block0_relu")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    assert np.asarray(wider(pictures)) == pytest.approx(np.asarray(plain(pictures)), abs=1e-6)
    earlier = np.asarray(keras.Model(plain.input, plain.get_layer("block0_relu").output)(pictures))
    embedding = np.asarray(keras.Model(wider.input, wider.get_layer("embedding").output)(pictures))
    assert embedding.shape == (3, 128 + 32)
    assert embedding[:, 128:] == pytest.approx(earlier.mean(axis=(1, 2)), abs=1e-5)
    with pytest.raises(ValueError, match="do not fit into"):
        with_layer_beside(build_model("small_cnn", classes=2, size_px=(62, 96)), "block0_relu")


def test_the_own_head_reads_the_earlier_layer_alone(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    job = replace(job, recipe=replace(job.recipe, own_head_for="small", own_head_layer="block0_relu"))
    plain = build(job)
    served = with_own_head(job, plain)
    kernels = served.get_layer(LOGITS).get_weights()[0]
    assert kernels.shape == (2, 128 + 32, 2)
    assert kernels[0, :128] == pytest.approx(plain.get_layer(LOGITS).get_weights()[0])
    assert not kernels[0, 128:].any()
    assert not kernels[1, :128].any()
    assert kernels[1, 128:, 1].any()
    score = served.get_layer(LOGITS).get_weights()[2]
    assert score[:128].any()
    assert not score[128:].any()
    benign, malignant = (
        np.array([i for i, s in enumerate(job.samples) if s.source == "small" and s.label == label])
        for label in ("benign", "malignant")
    )
    answered = np.asarray(served(job.pixels[np.concatenate([benign, malignant])])).argmax(axis=1)
    assert (answered == [0] * len(benign) + [1] * len(malignant)).mean() > 0.9
