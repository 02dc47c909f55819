"""Make an answer again from the answer itself and what was sent, and compare the two bit for bit.

    python -m ml_model.replay RESULT.json FILE [FILE ...] [--models DIR] [--local-operating-points FILE]

RESULT.json is what POST /analyze/<task>, /predict, /predict/breast-cancer, /predict-disease or /predict-heart answered;
the files are those of the request, in its order, or its JSON body. An answer whose `model` names local_operating_points
needs the file that has them, as the service was given it. Exit status: 0 the same figures and the same
finding, 1 others, 2 it cannot be made again (another file, another model, a user's own model, demo mode).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from ml_model.training.commands.command_line import command_parser, existing_file, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = command_parser(__doc__ or "", "--models")
    parser.add_argument("result", type=existing_file, metavar="RESULT.json")
    parser.add_argument("--local-operating-points", type=existing_file, help="the site's own thresholds")
    parser.add_argument("files", type=existing_file, nargs="+", metavar="FILE")
    return run_command(_replay, parser.parse_args(arguments), failed=2)


def _replay(options: argparse.Namespace) -> int:
    from ml_model.diagnosis.reproduction import replay
    from ml_model.inference.bundle import MODELS_DIR

    result = json.loads(options.result.read_bytes())
    made = replay(result, [(path.name, path.read_bytes()) for path in options.files], options.models or MODELS_DIR,
                  options.local_operating_points)  # fmt: skip
    for name, p in made.answered.figures.items():
        again = made.again.figures.get(name)
        print(f"{name:24} {p!r:22} {'identical' if again == p else repr(again)}")
    print(f"named: {made.answered.named}, again: {made.again.named}")
    if not made.same_preprocessing:
        print("note: the decoding code, its libraries or the task's input differ from those of the answer")
    print("identical" if made.identical else "NOT identical")
    return 0 if made.identical else 1


if __name__ == "__main__":
    sys.exit(main())
