"""Train the mammogram model (RSNA screening mammography 2022; cancer or not, single films).

    python ml_model/train_mammogram_model.py --data ml_model/Dataset/rsna_mammography
    python ml_model/train_mammogram_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

Films are cropped to the breast with the chest wall on the left, their levels equalised. Splits are by patient;
figures are given for single films and for breasts, whose views are averaged. AUC on validation by size: .653 at 224
pixels, .628 when that is trained on at 320, .626 at 448; without equalising .60 at 320; with means and maxima pooled
.632 at 224 and .570 after a first epoch at 448. It takes 11 minutes on 2 cores.
On the test split: AUC .632 (.539-.705) by film, .652 (.556-.737) by breast, too little to be relied on.
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
        Phase("all-layers", epochs=5, size_px=224, learning_rate=3e-4),
    ),
    augmentation=Augmentation(
        vertical_flip=True, horizontal_flip=False, rotation_degrees=15, zoom=0.2, stretch=0.15, brightness=0.1,
        contrast=0.3, erase=0.2, noise_levels=12,
    ),
    label_smoothing=0.1,
    test_time_flips=("vertical",),
    ema_momentum=0.98,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
