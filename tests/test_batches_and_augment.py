"""What the network sees while it learns: balanced draws, reproducible views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_model.training.augment import NONE, Augmentation, augment, resize_px
from ml_model.training.batches import AugmentedBatches, class_prior, sampling_weights, target_masks
from ml_model.training.readers import Sample


def sample(source: str, label: str, codes: tuple[str, ...] = ()) -> Sample:
    return Sample(Path("x.png"), source, label, codes or (label,), "g", "train")


SAMPLES = [sample("a", "x")] * 90 + [sample("a", "y")] * 10 + [sample("b", "x")] * 5 + [sample("b", "y")] * 45


def shares(weights: np.ndarray) -> dict[tuple[str, str], float]:
    keys = [(s.source, s.label) for s in SAMPLES]
    return {key: float(sum(w for w, k in zip(weights, keys, strict=True) if k == key)) for key in sorted(set(keys))}


def test_full_balance_within_each_source_and_sources_keep_their_share() -> None:
    assert shares(sampling_weights(SAMPLES, 1.0)) == pytest.approx(
        {("a", "x"): 1 / 3, ("a", "y"): 1 / 3, ("b", "x"): 1 / 6, ("b", "y"): 1 / 6}
    )


def test_source_power_draws_the_smaller_source_more_often() -> None:
    even = shares(sampling_weights(SAMPLES, 1.0, 1.0))
    assert even == pytest.approx({(source, label): 1 / 4 for source in "ab" for label in "xy"})
    half = shares(sampling_weights(SAMPLES, 1.0, 0.5))
    assert half["b", "x"] / half["a", "x"] == pytest.approx((50 / 100) ** 0.5)


def test_no_balance_draws_as_the_data_are() -> None:
    assert shares(sampling_weights(SAMPLES, 0.0))["a", "x"] == pytest.approx(90 / 150)


def test_masks_and_prior_of_partial_labels() -> None:
    masks = target_masks([sample("a", "x", ("p",)), sample("a", "y", ("q", "r"))], ("p", "q", "r"))
    assert masks.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert class_prior(masks, np.array([0.5, 0.5])).tolist() == [0.5, 0.25, 0.25]


def batches(workers: int = 1, power: float = 1.0) -> AugmentedBatches:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (150, 24, 24, 3), dtype=np.uint8)
    masks = target_masks(SAMPLES, ("x", "y"))
    return AugmentedBatches(
        pixels,
        np.arange(150),
        masks,
        sampling_weights(SAMPLES, power),
        augmentation=Augmentation(vertical_flip=True, saturation=0.2, erase=0.5),
        size_px=16,
        batch_size=30,
        seed=1,
        workers=workers,
    )


def test_a_batch_depends_on_seed_epoch_and_index_only() -> None:
    one, other = batches(), batches(workers=2)
    other[0]
    pictures, masks = one[3]
    again, masks_again = other[3]
    assert pictures.dtype == np.uint8
    assert pictures.shape == (30, 16, 16, 3)
    assert np.array_equal(pictures, again)
    assert np.array_equal(masks, masks_again)
    other.epoch = 1
    assert not np.array_equal(other[3][0], pictures)


def test_an_epoch_draws_each_class_its_share() -> None:
    masks = np.concatenate([batches()[i][1] for i in range(len(batches()))])
    assert masks.sum(axis=0).tolist() == [75, 75]


def test_no_augmentation_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert np.array_equal(augment(picture, NONE, 20, np.random.default_rng(0)), picture)
    assert resize_px(picture, 20) is picture
    assert resize_px(picture, 10).shape == (10, 10, 3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(16, 48))
def test_a_flat_picture_stays_nearly_flat_whatever_the_warp(seed: int, size_px: int) -> None:
    """Reflect fill: no black corner ever comes in."""
    warp_only = Augmentation(rotation_degrees=180, zoom=0.4, shift=0.3, vertical_flip=True, brightness=0, contrast=0,
                             codec=0, rescale=0, blur=0, noise=0)  # fmt: skip
    view = augment(np.full((32, 32, 3), 120, np.uint8), warp_only, size_px, np.random.default_rng(seed))
    assert view.shape == (size_px, size_px, 3)
    assert np.abs(view.astype(int) - 120).max() <= 1
