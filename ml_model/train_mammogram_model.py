"""Train the mammogram model (RSNA screening mammography 2022; cancer or not, single films).

    python ml_model/train_mammogram_model.py --data ml_model/Dataset/rsna_mammography
    python ml_model/train_mammogram_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

Films are cropped to the breast with the chest wall on the left. Splits are by patient; figures are given for
single films and for breasts, whose views are averaged. No model is shipped yet: two epochs at 320 pixels and a rate of
3e-4 gave an AUC of .60 on validation, less than frozen features (.65), so the rate here is lower and the size full.
"""

from __future__ import annotations

import sys

from ml_model.training.augment import Augmentation
from ml_model.training.command import run_recipe
from ml_model.training.recipe import Phase, Recipe

RECIPE = Recipe(
    task="mammogram",
    phases=(
        Phase("head", epochs=15, size_px=224, learning_rate=2e-3, frozen=True),
        Phase("low-resolution", epochs=8, size_px=224, learning_rate=3e-4),
        Phase("all-layers", epochs=4, size_px=448, learning_rate=1e-4, batch_size=16),
    ),
    augmentation=Augmentation(
        vertical_flip=True, horizontal_flip=False, rotation_degrees=15, zoom=0.2, stretch=0.15, brightness=0.1,
        contrast=0.3, erase=0.2, noise_levels=12,
    ),
    label_smoothing=0.1,
    ema_momentum=0.98,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
