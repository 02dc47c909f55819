"""A source left out: what a model that has seen no picture of a data set answers to its pictures.

Measured are the training and validation pictures of that set, so that this may choose between models; its test split
stays unread.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml_model.inference.measured import Brief
from ml_model.training.data.labels import label_space, target_masks
from ml_model.training.evaluation.evaluator import brief
from ml_model.training.evaluation.findings import finding_figures
from ml_model.training.evaluation.metrics import Scored, called
from ml_model.training.fit.cross_validation import HELD_OUT, answers
from ml_model.training.job import Job

RESULT = "sources_left_out.json"


def without_source(job: Job, source: str) -> Job:
    """The training on the other sources, beside the job's own, with the pictures of this one held out.

    Raises ValueError where there is no such source.
    """
    if source not in {s.source for s in job.samples}:
        raise ValueError(f"{job.task.id}: there are no pictures of {source} to leave out")
    folder = next(d.folder for d in job.task.datasets if d.name == source)
    held = [s.source == source and s.split in ("train", "val") for s in job.samples]
    samples = [replace(s, split=HELD_OUT) if out else s for s, out in zip(job.samples, held, strict=True)]
    return replace(job, samples=samples, out_dir=job.out_dir / f"without-{folder}", resume=True)


def leave_sources_out(job: Job) -> dict[str, Brief]:
    """Figures by source, for each of the recipe's `left_out` in turn; writes sources_left_out.json in `job.out_dir`.

    Raises ValueError when the recipe names none.
    """
    if not job.recipe.left_out:
        raise ValueError(f"{job.recipe.task}: the recipe names no data set to leave out")
    figures = {source: _measured(without_source(job, source), source) for source in job.recipe.left_out}
    plain = {source: figure.model_dump(mode="json", exclude_none=True) for source, figure in figures.items()}
    (job.out_dir / RESULT).write_text(json.dumps(plain, indent=1), encoding="utf-8")
    return figures


def _measured(job: Job, source: str) -> Brief:
    rows, space = job.rows(HELD_OUT), label_space(job.task, source)
    told = answers(job, rows)
    probabilities = told @ space.projection
    samples = job.pick(HELD_OUT)
    truth = target_masks(samples, job.task.codes) @ space.projection > 0
    groups = np.array([s.group for s in samples])
    scored = Scored(truth, called(probabilities, job.task.multi_label), probabilities, groups)
    return brief(scored, finding_figures(job.task, samples, told, None))


def sources_left_out(out_dir: Path) -> dict[str, Brief] | None:
    """What `leave_sources_out` wrote there, if it did."""
    path = out_dir / RESULT
    if not path.is_file():
        return None
    return {name: Brief.model_validate(figure) for name, figure in json.loads(path.read_bytes()).items()}
