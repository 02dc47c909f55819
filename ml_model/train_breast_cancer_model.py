"""Train the breast ultrasound model (BUSI, six BI-RADS classes); figures and cost are in its card.

    python ml_model/train_breast_cancer_model.py --data ml_model/Dataset/Dataset_BUSI_with_GT
    python ml_model/train_breast_cancer_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

The data set knows three labels. Which category a benign (2, 3) or malignant (4, 5, 6) picture
is trained as follows from its pixels, by the rule in the task file; what is measured against a
diagnosis is the three-label figure, the sum of the categories. It is made to hold where it was not trained: a head
first and small steps from there, pictures as other machines show them, the surroundings of the lesion alone. How it was
chosen, and what was tried so that pictures sent at another size are named alike, is in docs/training.md.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe, Transfer

RECIPE = Recipe(
    task="breast",
    phases=(
        Phase("head", epochs=30, size_px=224, learning_rate=2e-3, frozen=True),
        Phase("all-layers", epochs=12, size_px=224, learning_rate=2e-4, batch_size=16),
    ),
    augmentation=Augmentation(
        rotation_degrees=12, zoom=0.3, stretch=0.15, brightness=0.1, contrast=0.2, noise=0.4, noise_levels=12,
        erase=0.2, other_sites=0.5, border=0.12, near_lesion=0.3,
    ),
    transfer=Transfer(frozen_batch_norm=True, rate_decay=0.7, shares=(1.0,)),
    yardstick="ultrasound_sites",
    label_smoothing=0.05,
    label_alone=0.75,
    ema_momentum=0.98,  # few steps: the usual .995 lags behind
    served_prior_weight=1.0,  # with the flips better on validation: docs/training.md
    test_time_flips=("horizontal",),
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
