"""`python -m ml_model.audit --evaluate DATA --task T`: the page of a site, in one command."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import date
from pathlib import Path

from ml_model.diagnosis.bundle_fit import require_fit
from ml_model.inference.bundle import MODELS_DIR, FindingThresholds
from ml_model.inference.files import write_whole
from ml_model.inference.local.settings import LocalPoint, LocalPoints, local_figures, write_local_points
from ml_model.inference.measured_findings import FindingMeasured
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.site.cases import read_cases
from ml_model.training.site.figures import SiteEvaluation
from ml_model.training.site.measuring import evaluate_site
from ml_model.training.site.page import page
from ml_model.training.site.served import gate_predictor, task_predictor

LOCAL_FILE = Path("local-operating-points.json")


def evaluate(options: argparse.Namespace) -> int:
    """Measure, write page and figures, and offer the operating points; 0. Raises ValueError and BundleInvalid where
    that cannot be."""
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
    offer(told, options.write, options.by)
    return 0


def offer(told: SiteEvaluation, file: Path | None, made_by: str | None) -> None:
    """Write the operating points that would fit into `file`, or, where none is named, into LOCAL_FILE after asking;
    with nobody there to ask nothing is written. Raises LocalPointsInvalid for a file that holds something else."""
    points = local_points(told, made_by or _user())
    if points is None:
        print("operating points: none can be chosen on these cases; the page says why")
        return
    if file is None and not sys.stdin.isatty():
        print("operating points: not written; give --write FILE to have them in a file for LOCAL_OPERATING_POINTS")
        return
    if file is None and not _agreed(f"Write the operating points that would fit here to {LOCAL_FILE}? [y/N] "):
        print("operating points: not written")
        return
    write_local_points(file or LOCAL_FILE, points)
    print(f"operating points: {file or LOCAL_FILE}, SHA-256 {points.sha256}\n"
          f"serve:   LOCAL_OPERATING_POINTS={file or LOCAL_FILE} python backend/server.py")  # fmt: skip


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in a container
        return "unknown"


def local_points(told: SiteEvaluation, made_by: str) -> LocalPoints | None:
    """What a settings file says of this model; None where nothing is offered."""
    found = {
        key: {
            code: _point(point.chosen, own.crossed.findings[code])
            for code, point in own.points.items()
            if point.chosen and own.crossed
        }
        for key, own in told.points.items()
    }
    kept = {key: points for key, points in found.items() if points}
    if not kept:
        return None
    return LocalPoints(
        task=told.model, model_sha256=told.sha256, made_by=made_by, made_on=date.fromisoformat(told.made_on),
        data=told.data, cases=told.here.count, groups=told.here.groups, findings=kept,
    )  # fmt: skip


def _point(chosen: FindingThresholds, crossed: FindingMeasured) -> LocalPoint:
    named = LocalPoint.model_fields.keys() - {"measured"}
    return LocalPoint(**chosen.model_dump(include=set(named)), measured=local_figures(crossed))
