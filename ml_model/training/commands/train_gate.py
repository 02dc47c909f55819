"""The command line of the input gate's recipe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ml_model.training.commands.command_line import command_parser, run_command
from ml_model.training.commands.figures import figures_of
from ml_model.training.recipe import GateRecipe
from ml_model.training.startup import start_keras

SHARED = ("--data", "--out", "--weights", "--epochs", "--limit", "--mixed-precision", "--resume", "--train-only")


def run_gate_recipe(recipe: GateRecipe, description: str, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train; returns the exit status (1 with a sentence on what was wrong)."""
    options = command_parser(description, *SHARED).parse_args(arguments)
    chosen = replace(recipe, epochs=options.epochs or recipe.epochs, mixed_precision=options.mixed_precision)
    return run_command(partial(_train, chosen), options)


def _train(recipe: GateRecipe, options: argparse.Namespace) -> int:
    from ml_model.input_gate.modality_classifier import BUNDLE_ID, modality_spec
    from ml_model.training.data.decoded_cache import decode_all
    from ml_model.training.input_gate.data import gate_samples

    spec, out_dir = modality_spec(), options.out or Path("runs") / BUNDLE_ID
    samples = gate_samples(options.data, out_dir / "cache" / "drawn", options.limit)
    print(f"Input gate: {len(samples)} pictures of {len(spec.kinds)} kinds")
    weights = None if options.weights == "none" else options.weights
    start_keras()
    from ml_model.training.input_gate.fit import finish_gate, train_gate
    from ml_model.training.models.image_classifier import check_weights

    check_weights(recipe.backbone, weights)
    pixels = decode_all(samples, spec.input, out_dir / "cache")
    model, minutes = train_gate(recipe, spec, samples, pixels, weights, out_dir, resume=options.resume)
    if options.train_only:
        print(f"trained in {minutes:.1f} minutes; the same command with --resume makes the bundle")
        return 0
    bundle = finish_gate(recipe, spec, samples, pixels, model, minutes, out_dir)
    print(f"{figures_of(bundle)}\n{minutes:.1f} minutes of training")
    return 0
