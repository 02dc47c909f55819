"""Train the brain MRI model (single slices: three groups of tumour or none).

    python ml_model/train_brain_mri_model.py --data ml_model/Dataset/brain_mri
    python ml_model/train_brain_mri_model.py --data ml_model/Dataset/brain_mri --epochs 1 --limit 200   # a trial run

The data set names no patients. Its split.csv keeps clusters of near-duplicate pictures together;
the download as published has none, and copies would then fall on both sides. Figures and cost are in the model's card.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe

RECIPE = Recipe(
    task="brain-mri",
    phases=(
        Phase("head", epochs=20, size_px=224, learning_rate=2e-3, frozen=True),
        Phase("low-resolution", epochs=5, size_px=160, learning_rate=5e-4),
        Phase("full-resolution", epochs=5, size_px=224, learning_rate=2e-4),
        Phase("second-round", epochs=4, size_px=224, learning_rate=2e-4),
    ),
    augmentation=Augmentation(rotation_degrees=15, zoom=0.2, brightness=0.2, contrast=0.3, erase=0.2, noise_levels=16),
    label_smoothing=0.05,
    ema_momentum=0.98,  # few steps: the usual .995 lags behind
    test_time_flips=("horizontal",),  # better on validation: docs/training.md
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
