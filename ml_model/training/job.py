"""One training: a task, its recipe, the samples and where things go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.tasks.image_schema import SignalInput
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.data.sampling import class_prior, sampling_weights
from ml_model.training.recipe import Recipe, SignalRecipe


class _Splits:
    """The samples of a job by split."""

    samples: Sequence[Sample]

    def rows(self, split: str) -> NDArray[np.int64]:
        """Row numbers of a split."""
        return np.array([i for i, s in enumerate(self.samples) if s.split == split], dtype=np.int64)

    def pick(self, split: str) -> list[Sample]:
        """Samples of a split."""
        return [s for s in self.samples if s.split == split]


@dataclass(frozen=True)
class Job(_Splits):
    """One training: what, on what, to where. `external`: samples of other places, which judge what is trained."""

    task: ImageTask
    recipe: Recipe
    samples: Sequence[Sample]
    pixels: NDArray[np.uint8]  # (N, height_px, width_px, 3), in the order of samples
    out_dir: Path
    weights: str | None = None
    resume: bool = False
    external: Sequence[Sample] = ()

    @property
    def bundle_id(self) -> str:
        """The bundle's folder and what its manifest calls the task."""
        return self.task.id

    @property
    def contract_sha256(self) -> str:
        """What the bundle is bound to."""
        return self.task.contract_sha256


def drawing_weights(recipe: Recipe, train: Sequence[Sample]) -> NDArray[np.float64]:
    """Probability of drawing each training sample, by the recipe."""
    return sampling_weights(train, recipe.sampling_power, recipe.source_power)


def drawn_prior(job: Job) -> NDArray[np.float64]:
    """Share of each class in what the sampler draws for training, (classes,)."""
    train = job.pick("train")
    return class_prior(target_masks(train, job.task.codes), drawing_weights(job.recipe, train))


@dataclass(frozen=True)
class SignalJob(_Splits):
    """One training: what, on what, to where. `signals` are in the order of `samples`."""

    task: ImageTask
    recipe: SignalRecipe
    samples: Sequence[Sample]
    signals: NDArray[np.float32]  # (N, time, 12), mV
    out_dir: Path
    resume: bool = False
    weights: str | None = None
    external: Sequence[Sample] = ()

    @property
    def bundle_id(self) -> str:
        """The bundle's folder and what its manifest calls the task."""
        return f"{self.task.id}-signal"

    @property
    def contract_sha256(self) -> str:
        """What the bundle is bound to."""
        return self.task.signal_contract_sha256

    @property
    def signal_input(self) -> SignalInput:
        """The task's declaration. Raises ValueError where it has none."""
        if self.task.signal is None:
            raise ValueError(f"{self.task.id}: the task file declares no [signal]")
        return self.task.signal
