"""Train the skin lesion or the chest X-ray model; figures and cost are in the bundle's card.

python ml_model/image_classification.py                # asks which one, and where the data are
python ml_model/image_classification.py --task skin --data ml_model/Dataset/HAM10000 --weights imagenet
"""

import sys

from ml_model.training.commands.train import run_one_of
from ml_model.training.recipe import Augmentation, Phase, Recipe

RECIPES = {
    "skin": Recipe(
        task="skin",
        phases=(
            Phase("head", epochs=20, size_px=160, learning_rate=2e-3, frozen=True),
            Phase("low-resolution", epochs=6, size_px=128, learning_rate=5e-4),
            Phase("middle-resolution", epochs=6, size_px=192, learning_rate=3e-4),
        ),  # served at 224 px; a last phase at that size lost on validation: docs/training.md
        augmentation=Augmentation(vertical_flip=True, rotation_degrees=180, zoom=0.25, saturation=0.15, erase=0.2),
        label_smoothing=0.05,
        served_prior_weight=1.0,  # better on validation, with the balanced decision: docs/training.md
        decision="balanced",
        # What made answers to re-encoded files steadier cost too much elsewhere: docs/training.md, "What was tried".
    ),
    "xray": Recipe(
        task="xray",
        phases=(
            Phase("head", epochs=20, size_px=160, learning_rate=2e-3, frozen=True),
            Phase("low-resolution", epochs=3, size_px=128, learning_rate=5e-4),
            Phase("full-resolution", epochs=3, size_px=224, learning_rate=2e-4),
        ),
        augmentation=Augmentation(rotation_degrees=12, zoom=0.2, brightness=0.2, contrast=0.3, erase=0.2),
        label_smoothing=0.05,
        sampling_power=1.0,
        source_power=0.5,  # there are eight times as many films of children
        rebalance="none",
    ),
}


if __name__ == "__main__":
    sys.exit(run_one_of(RECIPES, "Which model? 1 skin, 2 pneumonia: ", __doc__ or ""))
