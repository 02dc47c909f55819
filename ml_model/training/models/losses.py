"""Losses on logits with targets as masks: a mask of one class is a plain label, of several a partial one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class MaskedFocalLoss(keras.losses.Loss):
    """-alpha (1 - p)^gamma log p, where p is the probability given to the classes in the mask.

    gamma 0 is cross-entropy (Lin 2017 for gamma > 0). `log_prior` (classes,) is added to the
    logits in training only, so that the trained logits are those of balanced classes (logit
    adjustment, Menon 2021). `alpha` (classes,) weighs the classes. Label smoothing mixes in
    the cross-entropy against the uniform distribution.
    """

    def __init__(
        self,
        *,
        gamma: float = 0.0,
        alpha: NDArray[np.float64] | None = None,
        log_prior: NDArray[np.float64] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(name="masked_focal_loss")
        self.gamma, self.label_smoothing = gamma, label_smoothing
        self.alpha = None if alpha is None else np.asarray(alpha, np.float32)
        self.log_prior = None if log_prior is None else np.asarray(log_prior, np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        mask = ops.cast(y_true, "float32")
        logits = ops.cast(y_pred, "float32")
        if self.log_prior is not None:
            logits = logits + self.log_prior
        log_p = ops.log_softmax(logits, axis=-1)
        log_target = ops.logsumexp(ops.where(mask > 0, log_p, ops.full_like(log_p, -1e9)), axis=-1)
        loss = -log_target
        if self.gamma:
            loss = loss * (1 - ops.exp(log_target)) ** self.gamma
        if self.alpha is not None:
            loss = loss * ops.sum(mask * self.alpha, axis=-1) / ops.sum(mask, axis=-1)
        if self.label_smoothing:
            loss = (1 - self.label_smoothing) * loss - self.label_smoothing * ops.mean(log_p, axis=-1)
        return loss


def multi_label_loss(gamma: float = 0.0, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Keras' own sigmoid per class on logits: binary cross-entropy, for gamma > 0 the focal one."""
    if gamma:
        return keras.losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True, label_smoothing=label_smoothing)
    return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)
