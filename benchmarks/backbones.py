"""Backbones after the same training on the same data: validation figures, minutes, size of the exported graph.

    python benchmarks/backbones.py --task brain-mri --data ml_model/Dataset/brain_mri
    python benchmarks/backbones.py --task brain-mri --data DIR --weights imagenet     # with network access

Without `--weights` all start from nothing, which is a comparison of architectures and not of ImageNet weights. Same
pictures in the same order, same augmentation, schedule and number of steps; the test split is not read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml_model.inference.interval import Interval
from ml_model.inference.publishing import fresh_draft
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.data.decoded_cache import decode_all
from ml_model.training.data.labels import fully_labelled, label_space, target_masks
from ml_model.training.data.readers import read_task
from ml_model.training.evaluation.metrics import (
    Scored,
    balanced_accuracy,
    bootstrap,
    called,
    macro_auc,
    probabilities_of,
)
from ml_model.training.fit.image_trainer import train
from ml_model.training.job import Job
from ml_model.training.models.image_classifier import build
from ml_model.training.pipeline import export_elsewhere
from ml_model.training.recipe import BACKBONES, Phase, Recipe
from ml_model.training.reports.markdown import figure, table

FIGURES = ("macro_auc", "balanced_accuracy")
COMPARED = ("efficientnetv2b0", "mobilenetv2", "densenet121")


def measured(job: Job) -> dict[str, object]:
    """One backbone trained; figures on validation with the exported model's size in MB."""
    began = time.monotonic()
    model = train(job)
    minutes = (time.monotonic() - began) / 60
    samples = job.pick("val")
    whole, space = fully_labelled(job.task, samples), label_space(job.task)
    served = build(job)
    served.set_weights(model.get_weights())
    logits = np.asarray(served.predict(job.pixels[job.rows("val")[whole]], batch_size=32, verbose=0))
    p = probabilities_of(logits, job.task.multi_label) @ space.projection
    truth = target_masks(samples, job.task.codes)[whole] @ space.projection > 0
    groups = np.array([s.group for s, kept in zip(samples, whole, strict=True) if kept])
    scored = Scored(truth, called(p, job.task.multi_label), p, groups)
    draft = fresh_draft(job.out_dir)
    export_elsewhere(served, job.out_dir, multi_label=job.task.multi_label)
    return {
        "macro_auc": bootstrap(scored, macro_auc, draws=200).model_dump(),
        "balanced_accuracy": bootstrap(scored, balanced_accuracy, draws=200).model_dump(),
        "minutes": round(minutes, 1),
        "megabytes": round((draft / "model.onnx").stat().st_size / 1e6, 1),
    }


def main(arguments: list[str] | None = None) -> int:
    """Trains each backbone and prints the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--task", default="brain-mri")
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--weights", choices=("none", "imagenet"), default="none")
    p.add_argument("--size", type=int, default=96, help="side of the pictures in training, pixels")
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--backbones", nargs="+", choices=BACKBONES, default=COMPARED)
    options = p.parse_args(arguments)
    task = load_task(options.task)
    assert isinstance(task, ImageTask)
    sides = {"height_px": options.size, "width_px": options.size}
    task = task.model_copy(update={"input": task.input.model_copy(update=sides)})
    samples = read_task(options.data, task)
    recipe = Recipe(task=task.id, phases=(Phase("all-layers", options.epochs, options.size, 1e-3),), ema_momentum=0.98)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        pixels = decode_all(samples, task.input, Path(folder) / "cache")
        for name in options.backbones:
            weights = None if options.weights == "none" else "imagenet"
            out_dir = Path(folder) / name
            out_dir.mkdir()
            one = replace(recipe, backbone=name)
            job = Job(task=task, samples=samples, recipe=one, pixels=pixels, out_dir=out_dir, weights=weights)
            found[name] = measured(job)
            print(json.dumps({name: found[name]}), file=sys.stderr, flush=True)
    rows = [
        [name, *(figure(Interval(**f[k])) for k in FIGURES), f"{f['minutes']}", f"{f['megabytes']}"]
        for name, f in found.items()
    ]
    print(table(["backbone", "macro AUC, validation", "balanced accuracy", "minutes", "MB"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
