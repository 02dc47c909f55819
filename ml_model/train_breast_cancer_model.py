"""Train the breast ultrasound model (BUSI, six BI-RADS classes).

    python ml_model/train_breast_cancer_model.py --data ml_model/Dataset/Dataset_BUSI_with_GT
    python ml_model/train_breast_cancer_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

The data set knows three labels; a benign picture may be category 2 or 3, a malignant one 4, 5
or 6. The loss rewards the sum of the categories that a label can stand for, and what is
measured is the three-label figure.
"""

from __future__ import annotations

import sys

from ml_model.training.augment import Augmentation
from ml_model.training.command import run_recipe
from ml_model.training.recipe import Phase, Recipe

RECIPE = Recipe(
    task="breast",
    phases=(
        Phase("head", epochs=20, size_px=224, learning_rate=2e-3, frozen=True),
        Phase("all-layers", epochs=12, size_px=224, learning_rate=3e-4, batch_size=16),
    ),
    augmentation=Augmentation(rotation_degrees=12, zoom=0.2, brightness=0.15, contrast=0.3, erase=0.2),
    label_smoothing=0.05,
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
