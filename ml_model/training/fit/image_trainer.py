"""The training engine: phases over one flat model, resumable after a crash at any moment.

Runs on the TensorFlow, JAX and PyTorch backends of Keras (set KERAS_BACKEND). On a CPU
nothing is compiled with XLA, which is several times slower there for convolutions.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ml_model.training.augmentation.images import central_square
from ml_model.training.data.batches import AugmentedBatches
from ml_model.training.data.labels import label_space, target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.explanation_faithfulness import lesion_mask
from ml_model.training.fit.callbacks import WATCHED, run_epochs
from ml_model.training.fit.checkpoints import Stage, made_from, of_stage, open_checkpoints
from ml_model.training.fit.optimizer import warm_adamw
from ml_model.training.fit.transfer import Snapshots, choose_weights, hold_still, layer_rates, snapshot_file
from ml_model.training.fit.yardsticks import yardstick
from ml_model.training.job import Job, drawing_weights, drawn_prior
from ml_model.training.models.image_classifier import EMBEDDING, build
from ml_model.training.models.losses import MaskedFocalLoss, multi_label_loss
from ml_model.training.recipe import AFTER_THE_PHASES, Phase, Recipe, Transfer, plain

FEATURE_VIEWS = 2  # augmented views, for each picture there is, whose features are computed for a frozen phase
HEAD_BATCH = 128


def train(job: Job) -> keras.Model:
    """Run every phase of the recipe; returns the model with the best weights of the last one.

    Checkpoints lie in `out_dir/checkpoints`; with `resume`, finished phases are loaded and an
    unfinished one goes on at its last epoch. Raises OtherTraining when other choices made them.
    """
    _prepare(job.recipe)
    stages = phase_stages(job, open_checkpoints(job.out_dir, resume=job.resume))
    model: keras.Model | None = None
    for phase, stage in zip(job.recipe.phases, stages, strict=True):
        keras.backend.clear_session()
        fresh = build(job, phase.size_px)
        if model is not None:
            fresh.set_weights(model.get_weights())
        model = fresh
        fit = partial(_train_head, job, phase, model) if phase.frozen else partial(_fine_tune, job, phase, model, stage)
        stage.run(model, fit)
    if model is None:
        raise ValueError("the recipe has no phase")
    return model


def phase_stages(job: Job, folder: Path) -> list[Stage]:
    """A stage for every phase. It follows from those before it too, and not from what is chosen after the phases."""
    recipe = {name: value for name, value in plain(job.recipe).items() if name not in AFTER_THE_PHASES}
    base = made_from(recipe, job.contract_sha256, job.samples, job.weights)
    phases = recipe["phases"]
    return [Stage(folder, f"phase{n}", of_stage(base, phases=phases[: n + 1])) for n in range(len(phases))]


def _prepare(recipe: Recipe) -> None:
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if recipe.mixed_precision else "float32")
    if recipe.deterministic and keras.backend.backend() == "tensorflow":
        from tensorflow import config as tensorflow_config

        tensorflow_config.experimental.enable_op_determinism()


def _loss(job: Job) -> keras.losses.Loss:
    recipe = job.recipe
    gamma = recipe.focal_gamma if recipe.loss == "focal" else 0.0
    if job.task.multi_label:
        return multi_label_loss(gamma, recipe.label_smoothing)
    prior = drawn_prior(job)
    inverse = 1 / (prior * len(prior))
    return MaskedFocalLoss(
        gamma=gamma,
        alpha=inverse if recipe.rebalance == "class_weights" else None,
        log_prior=np.log(prior) if recipe.rebalance == "logit_adjustment" else None,
        label_smoothing=recipe.label_smoothing,
    )


def _optimizer(
    recipe: Recipe, phase: Phase, steps: int, *, ema: bool, model: keras.Model | None = None
) -> keras.optimizers.Optimizer:
    """model: the one that is fine-tuned, None for a head that learns alone; then nothing is pulled or slowed."""
    transfer = recipe.transfer if model is not None else Transfer()
    return warm_adamw(
        phase.learning_rate, steps, warm_up=steps // 20, weight_decay=0.0 if transfer.pull else recipe.weight_decay,
        ema_momentum=recipe.ema_momentum if ema else None, kept_whole=("bias", "gamma", "beta"), pull=transfer.pull,
        rates=layer_rates(model, transfer.rate_decay) if model is not None and transfer.rate_decay != 1 else None,
    )  # fmt: skip


def _drawn_from(job: Job, phase: Phase) -> tuple[list[Sample], NDArray[np.int64]]:
    """Training samples of the phase's sources, and their row numbers. Raises ValueError when there are none."""
    rows = [r for r in job.rows("train") if not phase.sources or job.samples[r].source in phase.sources]
    if not rows:
        raise ValueError(f"phase {phase.name}: there are no training pictures of {', '.join(phase.sources)}")
    return [job.samples[r] for r in rows], np.array(rows, dtype=np.int64)


def _train_head(job: Job, phase: Phase, model: keras.Model) -> None:
    """Fit the layers behind the embedding on frozen features of augmented views, computed once."""
    train, rows = _drawn_from(job, phase)
    embed = keras.Model(model.input, model.get_layer(EMBEDDING).output)
    views = FEATURE_VIEWS * len(rows)
    drawn = _batches(job, phase, train, rows, pictures=phase.pictures or views)
    features, targets = [], []
    for number in range(len(drawn)):
        pictures, masks = drawn[number]
        features.append(np.asarray(embed.predict_on_batch(pictures), np.float32))
        targets.append(masks)
    loss = _loss(job)
    head_input = keras.Input(features[0].shape[1:])
    x = head_input
    for layer in model.layers[model.layers.index(model.get_layer(EMBEDDING)) + 1 :]:
        x = layer(x)
    head = keras.Model(head_input, x)
    steps = phase.epochs * -(-len(drawn) * drawn.batch_size // HEAD_BATCH)
    head.compile(_optimizer(job.recipe, phase, steps, ema=False), loss, jit_compile=False)
    head.fit(np.concatenate(features), np.concatenate(targets), batch_size=HEAD_BATCH, epochs=phase.epochs, verbose=0)


def _batches(
    job: Job, phase: Phase, train: list[Sample], rows: NDArray[np.int64], *, pictures: int | None
) -> AugmentedBatches:
    recipe, masks = job.recipe, target_masks(train, job.task.codes)
    labels = label_space(job.task).projection
    whole = (masks @ labels @ labels.T > 0).astype(np.float32)
    return AugmentedBatches(
        job.pixels,
        rows,
        masks,
        drawing_weights(recipe, train),
        augmentation=recipe.augmentation,
        size_px=phase.size_px,
        batch_size=min(phase.batch_size, len(train)),
        seed=recipe.seed,
        pictures=pictures,
        lesions=[lesion_mask(job.task, s) for s in train] if recipe.augmentation.near_lesion else None,
        labels_alone=(recipe.label_alone, whole) if recipe.label_alone else None,
        workers=1 if recipe.deterministic else 2,
    )


def _middle(picture: NDArray[np.uint8], phase: Phase) -> NDArray[np.uint8]:
    return central_square(picture, phase.size_px) if phase.size_px else picture


def _fine_tune(job: Job, phase: Phase, model: keras.Model, stage: Stage) -> None:
    """The layers that the recipe does not hold still learn, at low rates; its yardstick chooses what is kept."""
    recipe, (train, rows) = job.recipe, _drawn_from(job, phase)
    transfer = recipe.transfer
    batches = _batches(job, phase, train, rows, pictures=phase.pictures)
    hold_still(model, transfer)
    optimizer = _optimizer(recipe, phase, phase.epochs * len(batches), ema=True, model=model)
    optimizer.build(model.trainable_variables)
    start = [np.asarray(w, np.float32) for w in model.get_weights()]
    model.compile(optimizer, _loss(job), jit_compile=False)
    figures = yardstick(job, partial(_middle, phase=phase))
    run_epochs(
        model, batches, figures, stage=stage, name=phase.name, log=job.out_dir / f"log-{phase.name}.csv",
        epochs=phase.epochs, patience_epochs=None if transfer.shares else recipe.patience_epochs,
        watching=[Snapshots(stage.snapshots)] if transfer.shares else [],
    )  # fmt: skip
    if transfer.shares:
        taken = [snapshot_file(stage.snapshots, epoch) for epoch in range(phase.epochs)]
        choose_weights(model, start, taken, transfer, lambda m: figures(m)[WATCHED])
