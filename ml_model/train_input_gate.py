"""Train the input gate: which of the kinds of picture that are read here is this, or is it something else?

    python ml_model/train_input_gate.py --data ml_model/Dataset    # the folder that holds all data sets
    python ml_model/train_input_gate.py --data DIR --weights PATH --epochs 1 --limit 60   # a trial run

It needs the data of every image task and `natural_images` (photographs of everyday things, with split.csv). Documents,
screenshots, plots, logos, noise and flat colours are drawn.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train_gate import run_gate_recipe
from ml_model.training.recipe import Augmentation, GateRecipe

RECIPE = GateRecipe(
    epochs=8,
    learning_rate=1e-3,
    batch_size=64,
    last_layer="block5e_add",
    augmentation=Augmentation(
        vertical_flip=True, rotation_degrees=20, zoom=0.35, stretch=0.25, brightness=0.2, contrast=0.3, saturation=0.5,
        codec=0.5, rescale=0.3, blur=0.25, noise=0.3, noise_levels=16, erase=0.3,
    ),
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run_gate_recipe(RECIPE, __doc__ or ""))
