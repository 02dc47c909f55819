"""The command lines of the recipes on pictures and on recordings: read, train, export, evaluate, write the bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from ml_model.training.commands.command_line import (
    command_parser,
    existing_file,
    fold_count,
    one_of,
    positive_int,
    run_command,
)
from ml_model.training.commands.figures import figures_of
from ml_model.training.recipe import BACKBONES, Phase, Recipe, SignalRecipe
from ml_model.training.startup import start_keras

if TYPE_CHECKING:
    from ml_model.training.job import Job, SignalJob

SHARED = ("--data", "--out", "--epochs", "--limit", "--resume", "--measure", "--train-only")


def image_parser(description: str) -> argparse.ArgumentParser:
    """Options of a recipe on pictures; what is not given stays as the recipe says."""
    p = command_parser(description, *SHARED, "--weights", "--seed", "--mixed-precision")
    p.add_argument("--backbone", choices=BACKBONES)
    p.add_argument("--size", type=positive_int, help="picture size in pixels while fine-tuning (served at the task's)")
    p.add_argument("--batch", type=positive_int, help="pictures per step while fine-tuning")
    p.add_argument("--loss", choices=("cross_entropy", "focal"))
    p.add_argument("--deterministic", action="store_true", help="same weights from the same seed, slower")
    p.add_argument("--cross-validate", type=fold_count, metavar="FOLDS", help="measure the data set too small to split")
    p.add_argument("--leave-sources-out", action="store_true", help="measure data sets by trainings without them")
    p.add_argument("--frame-control", action="store_true", help="measure what the frame of the picture tells alone")
    return p


def signal_parser(recipe: SignalRecipe, description: str) -> argparse.ArgumentParser:
    """Options of a recipe on recordings."""
    p = command_parser(description, *SHARED)
    p.add_argument("--published", type=existing_file, help="published tensors to start from (default: from nothing)")
    most = range(1, len(recipe.members) + 1)
    p.add_argument("--members", type=int, choices=most, help="how many of the recipe's networks are averaged")
    return p


def chosen_recipe(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with the command line's choices in it. `--epochs` fine-tunes at the last phase's size alone."""
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
        backbone=options.backbone or recipe.backbone,
        loss=options.loss or recipe.loss,
        seed=recipe.seed if options.seed is None else options.seed,
        mixed_precision=options.mixed_precision or recipe.mixed_precision,
        deterministic=options.deterministic,
    )


def run_recipe(recipe: Recipe, description: str, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train; returns the exit status (1 with a sentence on what was wrong)."""
    return run_command(partial(_train_pictures, recipe), image_parser(description).parse_args(arguments))


def run_one_of(
    recipes: Mapping[str, Recipe], question: str, description: str, arguments: Sequence[str] | None = None
) -> int:
    """`run_recipe` for the one that `--task` names; without it, asks which one, and where the data are.

    question: offers the recipes by number, in their order.
    """
    p = image_parser(description)
    p.add_argument("--task", type=one_of(tuple(recipes), "recipe"), help=f"one of {', '.join(recipes)}")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = p.parse_args(given)
    if options.task is None:
        try:
            options = p.parse_args([*given, *_asked(question, tuple(recipes), of_data=not given)])
        except (EOFError, RuntimeError):  # nobody there: standard input is at its end, or closed
            p.error(f"which model? give --task {' or --task '.join(recipes)}")
    return run_command(partial(_train_pictures, recipes[options.task]), options)


def _asked(question: str, names: Sequence[str], *, of_data: bool) -> list[str]:
    answer = input(question).strip()
    number = int(answer) if answer.isdecimal() else 0
    task = ["--task", names[number - 1] if 0 < number <= len(names) else answer]
    folder = input("Folder with the data (empty: ml_model/Dataset): ").strip() if of_data else ""
    return [*task, "--data", folder] if folder else task


def run_signal_recipe(
    recipe: SignalRecipe, description: str, arguments: Sequence[str] | None = None, *, tuned: SignalRecipe | None = None
) -> int:
    """Parse the command line and train on recordings; returns the exit status, as `run_recipe` does.

    tuned: the recipe that starts from published tensors, where they are given.
    """
    options = signal_parser(tuned or recipe, description).parse_args(arguments)
    recipe = tuned if tuned and options.published else recipe
    epochs = {"epochs": options.epochs, "tuned_epochs": options.epochs} if options.epochs else {}
    chosen = replace(recipe, members=recipe.members[: options.members], **epochs)
    return run_command(partial(_train_recordings, chosen), options)


def _train_pictures(recipe: Recipe, options: argparse.Namespace) -> int:
    job = _image_job(chosen_recipe(recipe, options), options)
    if options.frame_control:
        from ml_model.training.evaluation.border_baseline import frame_only
        from ml_model.training.pipeline import add_metrics

        add_metrics(job, frame_only=frame_only(job.task, job.samples, job.pixels))
        return 0
    if options.measure:
        from ml_model.training.pipeline import kept_metrics, measure_again, measure_pictures

        fields, old = measure_again(job, options.measure)
        print(figures_of(measure_pictures(job, fields, kept_metrics(old), old.populations, old)))
        return 0
    from ml_model.training.fit.checkpoints import training_minutes
    from ml_model.training.fit.image_trainer import train

    model, minutes = train(job), training_minutes(job.out_dir)
    if options.cross_validate:
        from ml_model.training.fit.cross_validation import cross_validate
        from ml_model.training.pipeline import add_metrics

        figures = cross_validate(job, options.cross_validate)
        add_metrics(job, cross_validation=figures)
        print(f"{figures.source}: AUC {figures.model.macro_auc.value:.3f}; it stands in the bundle's card")
        return 0
    if options.leave_sources_out:
        from ml_model.training.fit.leave_source_out import leave_sources_out
        from ml_model.training.pipeline import add_metrics

        left_out = leave_sources_out(job)
        add_metrics(job, left_out=left_out)
        for source, figure in left_out.items():
            print(f"without {source}: AUC {figure.macro_auc.value if figure.macro_auc else float('nan'):.3f} on it")
        return 0
    if options.train_only:
        return _trained_only(minutes)
    from ml_model.training.pipeline import finish  # after the training: needs much that a training does not

    print(f"{figures_of(finish(job, model, minutes))}\n{minutes:.1f} minutes of training")
    return 0


def _image_job(recipe: Recipe, options: argparse.Namespace) -> Job:
    """Task, samples and decoded pictures of a run."""
    from ml_model.tasks.registry import ImageTask, load_task
    from ml_model.training.data.decoded_cache import decode_all
    from ml_model.training.data.ecg_pages import with_page_styles
    from ml_model.training.data.pixel_derived_labels import refine_labels
    from ml_model.training.data.readers import read_external, read_task
    from ml_model.training.skin.around import with_ita_bands

    task = load_task(recipe.task)
    if not isinstance(task, ImageTask):
        raise ValueError(f"{recipe.task} is not an image task")
    out_dir: Path = options.out or Path("runs") / task.id
    samples = read_task(options.data, task, seed=recipe.seed, limit=options.limit)
    external = read_external(options.data, task)
    weights = None if options.weights == "none" else options.weights
    start_keras()  # takes long: not before the data are found
    from ml_model.training.job import Job
    from ml_model.training.models.image_classifier import check_weights

    if not (options.measure or options.frame_control):
        check_weights(recipe.backbone, weights)
    samples = with_page_styles(samples, recipe.looks_per_record)
    print(f"{task.title}: {len(samples)} pictures of {len({s.group for s in samples})} groups")
    pixels = decode_all(samples, task.input, out_dir / "cache")
    samples = refine_labels(task, samples, pixels)
    if task.skin_tone:
        samples = with_ita_bands(samples, pixels)
    return Job(
        task=task, recipe=recipe, samples=samples, pixels=pixels, out_dir=out_dir, weights=weights,
        resume=options.resume, external=external,
    )  # fmt: skip


def _train_recordings(recipe: SignalRecipe, options: argparse.Namespace) -> int:
    job = _signal_job(recipe, options)
    if options.measure:
        from ml_model.training.pipeline import kept_metrics, measure_again, measure_signals

        fields, old = measure_again(job, options.measure)
        print(figures_of(measure_signals(job, fields, kept_metrics(old), old)))
        return 0
    from ml_model.training.fit.checkpoints import training_minutes
    from ml_model.training.fit.signal_trainer import train_signals

    model, minutes = train_signals(job), training_minutes(job.out_dir)
    if options.train_only:
        return _trained_only(minutes)
    from ml_model.training.pipeline import finish_signals

    print(f"{figures_of(finish_signals(job, model, minutes))}\n{minutes:.1f} minutes of training")
    return 0


def _signal_job(recipe: SignalRecipe, options: argparse.Namespace) -> SignalJob:
    """Task, samples and recordings of a run."""
    from ml_model.tasks.registry import ImageTask, load_task
    from ml_model.training.data.readers import read_external, read_task

    task = load_task(recipe.task)
    if not isinstance(task, ImageTask) or task.signal is None:
        raise ValueError(f"{recipe.task}: the task file declares no [signal]")
    out_dir: Path = options.out or Path("runs") / f"{task.id}-signal"
    samples = read_task(options.data, task, limit=options.limit)
    start_keras()
    from ml_model.training.fit.signal_trainer import read_signals
    from ml_model.training.job import SignalJob

    print(f"{task.title}: {len(samples)} recordings of {len({s.group for s in samples})} patients")
    signals = read_signals(samples, task.signal)
    return SignalJob(
        task=task, recipe=recipe, samples=samples, signals=signals, out_dir=out_dir, resume=options.resume,
        external=read_external(options.data, task), weights=str(options.published) if options.published else None,
    )  # fmt: skip


def _trained_only(minutes: float) -> int:
    print(f"trained in {minutes:.1f} minutes; the same command with --resume makes the bundle")
    return 0
