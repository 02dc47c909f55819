"""Train the breast ultrasound model (BUSI, six BI-RADS classes); figures and cost are in its card.

    python ml_model/train_breast_cancer_model.py --data ml_model/Dataset/Dataset_BUSI_with_GT
    python ml_model/train_breast_cancer_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

The data set knows three labels. Which category a benign (2, 3) or malignant (4, 5, 6) picture
is trained as follows from its pixels, by the rule in the task file; what is measured against a
diagnosis is the three-label figure, the sum of the categories. What was tried so that pictures
sent at another size are named alike is in docs/training.md.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe

RECIPE = Recipe(
    task="breast",
    phases=(
        Phase("head", epochs=20, size_px=224, learning_rate=2e-3, frozen=True),
        Phase("all-layers", epochs=16, size_px=224, learning_rate=3e-4, batch_size=16),
    ),
    augmentation=Augmentation(rotation_degrees=12, zoom=0.2, brightness=0.15, contrast=0.3, erase=0.2),
    label_smoothing=0.05,
    ema_momentum=0.98,  # few steps: the usual .995 lags behind
    served_prior_weight=1.0,  # with the flips better on validation: docs/training.md
    test_time_flips=("horizontal",),
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
