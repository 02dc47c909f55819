"""Train the lung CT model (single chest CT slices, three types of lung cancer and normal; 19 minutes on 2 cores).

    python ml_model/train_lung_ct_model.py --data ml_model/Dataset   # the folder that holds both data sets
    python ml_model/train_lung_ct_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

The second data set calls a slice malignant without its type: there the loss rewards the sum of
the three types, and only that sum is measured. Its benign slices are left out. Figures are in the model's card.
"""

from __future__ import annotations

import sys

from ml_model.training.augment import Augmentation
from ml_model.training.command import run_recipe
from ml_model.training.recipe import Phase, Recipe

RECIPE = Recipe(
    task="lung-ct",
    phases=(
        Phase("head", epochs=20, size_px=224, learning_rate=2e-3, frozen=True),
        Phase("low-resolution", epochs=6, size_px=160, learning_rate=5e-4),
        Phase("full-resolution", epochs=6, size_px=224, learning_rate=2e-4, batch_size=16),
    ),
    augmentation=Augmentation(
        rotation_degrees=15, zoom=0.25, stretch=0.15, brightness=0.2, contrast=0.3, erase=0.2, noise_levels=16
    ),
    label_smoothing=0.05,
    ema_momentum=0.98,  # few steps: the usual .995 lags behind
    test_time_flips=("horizontal",),  # on validation, 111 pictures: accuracy .937 against .901 without
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
