"""The command line of recipes on recordings: read, train, export, evaluate, write the bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ml_model.errors import MediDiagnoseError
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.command import DATASET_DIR
from ml_model.training.data.readers import DatasetNotFound, read_task
from ml_model.training.data.splits import SplitError
from ml_model.training.fit.signal_trainer import read_signals, train_signals, training_minutes
from ml_model.training.job import SignalJob
from ml_model.training.recipe import SignalRecipe


def parser(description: str) -> argparse.ArgumentParser:
    """Options; what is not given stays as the recipe says."""
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", type=Path, default=DATASET_DIR, help="a data set's folder, or the folder that holds them")
    p.add_argument("--out", type=Path, help="where the bundle goes (default runs/<task>-signal)")
    p.add_argument("--epochs", type=int, help="epochs of each network")
    p.add_argument("--members", type=int, help="how many of the recipe's networks are trained and averaged")
    p.add_argument("--limit", type=int, help="at most so many recordings per split, for a trial run")
    p.add_argument("--resume", action="store_true", help="go on where an interrupted run stopped")
    p.add_argument("--measure", type=Path, metavar="BUNDLE", help="settle and measure a trained bundle anew")
    p.add_argument("--train-only", action="store_true", help="stop before the test split is read; --resume finishes")
    return p


def run_signal_recipe(recipe: SignalRecipe, description: str, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train; returns the exit code (1 with a sentence on what was wrong)."""
    options = parser(description).parse_args(arguments)
    members = recipe.members[: options.members]
    try:
        return _run(replace(recipe, epochs=options.epochs or recipe.epochs, members=members), options)
    except (MediDiagnoseError, DatasetNotFound, SplitError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(recipe: SignalRecipe, options: argparse.Namespace) -> int:
    task = load_task(recipe.task)
    if not isinstance(task, ImageTask) or task.signal is None:
        raise ValueError(f"{recipe.task}: the task file declares no [signal]")
    out_dir: Path = options.out or Path("runs") / f"{task.id}-signal"
    samples = read_task(options.data, task, limit=options.limit)
    print(f"{task.title}: {len(samples)} recordings of {len({s.group for s in samples})} patients")
    job = SignalJob(task, recipe, samples, read_signals(samples, task.signal), out_dir, options.resume)
    if options.measure:
        from ml_model.training.pipeline import kept_metrics, measure_again
        from ml_model.training.signal_finish import measure_signals

        fields, old = measure_again(job, options.measure)
        measure_signals(job, fields, kept_metrics(old), old)
        return 0
    model, minutes = train_signals(job), training_minutes(job)
    if options.train_only:
        print(f"trained in {minutes:.1f} minutes; the same command with --resume makes the bundle")
        return 0
    from ml_model.training.signal_finish import (
        finish_signals,
    )  # after the training: needs much that a training does not

    bundle = finish_signals(job, model, minutes)
    print(f"bundle in {bundle.path} after {minutes:.1f} minutes of training")
    return 0
