"""The data set a picture came from is taken out of the embedding; what tells the classes apart stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from jobs import small_job
from networks import gradient_tape_maps, varied_network, wrap
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml_model.inference.predictor import Predictor
from ml_model.training.job import Job
from ml_model.training.models.concept_erasure import source_directions, with_sources_forgotten
from ml_model.training.models.image_classifier import LOGITS, SOURCE_FREE, build
from ml_model.training.models.layers import WithoutDirections
from ml_model.training.models.serving_model import served_model

Array = NDArray[np.float64]
ILL, WELL = frozenset({"a", "b"}), frozenset({"c"})
NAMES = ("first", "second")


def drawn(seed: int) -> tuple[Array, list[frozenset[str]], list[str]]:
    """800 embeddings of 12 features: one tells the class, others the source, in the ill elsewhere than in the well."""
    rng = np.random.default_rng(seed)
    ill, second = rng.integers(0, 2, 800), rng.integers(0, 2, 800)
    x = rng.normal(size=(800, 12)) @ (np.eye(12) + 0.3 * np.random.default_rng(9).normal(size=(12, 12)))
    x[:, 0] += 6 * ill
    x[:, 3] += 5 * second
    x[:, 4] += 5 * second * ill + ill
    return x, [ILL if i else WELL for i in ill], [NAMES[i] for i in second]


def told(train: Array, truth: NDArray[np.bool_], fresh: Array, expected: NDArray[np.bool_]) -> float:
    return float(LogisticRegression(max_iter=2000).fit(train, truth).score(fresh, expected))


def test_the_source_is_no_longer_told_within_a_label_and_the_label_still_is() -> None:
    x, labels, sources = drawn(0)
    read, lost = source_directions(x, labels, sources)
    assert read.shape == lost.shape == (12, 2)
    fresh, new_labels, new_sources = drawn(1)
    clean, new_clean = (e - (e - x.mean(axis=0)) @ read @ lost.T for e in (x, fresh))
    ill, new_ill = (np.array([label == ILL for label in ls]) for ls in (labels, new_labels))
    second, new_second = (np.array([s == "second" for s in ss]) for ss in (sources, new_sources))
    for of_label, of_fresh in ((ill, new_ill), (~ill, ~new_ill)):
        assert told(x[of_label], second[of_label], fresh[of_fresh], new_second[of_fresh]) > 0.95
        assert told(clean[of_label], second[of_label], new_clean[of_fresh], new_second[of_fresh]) < 0.6
    assert told(clean, ill, new_clean, new_ill) > 0.95
    assert told(clean, ill, new_clean, new_ill) > told(x, ill, fresh, new_ill) - 0.02
    assert np.abs(clean.mean(axis=0) - x.mean(axis=0)).max() < 1e-9


def test_a_label_with_one_source_or_few_pictures_is_left_alone() -> None:
    x, labels, sources = drawn(0)
    one = ["first" if label == WELL else s for label, s in zip(labels, sources, strict=True)]
    one[next(i for i, label in enumerate(labels) if label == WELL)] = "second"
    assert source_directions(x, labels, one)[0].shape == (12, 1)
    assert source_directions(x, labels, ["first"] * len(x))[0].shape == (12, 0)


def test_one_of_a_task_s_data_sets_is_enough(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    large = [s.source == "large" for s in job.samples]
    samples = [s for s, kept in zip(job.samples, large, strict=True) if kept]
    recipe = replace(job.recipe, forget_sources=True, own_head_for="small")
    job = replace(job, samples=samples, pixels=job.pixels[large], recipe=recipe)
    trained = build(job)
    served = served_model(job, trained)
    assert np.asarray(served(job.pixels)) == pytest.approx(np.asarray(trained(job.pixels)), abs=1e-6)


def larger_job(out_dir: Path) -> Job:
    """The small job with every picture four times, under other noise; the pictures of `small` are darker."""
    job, rng = small_job(out_dir), np.random.default_rng(0)
    pixels = np.concatenate([job.pixels // 2 + rng.integers(0, 60, job.pixels.shape, dtype=np.uint8) for _ in range(4)])
    samples = [*job.samples] * 4
    pixels[[s.source == "small" for s in samples]] //= 2
    return replace(job, samples=samples, pixels=pixels)


def test_the_served_model_has_one_mean_for_both_sources_of_a_label(tmp_path: Path) -> None:
    job = larger_job(tmp_path)
    job = replace(job, recipe=replace(job.recipe, forget_sources=True, test_time_flips=("horizontal",)))
    trained = build(job)
    served = served_model(job, trained)
    plain = served_model(replace(job, recipe=replace(job.recipe, forget_sources=False)), trained)
    assert SOURCE_FREE in {layer.name for layer in served.layers}
    assert SOURCE_FREE not in {layer.name for layer in plain.layers}
    rows = job.rows("train")
    both = [job.pixels[rows], job.pixels[rows][:, :, ::-1]]
    apart = {}
    for name, model in (("plain", plain), ("served", served)):
        logits = np.mean([np.asarray(model(views)) for views in both], axis=0)
        cells = {
            (s.label, s.source): logits[[t.label == s.label and t.source == s.source for t in job.pick("train")]]
            for s in job.pick("train")
        }
        apart[name] = max(
            float(np.abs(cells[label, "small"].mean(axis=0) - cells[label, "large"].mean(axis=0)).max())
            for label in ("benign", "malignant")
        )
    assert apart["served"] < 1e-4 < apart["plain"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of TensorFlow
def test_maps_are_exact_and_the_export_gives_the_embedding_without_the_source(tmp_path: Path) -> None:
    from ml_model.training.models.onnx_export import export_onnx, served_outputs

    plain, rng = varied_network()
    layer = WithoutDirections(2, name=SOURCE_FREE)
    x = layer(plain.get_layer("embedding").output)
    model = keras.Model(plain.input, plain.get_layer(LOGITS)(plain.get_layer("dropout")(x)))
    read, lost, centre = rng.normal(size=(128, 2)) / 8, rng.normal(size=(128, 2)) / 8, rng.normal(size=128)
    layer.set_weights([read, lost, centre])
    pictures = rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    pooled = np.asarray(keras.Model(model.input, model.get_layer("embedding").output)(pictures))
    probabilities, maps, embedding = served_outputs(model, pictures, multi_label=False)
    assert np.asarray(embedding) == pytest.approx(pooled - (pooled - centre) @ read @ lost.T, abs=1e-4)
    expected = gradient_tape_maps(model, pictures)
    assert np.abs(np.asarray(maps) - expected).max() < 1e-5 * expected.max()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    export_onnx(again, tmp_path / "model.onnx", multi_label=False)
    got = Predictor(wrap(tmp_path), engine="openvino").predict(pictures)
    assert np.abs(got.probabilities - np.asarray(probabilities)).max() < 5e-3
    assert np.abs(got.embedding - np.asarray(embedding)).max() < 0.02 * np.abs(np.asarray(embedding)).max()


def test_directions_are_fitted_on_training_pictures_alone(tmp_path: Path) -> None:
    job = larger_job(tmp_path)
    fitted = []
    for split in ("val", "train"):
        blank = np.array([s.split == split for s in job.samples])[:, None, None, None]
        changed = replace(job, pixels=np.where(blank, 0, job.pixels).astype(np.uint8))
        for j in (job, changed):
            keras.utils.set_random_seed(0)
            fitted.append(with_sources_forgotten(j, build(j)).get_layer(SOURCE_FREE).get_weights()[2])
    whole, without_val, _, without_train = fitted
    np.testing.assert_array_equal(whole, without_val)
    assert np.abs(whole - without_train).max() > 0
