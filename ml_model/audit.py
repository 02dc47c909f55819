"""Audit a data set before training on it.

    python -m ml_model.audit ml_model/Dataset/HAM10000

Reports counts per split and label, exact duplicates (same pixels, same signal), near duplicates of pictures (difference
hash within 4 of 64 bits) and groups in two splits. Exits 1 when the test or validation split
leaks into training: a group, or an exact duplicate, on both sides.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ml_model.training.commands.command_line import command_parser, existing_folder, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """0 without leakage, 1 with, 2 when the folder holds no known data set or a file of it cannot be read."""
    parser = command_parser(__doc__ or "")
    parser.add_argument("data", type=existing_folder)
    return run_command(_audit, parser.parse_args(arguments), failed=2)


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
