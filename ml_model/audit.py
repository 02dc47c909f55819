"""Audit a data set before training on it, or measure a model on a site's own cases.

    python -m ml_model.audit ml_model/Dataset/HAM10000
    python -m ml_model.audit --evaluate CASES --task breast

The first reports counts per split and label, exact duplicates (same pixels, same signal), near duplicates of pictures
(difference hash within 4 of 64 bits) and groups in two splits. Exits 1 when the test or validation split
leaks into training: a group, or an exact duplicate, on both sides.

The second answers every case as the service does and writes a page (evaluation-<task>.md, or --into FILE), with the
same figures as JSON beside it. CASES: a folder with split.csv (file,label,group), or with a folder of pictures for each
label. At the end it asks whether to write the operating points that would fit into a settings file, which the service
reads by LOCAL_OPERATING_POINTS; --write SETTINGS.json writes it unasked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ml_model.training.commands.command_line import command_parser, existing_folder, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """0 without leakage, or where a page was written; 1 with leakage; 2 when the folder holds no known data set, or a
    file of it cannot be read, or a label is unknown."""
    parser = command_parser(__doc__ or "", "--models")
    parser.add_argument("data", type=existing_folder, nargs="?")
    parser.add_argument("--evaluate", type=existing_folder, metavar="CASES", help="measure a model on these cases")
    parser.add_argument("--task", help="the task whose model is measured")
    parser.add_argument("--into", type=Path, metavar="FILE", help="the page (default: evaluation-<task>.md here)")
    parser.add_argument("--write", type=Path, metavar="SETTINGS.json", help="write the operating points, unasked")
    parser.add_argument("--by", metavar="NAME", help="who chose them, for the settings file (default: the user's name)")
    options = parser.parse_args(arguments)
    if (options.data is None) == (options.evaluate is None):
        parser.error("give one folder: DATA to audit it, or --evaluate CASES --task TASK")
    if options.evaluate and not options.task:
        parser.error("--evaluate: which model? give --task")
    return run_command(_evaluate if options.evaluate else _audit, options, failed=2)


def _evaluate(options: argparse.Namespace) -> int:
    from ml_model.training.site.command import evaluate

    return evaluate(options)


def _audit(options: argparse.Namespace) -> int:
    from ml_model.tasks.registry import load_image_tasks
    from ml_model.training.data.audit import audit, report
    from ml_model.training.data.readers import find_root, read_dataset

    data = options.data
    found = {d.name: (d, root) for t in load_image_tasks() for d in t.datasets if (root := find_root(data, d))}
    if not found:
        raise ValueError(f"{data} holds no data set that a task file names")
    leaks = False
    for name, (dataset, root) in found.items():
        result = audit(read_dataset(root, dataset, seed=0))
        print(f"{name}\n{report(result)}")
        leaks |= result.leaks
    return int(leaks)


if __name__ == "__main__":
    sys.exit(main())
