"""Run the recipe that trains a task.

python -m ml_model.training.commands.recipes TASK [OPTIONS]     # `make train-<task>`
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from ml_model.training.commands.command_line import one_of

FOLDER = Path(__file__).parents[2]
BOTH = "image_classification.py"  # the one file with two recipes
ENDINGS = ("_model", "_image", "_cancer")  # of file names, which the names of tasks lack


def recipe_files() -> dict[str, list[str]]:
    """The command that trains each task: a file of ml_model and what of `--task` belongs to it."""
    found = {task: [BOTH, "--task", task] for task in ("skin", "xray")}
    for path in sorted(FOLDER.glob("train_*.py")):
        name = path.stem.removeprefix("train_")
        for ending in ENDINGS:
            name = name.removesuffix(ending)
        found[name.replace("_", "-")] = [path.name]
    return found


def main(arguments: list[str]) -> None:
    """Hands everything behind the task's name on to its recipe, whose exit status is that of the process."""
    files = recipe_files()
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("task", type=one_of(tuple(files), "recipe"), metavar="TASK", help=", ".join(files))
    parser.add_argument("options", nargs=argparse.REMAINDER, metavar="OPTIONS", help="those of the recipe: see --help")
    if arguments[:1] in ([], ["--help"], ["-h"]):
        parser.print_help()
        return
    chosen = parser.parse_args(arguments)
    file, *task = files[chosen.task]
    sys.argv = [str(FOLDER / file), *task, *chosen.options]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
