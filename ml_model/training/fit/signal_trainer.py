"""Training on recordings: several small networks, one after the other, averaged into one graph; resumable.

Which averages of weights and how long each trains is fixed by the recipe; validation is only watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.recording import network_signal, read_wfdb
from ml_model.tasks.image_schema import SignalInput
from ml_model.training.augmentation.signals import augment_signal
from ml_model.training.data.labels import target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.metrics import Scored, macro_auc, probabilities_of
from ml_model.training.fit.callbacks import run_epochs
from ml_model.training.fit.checkpoints import Stage, made_from, of_stage, open_checkpoints
from ml_model.training.fit.optimizer import warm_adamw
from ml_model.training.job import SignalJob
from ml_model.training.models.ecg_resnet import ecg_resnet
from ml_model.training.models.losses import multi_label_loss
from ml_model.training.models.signal_classifier import averaged, build_network
from ml_model.training.recipe import PUBLISHED, Architecture, plain


def read_signals(samples: Sequence[Sample], signal_input: SignalInput) -> NDArray[np.float32]:
    """(N, time, 12) in mV, through the preprocessing that serves requests."""
    return np.stack([network_signal(read_wfdb(s.path), signal_input) for s in samples])


class SignalBatches(keras.utils.PyDataset):
    """Augmented recordings (B, time, 12) and targets (B, classes); a function of (seed, epoch, index)."""

    def __init__(self, job: SignalJob, seed: int) -> None:
        super().__init__(workers=1)
        self.job, self.seed, self.epoch = job, seed, 0
        self.all_rows = job.rows("train")
        self.targets = target_masks(job.samples, job.task.codes)
        self.batch_size = min(job.recipe.batch_size, len(self.all_rows))

    def __len__(self) -> int:
        return len(self.all_rows) // self.batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.all_rows)
        rows = order[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        settings, rate = self.job.recipe.augmentation, self.job.signal_input.sampling_rate_hz
        signals = np.stack([augment_signal(self.job.signals[r], settings, rate, rng) for r in rows])
        targets = self.targets[rows]
        if settings.mixup:
            share = rng.beta(settings.mixup, settings.mixup, (len(rows), 1)).astype(np.float32)
            other = rng.permutation(len(rows))
            signals = share[..., None] * signals + (1 - share[..., None]) * signals[other]
            targets = share * targets + (1 - share) * targets[other]
        return signals, targets


def validation_auc(model: keras.Model, job: SignalJob) -> float:
    """Macro AUC on the validation recordings as they are."""
    rows = job.rows("val")
    logits = np.asarray(model.predict(job.signals[rows], batch_size=128, verbose=0))
    probabilities = probabilities_of(logits, job.task.multi_label)
    truth = target_masks(job.pick("val"), job.task.codes) > 0
    return macro_auc(Scored(truth, probabilities >= 0.5, probabilities, np.arange(len(rows)).astype(str)))


def train_signals(job: SignalJob) -> keras.Model:
    """Train every member of the recipe and average them. Finished members are loaded when `resume` is set.

    Raises OtherTraining when other choices made them.
    """
    keras.mixed_precision.set_global_policy("float32")
    folder = open_checkpoints(job.out_dir, resume=job.resume)
    base = made_from(plain(job.recipe), job.contract_sha256, job.samples, job.weights)
    networks = []
    for number, (architecture, seed) in enumerate(job.recipe.members):
        keras.utils.set_random_seed(seed)
        network = _network(job, architecture)
        stage = Stage(folder, f"member{number}", of_stage(base, members=[[architecture, seed]]))
        stage.run(network, partial(_fit, job, network, seed, f"{architecture}-{seed}", stage))
        networks.append(network)
    return averaged(networks)


def _network(job: SignalJob, architecture: Architecture) -> keras.Model:
    if architecture in PUBLISHED:
        tensors = Path(job.weights) if job.weights else None
        return ecg_resnet(architecture, tensors, job.signals[job.rows("train")])
    return build_network(architecture, classes=len(job.task.codes), samples=job.signals.shape[1])


def _fit(job: SignalJob, network: keras.Model, seed: int, name: str, stage: Stage) -> None:
    recipe, batches = job.recipe, SignalBatches(job, seed)
    tuned = job.weights is not None and network.name in PUBLISHED
    epochs = recipe.tuned_epochs if tuned else recipe.epochs
    if not epochs:
        return
    steps = epochs * len(batches)
    optimizer = warm_adamw(
        recipe.tuned_learning_rate if tuned else recipe.learning_rate, steps, warm_up=steps // 10,
        weight_decay=0.0 if tuned else recipe.weight_decay, ema_momentum=recipe.ema_momentum,
        pull=recipe.pull if tuned else 0.0,
    )  # fmt: skip
    network.compile(optimizer, multi_label_loss(0.0, recipe.label_smoothing), jit_compile=False)

    def figures(model: keras.Model) -> dict[str, float]:
        return {"val_macro_auc": validation_auc(model, job)}

    run_epochs(network, batches, figures, stage=stage, name=name, log=job.out_dir / f"log-{name}.csv", epochs=epochs)
