"""Train the ECG picture model (PTB-XL records drawn as pages; five labels, several may be true).

    python ml_model/train_heart_image_model.py --data ml_model/Dataset/ptb-xl
    python ml_model/train_heart_image_model.py --data DIR --weights PATH --epochs 1 --limit 200   # a trial run

Folds 1-8 train, fold 9 validates, fold 10 tests, as published. Every record is drawn in several looks, half of them
photographed. The service asks this model only about pages whose signal cannot be read back, so that none is refused;
the bundle's card holds its cost, and its answers to all pages beside those from the signal, which are better.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train import run_recipe
from ml_model.training.recipe import Augmentation, Phase, Recipe

RECIPE = Recipe(
    task="heart",
    phases=(
        Phase("head", epochs=20, size_px=224, learning_rate=2e-3, frozen=True, pictures=4480),
        Phase("small", epochs=7, size_px=224, learning_rate=6e-4, pictures=2560),
        Phase("large", epochs=4, size_px=320, learning_rate=2e-4, pictures=2560),
    ),
    augmentation=Augmentation(horizontal_flip=False, rotation_degrees=3, shift=0.03, zoom=0.05, erase=0.2),
    looks_per_record=4,
    sampling_power=0.0,
    rebalance="none",
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, __doc__ or ""))
