"""Photographs of a screen are told by a grid, and by colour where pictures are grey; files of pictures are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import INPUT, chest_film, detailed, encode
from PIL import Image

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.input_gate.screen_photo import grid_height, screen_photo_note
from ml_model.inputs.images.intensity import colour_levels
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.training.augmentation.screen_photos import FITTED_ON, MEASURED_ON

GREY = INPUT.model_copy(update={"grey": True})
WAYS = {**FITTED_ON, **MEASURED_ON}


def body(seed: int) -> NDArray[np.uint8]:
    """Something soft and grey, with a little noise."""
    rng = np.random.default_rng(seed)
    levels = cv2.resize(rng.uniform(20, 220, (7, 7)), (300, 260), interpolation=cv2.INTER_CUBIC)
    grey = np.clip(levels + rng.normal(0, 2, levels.shape), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", WAYS)
def test_a_photograph_of_a_screen_is_told(way: str, seed: int) -> None:
    photo = WAYS[way](body(seed), np.random.default_rng(seed))
    note = screen_photo_note(grid_height(Image.fromarray(photo)), colour_levels(photo), GREY)
    assert note is not None
    assert note.startswith("this looks like a photograph of a screen: it ")


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_is_not_called_a_photograph(seed: int) -> None:
    for picture in (Image.fromarray(body(seed)), detailed(300, 260, seed)):
        assert grid_height(picture) < 1.4
        assert screen_photo_note(grid_height(picture), 0.0, INPUT) is None


def test_colour_speaks_only_where_pictures_are_grey() -> None:
    tinted = (body(0) * [1.0, 0.97, 0.9]).astype(np.uint8)
    assert colour_levels(tinted) > 2
    assert screen_photo_note(0.0, colour_levels(tinted), INPUT) is None
    note = screen_photo_note(0.0, colour_levels(tinted), GREY)
    assert note is not None
    assert "it is in colour, while such pictures are grey" in note


def test_small_pictures_tell_nothing() -> None:
    assert grid_height(detailed(90, 300)) == 0.0


def test_the_answer_warns_and_is_not_to_be_leant_on() -> None:
    task = next(t for t in load_image_tasks() if t.id == "xray")
    assert isinstance(task, ImageTask)
    film = np.repeat(np.asarray(detailed(300, 260).convert("L"))[..., None], 3, axis=2)
    photo = encode(Image.fromarray((film * [1.0, 0.97, 0.9]).astype(np.uint8)), "PNG")
    check = diagnose(task, Case(pictures=(photo,)), Engines()).input_check
    assert len(check.abstain_reasons) == 1
    assert check.abstain_reasons[0] in check.warnings
    untouched = diagnose(task, Case(pictures=(encode(Image.fromarray(film), "PNG"),)), Engines()).input_check
    assert (untouched.abstain_reasons, untouched.warnings) == ((), ())


def test_switched_off_only_what_was_undone_is_told() -> None:
    """`gate=off` promises not to look: no answer is withheld for noise or a tint, nor for how a film lies."""
    task = next(t for t in load_image_tasks() if t.id == "xray")
    assert isinstance(task, ImageTask)
    rough = chest_film() + np.random.default_rng(0).normal(0, 40, (240, 240, 1))
    ways = (rough, rough * [1.0, 0.97, 0.9], np.rot90(chest_film(), 2), chest_film()[:, ::-1], 255 - chest_film())
    said = []
    for levels in ways:
        sent = encode(Image.fromarray(np.ascontiguousarray(np.clip(levels, 0, 255).astype(np.uint8))), "PNG")
        warned = diagnose(task, Case(pictures=(sent,), gate="warn"), Engines()).input_check
        check = diagnose(task, Case(pictures=(sent,), gate="off"), Engines()).input_check
        assert (check.accepted, check.abstain_reasons) == (True, ())
        assert set(check.warnings) < set(warned.warnings) or check.warnings == warned.warnings
        said.append([word for word in ("smoothed", "exchanged back") if word in " ".join(check.warnings)])
        assert len(check.warnings) == len(said[-1])
    assert said == [["smoothed"], ["smoothed"], [], [], ["exchanged back"]]
