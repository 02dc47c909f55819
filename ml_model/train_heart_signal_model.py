"""Train the ECG recording model (PTB-XL at 100 Hz, ten seconds, twelve leads; five labels, several may be true).

    python ml_model/train_heart_signal_model.py --data ml_model/Dataset/ptb-xl
    python ml_model/train_heart_signal_model.py --data DIR --epochs 2 --members 1 --limit 200   # a trial run

Folds 1-8 train, fold 9 validates, fold 10 tests, as published. Several small networks of two families are
trained one after the other and averaged into one graph; with --published FILE three that others published are tuned.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from ml_model.training.commands.train import run_signal_recipe
from ml_model.training.recipe import SignalAugmentation, SignalRecipe

RECIPE = SignalRecipe(
    task="heart",
    members=(("xresnet1d", 0), ("inception_time", 1)),
    epochs=40,
    augmentation=SignalAugmentation(mixup=0.2),
)
TUNED = replace(
    RECIPE,
    members=(("loss_bce", 2), ("act_gelu", 3), ("loss_weighted_bce", 4)),
    augmentation=SignalAugmentation(mixup=0.2, device=0.5),
)

if __name__ == "__main__":
    sys.exit(run_signal_recipe(RECIPE, __doc__ or "", tuned=TUNED))
