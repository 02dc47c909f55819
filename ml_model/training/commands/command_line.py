"""The options of every command, declared once with the types that check them, and the frame in which a command runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ml_model.errors import MediDiagnoseError

DATASET_DIR = Path(__file__).parents[2] / "Dataset"
Command = Callable[[argparse.Namespace], int]


def positive_int(text: str) -> int:
    """A whole number from 1 on."""
    return _whole(text, least=1)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"{number} is less than {least}")
    return number


def fold_count(text: str) -> int:
    """A whole number from 2 on."""
    return _whole(text, least=2)


def seed(text: str) -> int:
    """A whole number from 0 on."""
    return _whole(text, least=0)


def existing_folder(text: str) -> Path:
    """A folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is {'a file' if Path(text).exists() else 'not there'}; give a folder")
    return Path(text)


def existing_file(text: str) -> Path:
    """A file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is {'a folder' if Path(text).exists() else 'not there'}; give a file")
    return Path(text)


def folder_to_write(text: str) -> Path:
    """A folder that is there or can be made: no file has its name."""
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is a file; give a folder")
    return Path(text)


def starting_weights(text: str) -> str:
    """`imagenet`, `none` or the path of a file that is there."""
    if text not in ("imagenet", "none") and not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"no weights file at {text}; give --weights PATH, imagenet or none")
    return text


def one_of(names: Sequence[str], what: str) -> Callable[[str], str]:
    """The type of an option that takes one of `names`; what else is given is answered with the nearest of them."""

    def name(text: str) -> str:
        if text in names:
            return text
        near = get_close_matches(text.lower(), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise argparse.ArgumentTypeError(f"no {what} {text!r}; {hint}choose one of {', '.join(names)}")

    return name


OPTIONS: dict[str, dict[str, Any]] = {
    "--data": {
        "type": existing_folder,
        "default": DATASET_DIR,
        "help": "a data set's folder, or the folder that holds them (default: ml_model/Dataset)",
    },
    "--out": {"type": folder_to_write, "help": "where the bundle goes (default: a folder of its name in runs)"},
    "--weights": {
        "type": starting_weights,
        "default": "imagenet",
        "help": "imagenet (downloaded by Keras), a weights file, or none",
    },
    "--epochs": {"type": positive_int, "help": "so many epochs instead of the recipe's"},
    "--limit": {"type": positive_int, "help": "at most so many samples per split, for a trial run"},
    "--seed": {"type": seed, "help": "what chance starts from (default: the recipe's)"},
    "--mixed-precision": {"action": "store_true", "help": "bfloat16 arithmetic where the processor has it"},
    "--resume": {"action": "store_true", "help": "go on where an interrupted run stopped"},
    "--train-only": {"action": "store_true", "help": "stop before the test split is read; --resume finishes"},
    "--measure": {
        "type": existing_folder,
        "metavar": "BUNDLE",
        "help": "settle and measure a trained bundle anew",
    },
    "--models": {"type": existing_folder, "help": "the folder that holds the bundles (default: those shipped)"},
}


def command_parser(description: str, *shared: str) -> argparse.ArgumentParser:
    """A parser with those of OPTIONS that are named; a command adds what only it has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in shared:
        parser.add_argument(name, **OPTIONS[name])
    return parser


def run_command(command: Command, options: argparse.Namespace, *, failed: int = 1) -> int:
    """The exit status of a command; `failed`, with a sentence on stderr, where data or options do not do."""
    try:
        return command(options)
    except (MediDiagnoseError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return failed
