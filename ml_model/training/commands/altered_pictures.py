"""What becomes of test pictures that come framed, in a viewer's window, photographed off a screen, turned or noisy.

    python -m ml_model.training.commands.altered_pictures --data ml_model/Dataset [--limit 120] [--split test]

Prints a table, and with --into writes it between the marks of a page and, as JSON, beside it, where lines of tasks that
were not measured stay. The ways of photographing are none that a threshold was chosen on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ml_model.diagnosis.pipeline import Engines
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.input_gate.modality_classifier import BUNDLE_ID, modality_spec
from ml_model.tasks.registry import load_image_tasks
from ml_model.training.commands.command_line import command_parser
from ml_model.training.data.readers import read_task
from ml_model.training.input_gate.altered_pictures import Remembering, figures_of, read_pictures
from ml_model.training.reports.kept_figures import HEAD, Figure, kept_beside, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every task of pictures that are no pages."""
    parser = command_parser(__doc__ or "", "--data", "--models", "--limit")
    parser.add_argument("--split", choices=("val", "test"), default="test", help="which pictures (default: test)")
    parser.add_argument("--task", action="append", help="only this one; may be given again")
    parser.add_argument("--into", type=Path, help="a page with the marks of the table")
    options = parser.parse_args(arguments)
    models = options.models or MODELS_DIR
    gate = Remembering(load_bundle(models / BUNDLE_ID, task=BUNDLE_ID, contract_sha256=modality_spec().contract_sha256))
    figures = list[Figure]()
    print(*HEAD, sep="\n")
    for task in load_image_tasks():
        if task.signal or (options.task and task.id not in options.task):
            continue
        predictor = Remembering(load_bundle(models / task.id, task=task.id, contract_sha256=task.contract_sha256))
        engines = Engines(pictures=predictor, gate=gate, tasks=tuple(load_image_tasks()))
        samples = [s for s in read_task(options.data, task) if s.split == options.split]
        chosen = np.random.default_rng(0).permutation(len(samples))[: options.limit or 120]
        for figure in figures_of(task, read_pictures(task, [samples[i] for i in sorted(chosen)], engines), engines):
            print(figure, flush=True)
            figures.append(figure)
    if options.into:
        measured = {_task_of(figure) for figure in figures}
        kept = [figure for figure in kept_beside(options.into) if _task_of(figure) not in measured]
        write(sorted([*kept, *figures], key=_task_of), options.into)
    return 0


def _task_of(figure: Figure) -> str:
    return figure.what.split(":")[0]


if __name__ == "__main__":
    sys.exit(main())
