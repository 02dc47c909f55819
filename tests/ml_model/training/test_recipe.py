"""What the command line makes of a recipe's phases."""

from __future__ import annotations

import pytest

from ml_model.training.commands.train import chosen_recipe, image_parser
from ml_model.training.recipe import Phase, Recipe

RECIPE = Recipe(
    task="histopathology",
    phases=(
        Phase("head", 10, 128, 2e-3, frozen=True),
        Phase("small", 2, 128, 5e-4),
        Phase("large", 3, 224, 2e-4),
        Phase("both", 60, None, 3e-3, frozen=True),
    ),
)


def chosen(*arguments: str) -> list[tuple[str, int, int | None]]:
    recipe = chosen_recipe(RECIPE, image_parser("").parse_args(arguments))
    return [(p.name, p.epochs, p.size_px) for p in recipe.phases]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [("head", 10, 128), ("small", 2, 128), ("large", 3, 224), ("both", 60, None)]),
        (("--epochs", "1"), [("head", 10, 128), ("large", 1, 224), ("both", 60, None)]),
        (("--size", "64"), [("head", 10, 128), ("small", 2, 64), ("large", 3, 64), ("both", 60, None)]),
        # Without pretrained weights a head on frozen features is worth nothing before the first fine-tuning.
        (("--weights", "none"), [("small", 2, 128), ("large", 3, 224), ("both", 60, None)]),
        (("--weights", "none", "--epochs", "4"), [("large", 4, 224), ("both", 60, None)]),
    ],
)
def test_epochs_and_sizes_are_those_of_the_fine_tuning(
    arguments: tuple[str, ...], expected: list[tuple[str, int, int | None]]
) -> None:
    assert chosen(*arguments) == expected
