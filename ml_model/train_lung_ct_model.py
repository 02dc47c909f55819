"""Train the lung CT model (single chest CT slices, three types of lung cancer and normal).

    python ml_model/train_lung_ct_model.py --data ml_model/Dataset   # the folder that holds both data sets
    python ml_model/train_lung_ct_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

The second data set calls a slice malignant without its type: there the loss rewards the sum of
the three types, and only that sum is measured. Its benign slices are left out. Slices are cut to the trunk and brought
to one window, and what still tells the two hospitals apart is taken out of the embedding: they differ in their share
of cancer. Figures, among them how far the embedding still tells the data sets apart, and cost are in the model's card.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe

RECIPE = Recipe(
    task="lung-ct",
    phases=(
        Phase("head", epochs=20, size_px=224, learning_rate=2e-3, frozen=True),
        Phase("low-resolution", epochs=12, size_px=160, learning_rate=5e-4),
        Phase("full-resolution", epochs=10, size_px=224, learning_rate=2e-4, batch_size=16),
    ),
    augmentation=Augmentation(
        rotation_degrees=15, zoom=0.25, stretch=0.15, brightness=0.2, contrast=0.3, erase=0.2, noise_levels=16
    ),
    label_smoothing=0.05,
    forget_sources=True,
    ema_momentum=0.98,  # few steps: the usual .995 lags behind
    test_time_flips=("horizontal",),  # better on validation: docs/training.md
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
