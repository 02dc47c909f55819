"""Train the mammogram model (RSNA screening mammography 2022; cancer or not, single films).

    python ml_model/train_mammogram_model.py --data ml_model/Dataset/rsna_mammography
    python ml_model/train_mammogram_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

Films are cropped to the breast with the chest wall on the left, tissue at even levels. Splits are by patient;
figures are given for single films and for breasts, whose views are averaged. They are too little to be relied on, also
where the woman's age is known, as a DICOM file has it: the model's card has them, and the cost; docs/training.md, "What
was tried", what else was.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe

RECIPE = Recipe(
    task="mammogram",
    pooling="mean_max",
    phases=(Phase("all-layers", epochs=10, size_px=256, learning_rate=4e-4, batch_size=16),),
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
