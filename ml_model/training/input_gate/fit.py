"""The input gate's training: a small network, thresholds from validation, one reading of the test split, the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import Bundle, load_bundle, write_bundle
from ml_model.inference.measured import TrainingCost
from ml_model.inference.measured_tabular import GateMetrics
from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.inference.publishing import fresh_draft, publish
from ml_model.input_gate.modality_classifier import BUNDLE_ID, OTHER, ModalitySpec
from ml_model.training.data.batches import AugmentedBatches
from ml_model.training.data.labels import target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.data.sampling import sampling_weights
from ml_model.training.fit.callbacks import PictureFigures, run_epochs
from ml_model.training.fit.checkpoints import Stage, made_from, open_checkpoints, training_minutes
from ml_model.training.fit.optimizer import warm_adamw
from ml_model.training.input_gate.report import gate_card, gate_figures
from ml_model.training.manifest_fields import provenance
from ml_model.training.models.image_classifier import build_model
from ml_model.training.models.losses import MaskedFocalLoss
from ml_model.training.pipeline import export_elsewhere
from ml_model.training.recipe import GateRecipe, plain
from ml_model.training.reports.card import add_card

OWN_ACCEPTED_ON_VALIDATION = 0.995
THRESHOLD_RANGE = (0.02, 0.5)


def train_gate(
    recipe: GateRecipe, spec: ModalitySpec, samples: Sequence[Sample], pixels: NDArray[np.uint8],
    weights: str | None, out_dir: Path, *, resume: bool,
) -> tuple[keras.Model, float]:  # fmt: skip
    """The network with the best weights on validation, and how many minutes it took. A finished one is loaded
    when `resume` is set. Raises OtherTraining when other choices made it.
    """
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if recipe.mixed_precision else "float32")
    base = made_from(plain(recipe), spec.contract_sha256, samples, weights)
    stage = Stage(open_checkpoints(out_dir, resume=resume), "gate", base)
    model = _network(recipe, spec, None if stage.weights.is_file() else weights)
    stage.run(model, partial(_fit, recipe, spec, samples, pixels, model, stage, out_dir / "log-gate.csv"))
    return model, training_minutes(out_dir)


def _fit(
    recipe: GateRecipe, spec: ModalitySpec, samples: Sequence[Sample], pixels: NDArray[np.uint8],
    model: keras.Model, stage: Stage, log: Path,
) -> None:  # fmt: skip
    rows = {s: np.array([i for i, x in enumerate(samples) if x.split == s], np.int64) for s in ("train", "val")}
    masks = target_masks(samples, spec.codes)
    batches = AugmentedBatches(
        pixels, rows["train"], masks[rows["train"]],
        sampling_weights([replace(samples[i], source="all") for i in rows["train"]], 0.5),
        augmentation=recipe.augmentation, size_px=spec.input.height_px,
        batch_size=min(recipe.batch_size, len(rows["train"])), seed=recipe.seed,
    )  # fmt: skip
    steps = recipe.epochs * len(batches)
    optimizer = warm_adamw(
        recipe.learning_rate, steps, warm_up=steps // 20, weight_decay=recipe.weight_decay,
        ema_momentum=recipe.ema_momentum,
    )  # fmt: skip
    model.compile(optimizer, MaskedFocalLoss(gamma=0.0, label_smoothing=recipe.label_smoothing), jit_compile=False)
    one_each = np.eye(len(spec.codes), dtype=np.float32)
    figures = PictureFigures(pixels[rows["val"]], masks[rows["val"]] > 0, one_each, multi_label=False)
    run_epochs(
        model, batches, figures, stage=stage, name="gate", log=log, epochs=recipe.epochs, patience_epochs=recipe.epochs
    )


def _network(recipe: GateRecipe, spec: ModalitySpec, weights: str | None) -> keras.Model:
    return build_model(
        recipe.backbone, classes=len(spec.codes), size_px=spec.input.height_px, weights=weights,
        last_layer=recipe.last_layer,
    )  # fmt: skip


def thresholds_of(probabilities: NDArray[np.floating], kinds: Sequence[str], codes: Sequence[str]) -> dict[str, float]:
    """By kind: the highest threshold, within limits, at which nearly all validation pictures of it are accepted."""
    found = {}
    for column, code in enumerate(codes):
        own = np.array([p for p, kind in zip(probabilities[:, column], kinds, strict=True) if kind == code])
        if code != OTHER and len(own):
            found[code] = round(float(np.clip(np.quantile(own, 1 - OWN_ACCEPTED_ON_VALIDATION), *THRESHOLD_RANGE)), 4)
    return found


def finish_gate(
    recipe: GateRecipe, spec: ModalitySpec, samples: Sequence[Sample], pixels: NDArray[np.uint8],
    model: keras.Model, minutes: float, out_dir: Path,
) -> Bundle:  # fmt: skip
    """Export, thresholds from validation, the one reading of the test split, the bundle in `out_dir`, verified."""
    keras.mixed_precision.set_global_policy("float32")
    served = _network(recipe, spec, None)
    served.set_weights(model.get_weights())
    draft = fresh_draft(out_dir)
    export_elsewhere(served, out_dir, multi_label=False)
    described = provenance(
        BUNDLE_ID, spec.contract_sha256, spec.codes, spec.licence, samples, draft,
        seed=recipe.seed, recipe=plain(recipe),
    )  # fmt: skip
    fields = {**described, "evidence": "sufficient"}
    predictor = Predictor(write_bundle(draft, {**fields, "metrics": GateMetrics()}, [MODEL_FILE]))

    def answered(split: str) -> tuple[NDArray[np.float32], list[Sample]]:
        rows = [i for i, s in enumerate(samples) if s.split == split]
        return predictor.predict(pixels[rows]).probabilities, [samples[i] for i in rows]

    validation, val = answered("val")
    thresholds = thresholds_of(validation, [s.label for s in val], spec.codes)
    figures = gate_figures(*answered("test"), spec.codes, thresholds)
    training = TrainingCost(minutes=round(minutes, 1), pictures=sum(s.split == "train" for s in samples))
    metrics = GateMetrics(test=figures, training=training)
    measured = write_bundle(draft, {**fields, "metrics": metrics, "thresholds": thresholds}, [MODEL_FILE])
    add_card(measured, gate_card(spec, figures, training, thresholds))
    publish(draft, out_dir)
    return load_bundle(out_dir, task=BUNDLE_ID, contract_sha256=spec.contract_sha256)
