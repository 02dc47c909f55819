"""Fit the weights that tell how a chest film lies, and count how often they and the input gate are right.

    python -m ml_model.training.commands.film_pose --data ml_model/Dataset [--limit 300]

Prints the weights as `ml_model/inputs/film_pose.py` has them, and by how many thousandths they differ from those. The
table is of validation films, and of at most --limit training and validation pictures of every other kind: on it
`CERTAIN_FROM` and `PUT_RIGHT_FROM` were chosen.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.modality_classifier import BUNDLE_ID, modality_spec
from ml_model.inputs.film_pose import WEIGHTS
from ml_model.tasks.registry import load_image_tasks
from ml_model.training.commands.command_line import command_parser
from ml_model.training.data.readers import DatasetNotFound, read_task
from ml_model.training.input_gate.film_pose import exchanged_figures, fitted_weights, pose_figures, training_films
from ml_model.training.reports.kept_figures import HEAD


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, compare, measure. Kinds of which there are no data are left out."""
    options = command_parser(__doc__ or "", "--data", "--models", "--limit").parse_args(arguments)
    film_task = next(task for task in load_image_tasks() if task.input.film)
    fitted = fitted_weights(film_task, training_films(film_task, options.data))
    print(*(f"    ({', '.join(map(str, row))})," for row in fitted.tolist()), sep="\n")
    differ = int(np.abs(fitted - WEIGHTS).max())
    print(f"differ from those that are served by at most {differ} thousandths", *HEAD, sep="\n", flush=True)
    films = [s for s in read_task(options.data, film_task) if s.split == "val"]
    print(*pose_figures(film_task, films), sep="\n", flush=True)
    path, contract = (options.models or MODELS_DIR) / BUNDLE_ID, modality_spec().contract_sha256
    gate = Predictor(load_bundle(path, task=BUNDLE_ID, contract_sha256=contract))
    print(*exchanged_figures(film_task, films, gate, "films"), sep="\n", flush=True)
    for task in load_image_tasks():
        if task.signal or task.input.film:
            continue
        try:
            samples = [s for s in read_task(options.data, task) if s.split != "test"]
        except DatasetNotFound:
            continue
        chosen = np.random.default_rng(0).permutation(len(samples))[: options.limit or 300]
        some = [samples[i] for i in sorted(chosen)]
        print(*exchanged_figures(film_task, some, gate, f"pictures of {task.id}"), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
