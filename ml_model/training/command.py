"""The command line that every image recipe shares: read, audit, train, export, evaluate, write the bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path

from ml_model.errors import MediDiagnoseError
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.data.readers import DatasetNotFound, read_task
from ml_model.training.data.splits import SplitError
from ml_model.training.recipe import BACKBONES, Phase, Recipe

DATASET_DIR = Path(__file__).parents[1] / "Dataset"


def parser(recipe: Recipe, description: str) -> argparse.ArgumentParser:
    """Options of a recipe; what is not given stays as the recipe says."""
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", type=Path, default=DATASET_DIR, help="a data set's folder, or the folder that holds them")
    p.add_argument("--out", type=Path, help="where the bundle goes (default runs/<task>)")
    p.add_argument("--weights", default="imagenet", help="imagenet (downloaded by Keras), a weights file, or none")
    p.add_argument("--backbone", choices=BACKBONES, default=recipe.backbone)
    p.add_argument("--epochs", type=int, help="fine-tune all layers for so many epochs, at the last phase's size")
    p.add_argument("--size", type=int, help="picture size in pixels while fine-tuning (served at the task's size)")
    p.add_argument("--batch", type=int, help="pictures per step while fine-tuning")
    p.add_argument("--loss", choices=("cross_entropy", "focal"), default=recipe.loss)
    p.add_argument("--seed", type=int, default=recipe.seed)
    p.add_argument("--limit", type=int, help="at most so many pictures per split, for a trial run")
    p.add_argument("--mixed-precision", action="store_true", help="bfloat16 arithmetic where the processor has it")
    p.add_argument("--deterministic", action="store_true", help="same weights from the same seed, slower")
    p.add_argument("--resume", action="store_true", help="go on where an interrupted run stopped")
    p.add_argument("--cross-validate", type=int, metavar="FOLDS", help="measure the data set too small to split")
    p.add_argument("--frame-control", action="store_true", help="measure what the frame of the picture tells alone")
    p.add_argument("--measure", type=Path, metavar="BUNDLE", help="settle and measure a trained bundle anew")
    p.add_argument("--train-only", action="store_true", help="stop before the test split is read; --resume finishes")
    return p


def chosen_recipe(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with the command line's choices in it."""
    phases = recipe.phases
    if options.epochs is not None:
        last = max(i for i, p in enumerate(phases) if not p.frozen)
        phases = tuple(p for i, p in enumerate(phases) if p.frozen or i == last)
        phases = tuple(p if p.frozen else replace(p, epochs=options.epochs) for p in phases)
    if options.weights == "none":
        phases = tuple(dropwhile(lambda p: p.frozen, phases))

    def adjust(phase: Phase) -> Phase:
        if phase.frozen:
            return phase
        return replace(phase, size_px=options.size or phase.size_px, batch_size=options.batch or phase.batch_size)

    return replace(
        recipe,
        phases=tuple(adjust(p) for p in phases),
        backbone=options.backbone,
        loss=options.loss,
        seed=options.seed,
        mixed_precision=options.mixed_precision or recipe.mixed_precision,
        deterministic=options.deterministic,
    )


def run_recipe(recipe: Recipe, description: str, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train; returns the exit code (1 with a sentence on what was wrong)."""
    options = parser(recipe, description).parse_args(arguments)
    try:
        return _run(chosen_recipe(recipe, options), options)
    except (MediDiagnoseError, DatasetNotFound, SplitError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(recipe: Recipe, options: argparse.Namespace) -> int:
    from ml_model.training.data.decoded_cache import decode_all
    from ml_model.training.data.ecg_pages import with_looks
    from ml_model.training.data.pixel_derived_labels import refine_labels
    from ml_model.training.fit.image_trainer import train, training_minutes
    from ml_model.training.job import Job

    task = load_task(recipe.task)
    if not isinstance(task, ImageTask):
        raise ValueError(f"{recipe.task} is not an image task")
    out_dir: Path = options.out or Path("runs") / task.id
    samples = read_task(options.data, task, seed=recipe.seed, limit=options.limit)
    samples = with_looks(samples, recipe.looks_per_record)
    print(f"{task.title}: {len(samples)} pictures of {len({s.group for s in samples})} groups")
    pixels = decode_all(samples, task.input, out_dir / "cache")
    weights = None if options.weights == "none" else options.weights
    samples = refine_labels(task, samples, pixels)
    job = Job(task, recipe, samples, pixels, out_dir, weights, options.resume)
    if options.frame_control:
        from ml_model.training.evaluation.border_baseline import frame_only
        from ml_model.training.pipeline import add_metrics

        add_metrics(job, frame_only=frame_only(task, samples, pixels))
        return 0
    if options.measure:
        from ml_model.training.pipeline import kept_metrics, measure_again, measure_pictures

        fields, old = measure_again(job, options.measure)
        measure_pictures(job, fields, kept_metrics(old), old.populations, old)
        return 0
    model = train(job)
    if options.cross_validate:
        from ml_model.training.fit.cross_validation import cross_validate
        from ml_model.training.pipeline import add_metrics

        figures = cross_validate(job, options.cross_validate)
        add_metrics(job, cross_validation=figures)
        print(f"{figures['source']}: AUC {figures['model']['macro_auc']['value']:.3f}; it stands in the bundle's card")
        return 0
    if options.train_only:
        print(f"trained in {training_minutes(job):.1f} minutes; the same command with --resume makes the bundle")
        return 0
    from ml_model.training.pipeline import finish

    minutes = training_minutes(job)
    bundle = finish(job, model, minutes)
    print(f"bundle in {bundle.path} after {minutes:.1f} minutes of training; serve it with MODEL_DIR={out_dir.parent}")
    return 0
