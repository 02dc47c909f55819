"""Figures on heatmaps: a map known to be right or wrong, lesions at known places, and models that know nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from pictures import soft_pictures
from PIL import Image
from predictions import manifest
from samples import image_task
from scipy.stats import spearmanr

from ml_model.inference.bundle import MODELS_DIR, Bundle, Manifest
from ml_model.inference.measured import Explanation
from ml_model.inference.predictor import MODEL_FILE, Prediction, Predictor
from ml_model.training.data.decoded_cache import shown
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.explanation_faithfulness import (
    BLUR_SHARE,
    STEPS,
    explanation_evidence,
    lesion_mask,
    mask_scores,
    spread_over_labels,
)
from ml_model.training.reports.model_card import card_markdown

CELLS, CELL_PX, SIDE_PX = 7, 32, 224
SPOT = (2, 4)  # row and column of the one cell that counts
BENIGN = 1  # birads_2


def cell(row: int, column: int) -> tuple[slice, slice]:
    return slice(row * CELL_PX, (row + 1) * CELL_PX), slice(column * CELL_PX, (column + 1) * CELL_PX)


def save(path: Path, *bright: tuple[slice, slice]) -> Path:
    """A black picture with white parts, and a broken line around it, so that black is no frame of something white."""
    grey = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    if "_mask" not in path.name:
        grey[[0, -1], ::2] = grey[::2, [0, -1]] = 255
    for part in bright:
        grey[part] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)
    return path


@dataclass(frozen=True)
class SpotModel:
    """Birads_2 is as probable as SPOT is bright; normal has the rest. Every class has the same map."""

    cells: NDArray[np.float32]

    @property
    def bundle(self) -> Any:
        return SimpleNamespace(manifest=manifest(image_task("breast")))

    def predict(self, images: NDArray[np.uint8]) -> Prediction:
        probabilities = np.zeros((len(images), 6), np.float32)
        probabilities[:, BENIGN] = images[(slice(None), *cell(*SPOT))].mean(axis=(1, 2, 3)) / 255
        probabilities[:, 0] = 1 - probabilities[:, BENIGN]
        maps = np.broadcast_to(self.cells, (len(images), 6, *self.cells.shape))
        nothing = np.zeros((len(images), 0))
        return Prediction(probabilities, maps, nothing, nothing, probabilities, np.zeros(0))


def evidence(cells: NDArray[np.float32], samples: list[Sample]) -> dict[str, Any]:
    return explanation_evidence(image_task("breast"), samples, cast("Predictor", SpotModel(cells)))


def map_of(*strengths: tuple[int, int, float]) -> NDArray[np.float32]:
    cells = np.zeros((CELLS, CELLS), np.float32)
    for row, column, strength in strengths:
        cells[row, column] = strength
    return cells


def spots(folder: Path, count: int, *masks: tuple[slice, slice]) -> list[Sample]:
    """Pictures with a white SPOT, each of a group of its own; with `masks`, an outline file for each of them."""
    samples = []
    for i in range(count):
        path = save(folder / "benign" / f"benign ({i}).png", cell(*SPOT))
        for j, mask in enumerate(masks):
            save(path.with_name(f"{path.stem}_mask{f'_{j}' if j else ''}.png"), mask)
        samples.append(Sample(path, "BUSI", "benign", ("birads_2", "birads_3"), f"g{i}", "test"))
    return samples


def test_a_right_map_is_told_from_a_wrong_one_and_from_chance(tmp_path: Path) -> None:
    samples = spots(tmp_path, 24)
    right, wrong = (evidence(cells, samples) for cells in (map_of((*SPOT, 1.0)), 1 - map_of((*SPOT, 1.0))))
    blurred = cv2.GaussianBlur(np.asarray(Image.open(samples[0].path)), (0, 0), BLUR_SHARE * SIDE_PX)
    left = blurred[cell(*SPOT)].mean() / 255
    assert 0.1 < left < 0.5
    half_step = (1 - left) / 2 / STEPS
    assert right.pictures == 24
    assert right.deletion.value == pytest.approx(left + half_step, abs=1e-3)
    assert right.insertion.value == pytest.approx(1 - half_step, abs=1e-3)
    assert wrong.deletion.value == pytest.approx(1 - half_step, abs=1e-3)
    assert wrong.insertion.value == pytest.approx(left + half_step, abs=1e-3)
    for name in ("deletion_random", "insertion_random"):
        assert getattr(right, name).value == pytest.approx((1 + left) / 2, abs=0.15)
    for name in ("deletion_gain", "insertion_gain"):
        assert getattr(right, name).low > 0 > getattr(wrong, name).high
    assert right.deletion_gain.value == pytest.approx(right.deletion_random.value - right.deletion.value, abs=2e-4)
    assert "mass_inside_mask" not in right


def test_an_empty_map_is_no_better_than_chance_and_is_counted(tmp_path: Path) -> None:
    told = evidence(map_of(), spots(tmp_path, 24, cell(*SPOT)))
    assert (told.pictures, told.empty_maps) == (24, 24)
    assert told.deletion_gain.low <= 0 <= told.deletion_gain.high
    assert "mass_inside_mask" not in told


def test_the_share_of_a_map_on_a_lesion_is_exact() -> None:
    mask = np.zeros((SIDE_PX, SIDE_PX), bool)
    mask[:16, :32] = True  # the upper half of one cell
    mask[cell(3, 3)] = True
    scores = mask_scores(map_of((0, 0, 3.0), (3, 3, 1.0), (6, 6, 4.0)), mask)
    assert scores == pytest.approx(
        {
            "mass_inside_mask": (3 * 0.5 + 1) / 8,
            "mask_area": 1.5 / 49,
            "mass_gain": 2.5 / 8 - 1.5 / 49,
            "pointing_game": 0,
            "pointing_gain": -1.5 / 49,
        }
    )
    assert mask_scores(map_of((3, 3, 1.0), (6, 6, 0.9)), mask)["pointing_game"] == 1


def test_lesions_in_several_files_are_measured_together(tmp_path: Path) -> None:
    samples = spots(tmp_path, 3, cell(*SPOT), cell(5, 5))
    plain = save(tmp_path / "normal" / "normal (1).png", cell(*SPOT))
    save(plain.with_name("normal (1)_mask.png"))  # BUSI outlines nothing on a normal picture
    normal = Sample(plain, "BUSI", "normal", ("birads_1",), "n", "test")
    told = evidence(map_of((*SPOT, 3.0), (5, 5, 1.0), (0, 0, 4.0)), [*samples, normal])
    assert (told.pictures, told.lesions) == (4, 3)
    assert told.mass_inside_mask.value == 0.5
    assert told.mask_area.value == pytest.approx(2 / 49, abs=1e-4)
    assert told.pointing_game.value == 0


@pytest.mark.parametrize("geometry", ["squash", "mirror", "field"])
def test_an_outline_comes_to_the_model_s_size_as_its_picture_does(geometry: str, tmp_path: Path) -> None:
    task = image_task("breast")
    task = task.model_copy(update={"input": task.input.model_copy(update={"geometry": geometry})})
    grey = np.zeros((90, 180), np.uint8)
    grey[20:70, 30:80] = 255
    Image.fromarray(grey).save(tmp_path / "a_mask.png")
    grey[[0, -1], ::2] = grey[::2, [0, -1]] = 100  # a broken line, so that black is no frame
    Image.fromarray(grey).save(tmp_path / "a.png")
    sample = Sample(tmp_path / "a.png", "BUSI", "benign", ("birads_2",), "g", "test")
    mask = lesion_mask(task, sample)
    assert mask is not None
    assert np.array_equal(mask, shown(sample, task.input)[..., 0] >= 128)
    assert mask.mean() == pytest.approx(50 * 50 / (90 * 180), rel=0.05 if geometry == "squash" else 1)
    cut = task.model_copy(update={"input": task.input.model_copy(update={"geometry": "breast"})})
    assert lesion_mask(cut, sample) is None


def test_the_sample_is_spread_over_the_labels_and_always_the_same() -> None:
    samples = [
        Sample(Path(f"{i}"), "s", label, (label,), f"{i}", "test")
        for label, count in (("many", 80), ("some", 20), ("few", 3))
        for i in range(count)
    ]
    chosen = spread_over_labels(samples, 23)
    labels = [s.label for s in chosen]
    assert {name: labels.count(name) for name in ("many", "some", "few")} == {"many": 10, "some": 10, "few": 3}
    assert chosen == spread_over_labels(samples, 23)
    assert len(set(map(id, chosen))) == 23
    assert len(spread_over_labels(samples, 500)) == len(samples)


def test_nothing_is_told_of_a_model_without_maps(tmp_path: Path, write_tiny_bundle: Callable[..., Bundle]) -> None:
    predictor = Predictor(write_tiny_bundle(image_task("breast"), tmp_path, maps=False))
    assert explanation_evidence(image_task("breast"), spots(tmp_path, 1), predictor) is None
    assert evidence(map_of((*SPOT, 1.0)), []) is None


def test_the_card_sets_the_heatmaps_beside_chance(tmp_path: Path) -> None:
    shipped = Manifest.model_validate_json((MODELS_DIR / "breast" / "manifest.json").read_bytes())

    def with_told(told: Explanation | None) -> Manifest:
        return shipped.model_copy(update={"metrics": shipped.image_metrics.model_copy(update={"explanation": told})})

    told = evidence(map_of((*SPOT, 3.0), (0, 0, 1.0)), spots(tmp_path, 2, cell(*SPOT)))
    task = image_task("breast")
    assert "heatmap" not in card_markdown(task, with_told(None))
    card = card_markdown(task, with_told(told))
    assert "influence, not location" in card
    assert "On 2 test pictures (0 with an empty heatmap)" in card
    assert "Of these, 2 have outlined lesions" in card
    row = "| share of the heatmap on the lesion | 0.750 (0.750-0.750) | 0.020 (0.020-0.020) | 0.730 (0.730-0.730) |"
    assert row in card
    unmasked = evidence(map_of((*SPOT, 3.0)), spots(tmp_path / "plain", 2))
    card = card_markdown(task, with_told(unmasked))
    assert "| deletion (lower is better) |" in card
    assert "lesions" not in card.split("### What the heatmaps are worth")[1].split("## Training")[0]


MOST_CORRELATION_LEFT = 0.2
FEWEST_WEIGHTS = 1000  # in a tensor that is disturbed: kernels, not shifts and scales


def disturbed(model: onnx.ModelProto, change: Callable[[NDArray[Any]], NDArray[Any]]) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    for tensor in copied.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size >= FEWEST_WEIGHTS and values.dtype.kind == "f":
            changed = change(values).astype(values.dtype).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    return copied


def maps_of(model: onnx.ModelProto, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    maps: NDArray[np.float32] = session.run(["activation_maps"], {"image": images})[0]
    return maps


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean rank correlation of maps (N, classes, rows, columns); a map without contrast is like none. Maps that are
    empty in `one` are left out."""
    found = []
    for a, b in zip(one.reshape(-1, one[0, 0].size), other.reshape(-1, one[0, 0].size), strict=True):
        if a.std() > 0:
            found.append(float(spearmanr(a, b).statistic) if b.std() > 0 else 0.0)
    assert found
    return float(np.mean(found))


@pytest.mark.parametrize("name", ["skin", "xray"])
def test_shuffled_weights_destroy_the_map(name: str) -> None:
    """The maps come from what was learnt, not from the picture's edges; a change by a thousandth leaves them alone.

    Adebayo J et al. Sanity checks for saliency maps. NeurIPS 2018.
    """
    rng = np.random.default_rng(0)
    model, images = onnx.load(MODELS_DIR / name / MODEL_FILE), soft_pictures(image_task(name))
    maps = maps_of(model, images)
    nearly = disturbed(model, lambda weights: weights * rng.uniform(0.999, 1.001, weights.shape))
    assert likeness(maps, maps_of(nearly, images)) > 0.95
    shuffled = disturbed(model, lambda weights: rng.permutation(weights.ravel()))
    assert abs(likeness(maps, maps_of(shuffled, images))) < MOST_CORRELATION_LEFT
