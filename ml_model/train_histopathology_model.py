"""Train the breast histology model (IDC patches and BreakHis 100x; benign or malignant; 11 minutes on 2 cores).

    python ml_model/train_histopathology_model.py --data ml_model/Dataset   # the folder that holds both data sets
    python ml_model/train_histopathology_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run
    python ml_model/train_histopathology_model.py --data DIR --resume --cross-validate 5   # then BreakHis by patient

Both show a field of some 200 micrometres, at 50 and at 460 pixels: resolution and staining are varied in training. All
layers learn on the patches; BreakHis, whose "benign" is not the patches' "negative", gets a linear head of its own, by
patient. It has so few of them that its figure is that of the cross-validation, in which that head is fitted anew. It
reads an early layer: in three trainings of other seed or length that gave .84 to .85, the last layer .64 to .82.
A codec at the size of the coarse views in training did not help files sent as JPEG 75: on validation that costs .028 of
balanced accuracy, .017 without it. Training to answer a picture and its re-encoded twin alike makes that .010, bringing
every picture through JPEG 75 first .001, but AUC falls from .941 to .932 and .934: docs/training.md, "What was tried".
IDC test patches: AUC .927, balanced accuracy .863. BreakHis, five folds by patient: AUC .867 (.731-.972).
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe

IDC, BREAKHIS = "IDC breast histology patches", "BreakHis 100x"
RECIPE = Recipe(
    task="histopathology",
    phases=(
        Phase("head", epochs=10, size_px=128, learning_rate=2e-3, frozen=True, sources=(IDC,), pictures=7616),
        Phase("patches", epochs=8, size_px=128, learning_rate=5e-4, batch_size=64, sources=(IDC,)),
    ),
    last_layer="block5e_add",  # texture; with the rest of the backbone AUC .916 on the validation patches, .938 without
    augmentation=Augmentation(
        vertical_flip=True, rotation_degrees=90, zoom=0.25, brightness=0.1, saturation=0.2,
        stain=0.3, coarse=0.5, noise_levels=12,
    ),
    source_power=1.0,
    label_smoothing=0.05,
    ema_momentum=0.98,
    test_time_flips=("horizontal", "vertical"),
    cross_validated=BREAKHIS,
    own_head_for=BREAKHIS,
    own_head_layer="block2b_add",
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
