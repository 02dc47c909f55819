"""Losses against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ml_model.training.models.losses import MaskedFocalLoss, multi_label_loss

LOGITS = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], np.float32))
MASKS = np.array([[1, 0, 0], [0, 1, 1]], np.float32)


def value(loss: object) -> float:
    return float(loss(MASKS, LOGITS))  # type: ignore[operator]


def test_cross_entropy_of_a_label_and_of_a_partial_label() -> None:
    assert value(MaskedFocalLoss()) == pytest.approx(-(np.log(0.7) + np.log(0.9)) / 2, rel=1e-5)


def test_focal_gamma_2() -> None:
    expected = -(0.3**2 * np.log(0.7) + 0.1**2 * np.log(0.9)) / 2
    assert value(MaskedFocalLoss(gamma=2)) == pytest.approx(expected, rel=1e-5)


def test_alpha_weighs_the_classes() -> None:
    expected = -(2 * np.log(0.7) + 0.75 * np.log(0.9)) / 2
    assert value(MaskedFocalLoss(alpha=np.array([2, 0.5, 1]))) == pytest.approx(expected, rel=1e-5)


def test_logit_adjustment_makes_a_common_class_harder_to_earn() -> None:
    prior = np.array([0.8, 0.1, 0.1])
    adjusted = np.exp(LOGITS) * prior
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    expected = -(np.log(adjusted[0, 0]) + np.log(adjusted[1, 1:].sum())) / 2
    assert value(MaskedFocalLoss(log_prior=np.log(prior))) == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_mixes_in_the_uniform_distribution() -> None:
    plain, uniform = -(np.log(0.7) + np.log(0.9)) / 2, -LOGITS.mean()
    assert value(MaskedFocalLoss(label_smoothing=0.1)) == pytest.approx(0.9 * plain + 0.1 * uniform, rel=1e-5)


def test_multi_label_is_binary_cross_entropy_per_class() -> None:
    p = 1 / (1 + np.exp(-LOGITS))
    expected = -(MASKS * np.log(p) + (1 - MASKS) * np.log(1 - p)).mean()
    assert value(multi_label_loss()) == pytest.approx(expected, rel=1e-5)
    focal = -(MASKS * (1 - p) ** 2 * np.log(p) + (1 - MASKS) * p**2 * np.log(1 - p)).mean()
    assert value(multi_label_loss(gamma=2)) == pytest.approx(focal, rel=1e-5)
