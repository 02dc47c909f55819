"""Train the breast histology model (IDC patches and BreakHis 100x; benign or malignant).

    python ml_model/train_histopathology_model.py --data ml_model/Dataset   # the folder that holds both data sets
    python ml_model/train_histopathology_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run
    python ml_model/train_histopathology_model.py --data DIR --resume --cross-validate 5   # then BreakHis by patient

Both show a field of some 200 micrometres, at 50 and at 460 pixels: resolution and staining are varied in training. All
layers learn on the patches; BreakHis, whose "benign" is not the patches' "negative", gets a linear head of its own, by
patient. It has so few of them that its figure is that of the cross-validation, in which that head is fitted anew. It
reads an early layer, and files are not re-encoded in training: docs/training.md, "What was tried", says why. Figures
and cost are in the model's card.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe

IDC, BREAKHIS = "IDC breast histology patches", "BreakHis 100x"
RECIPE = Recipe(
    task="histopathology",
    phases=(
        Phase("head", epochs=10, size_px=128, learning_rate=2e-3, frozen=True, sources=(IDC,), pictures=7616),
        Phase("patches", epochs=8, size_px=128, learning_rate=5e-4, batch_size=64, sources=(IDC,)),
    ),
    last_layer="block5e_add",  # texture; the rest of the backbone only hurt on validation
    augmentation=Augmentation(
        vertical_flip=True, rotation_degrees=90, zoom=0.25, brightness=0.1, saturation=0.2,
        stain=0.3, coarse=0.5, noise_levels=12,
    ),
    source_power=1.0,
    label_smoothing=0.05,
    ema_momentum=0.98,
    test_time_flips=("horizontal", "vertical"),
    cross_validated=BREAKHIS,
    own_head_for=BREAKHIS,
    own_head_layer="block2b_add",
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
