"""The command lines of the recipes on symptoms and on risk factors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ml_model.training.commands.command_line import command_parser, run_command
from ml_model.training.commands.figures import figures_of


def run_symptom_recipe(task_id: str, description: str, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train; returns the exit status (1 with a sentence on what was wrong)."""
    return run_command(partial(_train_symptoms, task_id), _parser(description).parse_args(arguments))


def run_risk_recipe(task_id: str, description: str, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train; returns the exit status, as `run_symptom_recipe` does."""
    return run_command(partial(_train_risk, task_id), _parser(description).parse_args(arguments))


def _parser(description: str) -> argparse.ArgumentParser:
    p = command_parser(description, "--data", "--out", "--seed")
    p.set_defaults(seed=0)
    return p


def _train_symptoms(task_id: str, options: argparse.Namespace) -> int:
    from ml_model.tasks.registry import SymptomTask, load_task
    from ml_model.training.data.tables import find_folder
    from ml_model.training.symptoms.bundle import train

    task = load_task(task_id)
    if not isinstance(task, SymptomTask):
        raise ValueError(f"{task_id} is not a symptom task")
    out_dir = options.out or Path("runs") / task_id
    bundle = train(task, find_folder(options.data, "symptoms"), out_dir, options.seed)
    print(figures_of(bundle))
    return 0


def _train_risk(task_id: str, options: argparse.Namespace) -> int:
    from ml_model.tasks.registry import RiskTask, load_task
    from ml_model.training.data.tables import find_folder
    from ml_model.training.heart_risk.bundle import train

    task = load_task(task_id)
    if not isinstance(task, RiskTask):
        raise ValueError(f"{task_id} is not a risk task")
    out_dir = options.out or Path("runs") / task_id
    bundle = train(task, find_folder(options.data, "heart_risk"), out_dir, options.seed)
    print(figures_of(bundle))
    return 0
