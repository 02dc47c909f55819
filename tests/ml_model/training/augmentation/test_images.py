"""What the network sees while it learns: balanced draws, reproducible views."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ml_model.training.augmentation.images import NONE, Augmentation, augment, central_square, recompressed
from ml_model.training.data.batches import AugmentedBatches
from ml_model.training.data.labels import target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.data.sampling import class_prior, sampling_weights


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


def test_without_a_size_whole_pictures_come_as_they_are() -> None:
    varied = batches()
    pixels = varied.pixels[:, :, :20]
    plain = AugmentedBatches(
        pixels, varied.rows, varied.masks, varied.weights,
        augmentation=varied.augmentation, size_px=None, batch_size=30, seed=1,
    )  # fmt: skip
    shown, masks = plain[2]
    assert shown.shape == (30, 24, 20, 3)
    places = [next(i for i in range(150) if (pixels[i] == picture).all()) for picture in shown]
    np.testing.assert_array_equal(masks, varied.masks[places])


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
    assert np.shares_memory(central_square(picture, 20), picture)
    assert central_square(picture, 10).shape == (10, 10, 3)
    wide = np.zeros((20, 30, 3), np.uint8)
    wide[:, 5:25] = picture
    assert np.array_equal(central_square(wide, 20), picture)


def test_of_a_wide_picture_a_square_from_anywhere_is_seen_in_its_proportions() -> None:
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, :, 0] = np.arange(96)[None] * 2
    seen = {int(augment(wide, NONE, 32, np.random.default_rng(s))[0, 0, 0]) // 2 for s in range(40)}
    assert min(seen) < 10
    assert max(seen) > 54  # the last place where a square of 32 fits in begins at 64
    view = augment(wide, NONE, 32, np.random.default_rng(0)).astype(int)
    assert np.abs(np.diff(view[0, :, 0]) - 2).max() <= 1


def test_stains_change_colours_and_keep_white_white() -> None:
    tissue = np.full((16, 16, 3), (180, 90, 160), np.uint8)
    stained = replace(NONE, stain=0.3)
    views = [augment(tissue, stained, 16, np.random.default_rng(s))[8, 8].tolist() for s in range(20)]
    assert len({tuple(v) for v in views}) == 20
    assert np.abs(np.mean(views, axis=0) - (180, 90, 160)).max() < 20
    white = augment(np.full((16, 16, 3), 255, np.uint8), stained, 16, np.random.default_rng(1))
    assert white.min() > 200


def by_pillow(picture: np.ndarray, codec: str, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, codec, quality=quality)
    with Image.open(stream) as image:
        return np.asarray(image.convert("RGB"))


CODEC_ONLY = replace(NONE, codec=1.0)


@pytest.fixture(scope="module")
def colours() -> np.ndarray:
    """Smooth colours, so that an error of a codec is one of its colour spaces."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC))


def test_the_codec_takes_red_for_red_and_blue_for_blue(colours: np.ndarray) -> None:
    """Luma weighs red .30 and blue .11: with the two exchanged no quality gives what Pillow gives."""
    theirs = {by_pillow(colours, c, q).tobytes() for c in ("JPEG", "WEBP") for q in range(30, 101)}
    for seed in range(12):
        assert augment(colours, CODEC_ONLY, 64, np.random.default_rng(seed)).tobytes() in theirs


@pytest.mark.parametrize("codec", ["JPEG", "WEBP"])
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_lossy_round_trip_is_that_of_pillow(colours: np.ndarray, codec: str, quality: int) -> None:
    np.testing.assert_array_equal(recompressed(colours, codec, quality), by_pillow(colours, codec, quality))


def test_pure_red_stays_pure_red() -> None:
    red = np.full((32, 32, 3), (255, 0, 0), np.uint8)
    for seed in range(12):
        view = augment(red, CODEC_ONLY, 32, np.random.default_rng(seed)).astype(int)
        assert np.abs(view - red).max() <= 3


def test_a_coarse_view_holds_less_detail() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    views = [augment(noise, replace(NONE, coarse=1, coarsest_px=16), 128, np.random.default_rng(s)) for s in range(8)]
    assert min(v.std() for v in views) < 0.4 * noise.std()
    assert all(v.shape == noise.shape for v in views)


def test_a_phase_draws_as_many_pictures_as_it_says() -> None:
    pixels = np.zeros((10, 16, 16, 3), np.uint8)
    rows, weights = np.arange(10), np.full(10, 0.1)
    batches = AugmentedBatches(
        pixels, rows, np.eye(2, dtype=np.float32)[rows % 2], weights,
        augmentation=NONE, size_px=16, batch_size=4, seed=0, pictures=40,
    )  # fmt: skip
    assert len(batches) == 10
    assert batches[9][0].shape == (4, 16, 16, 3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(16, 48))
def test_a_flat_picture_stays_nearly_flat_whatever_the_warp(seed: int, size_px: int) -> None:
    """Reflect fill: no black corner ever comes in."""
    warp_only = Augmentation(rotation_degrees=180, zoom=0.4, shift=0.3, vertical_flip=True, brightness=0, contrast=0,
                             codec=0, rescale=0, blur=0, noise=0)  # fmt: skip
    view = augment(np.full((32, 32, 3), 120, np.uint8), warp_only, size_px, np.random.default_rng(seed))
    assert view.shape == (size_px, size_px, 3)
    assert np.abs(view.astype(int) - 120).max() <= 1


def test_a_cut_border_takes_its_share_from_each_edge_at_random() -> None:
    """Up to .1 of each edge; the square that is then shown lies anywhere in what is left."""
    columns = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)
    cut = replace(NONE, border=0.1)
    views = [augment(columns, cut, 200, np.random.default_rng(seed)) for seed in range(20)]
    first, last = [int(v[100, 0, 0]) for v in views], [int(v[100, -1, 0]) for v in views]
    assert max(first) <= 40
    assert min(last) >= 159
    assert len(set(first)) > 8
    assert len(set(last)) > 8
    assert np.array_equal(augment(columns, NONE, 200, np.random.default_rng(0)), columns)


def test_near_a_lesion_all_of_it_is_seen_and_less_of_the_rest() -> None:
    """Of what is shown at most 1 / 1.2 on a side is lesion, and at least 1 / 2.5 of this one, 80 of 200 pixels wide."""
    lesion = np.zeros((200, 200), bool)
    lesion[60:100, 100:180] = True
    picture = np.where(lesion[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    near = replace(NONE, near_lesion=1.0)
    views = [augment(picture, near, 200, np.random.default_rng(seed), lesion) for seed in range(20)]
    shares = [float((view[..., 0] > 127).mean()) for view in views]
    assert all(0.079 < share < 0.36 for share in shares)  # 40 x 80 pixels of a square of 96 to 200
    assert max(shares) - min(shares) > 0.1
    edges = [np.concatenate([v[0], v[-1], v[:, 0], v[:, -1]]) for v in views]
    assert all(edge.max() == 0 for edge in edges)  # tissue all round it


def test_where_no_lesion_is_outlined_a_part_as_small_is_shown() -> None:
    columns = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)
    near = replace(NONE, near_lesion=1.0)
    views = [augment(columns, near, 200, np.random.default_rng(seed)).astype(int) for seed in range(20)]
    widths = [view[100, -1, 0] - view[100, 0, 0] for view in views]
    assert 78 <= min(widths) < 110
    assert 150 < max(widths) <= 199


def test_labels_alone_take_the_place_of_derived_classes_as_often_as_is_said() -> None:
    varied = batches()
    varied.labels_alone = (0.75, np.ones_like(varied.masks))
    masks = np.concatenate([varied[index][1] for index in range(len(varied))])
    assert (masks.sum(axis=1) == 2).mean() == pytest.approx(0.75, abs=0.08)
    assert np.array_equal(varied[3][1], varied[3][1])
