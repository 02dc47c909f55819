"""Train the mammogram model (RSNA screening mammography 2022; cancer or not, single films).

    python ml_model/train_mammogram_model.py --data ml_model/Dataset/rsna_mammography
    python ml_model/train_mammogram_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

Films are cropped to the breast with the chest wall on the left, tissue at even levels. Splits are by patient;
figures are given for single films and for breasts, whose views are averaged. 13 minutes on 2 cores.
Largest AUC of an epoch on validation: .691. Less: .676 with levels equalised locally, .639 when trained on at 416
pixels, .668 without the backbone's last block (hidden layer, 288 pixels), .653 with a head trained first on frozen
features, .60 with bare levels. Kept is the tenth epoch, whose mean of AUC and balanced accuracy is the largest. As
served it has AUC .660 by film and .683 by breast on validation; on the test split .668 (.581-.738) and .646
(.538-.726), too little to be relied on. Where the woman's age is known too, as a DICOM file has it, .730 (.642-.791)
and .714 (.611-.792); on validation .703 and .727. From a backbone trained on five other kinds of pictures, with the
weights of five seeds averaged: .711 and .745 on validation, but .624 and .644 on test: not shipped.
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
