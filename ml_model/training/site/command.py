"""`python -m ml_model.audit --evaluate DATA --task T`: the page of a site, in one command."""

from __future__ import annotations

import argparse
from pathlib import Path

from ml_model.diagnosis.bundle_fit import require_fit
from ml_model.inference.bundle import MODELS_DIR
from ml_model.inference.files import write_whole
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.site.cases import read_cases
from ml_model.training.site.measuring import evaluate_site
from ml_model.training.site.page import page
from ml_model.training.site.served import gate_predictor, task_predictor


def evaluate(options: argparse.Namespace) -> int:
    """Measure, and write page and figures; 0. Raises ValueError and BundleInvalid where that cannot be."""
    task, models = load_task(options.task), options.models or MODELS_DIR
    if not isinstance(task, ImageTask):
        raise ValueError(f"--task {task.id}: only tasks of pictures and recordings are evaluated on a site's cases")
    into: Path = options.into or Path(f"evaluation-{task.id}.md")
    if into.suffix == ".json":
        raise ValueError(f"--into {into}: names the page; its figures are written beside it as .json")
    if not into.parent.is_dir():
        raise ValueError(f"--into {into}: there is no folder {into.parent}")
    cases = read_cases(options.evaluate, task)
    predictor = task_predictor(task, models)
    require_fit(predictor.bundle, task)
    told = evaluate_site(cases, options.evaluate, predictor, gate_predictor(models))
    write_whole(into, (page(task, told).encode(),))
    write_whole(into.with_suffix(".json"), (told.model_dump_json(indent=1).encode() + b"\n",))
    print(f"page:    {into}\nfigures: {into.with_suffix('.json')}")
    return 0
