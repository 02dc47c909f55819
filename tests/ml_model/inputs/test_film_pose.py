"""How a chest film lies is told; exchanged levels are exchanged back, a turned film is refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import chest_film, encode
from PIL import Image

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.diagnosis.reading import PictureFiles
from ml_model.errors import PoorQuality
from ml_model.input_gate.modality_classifier import overview_of
from ml_model.inputs.film_pose import UPRIGHT, WEIGHTS, FilmPose, film_pose
from ml_model.inputs.images.decoder import ImageLimits, decode_image, load_image
from ml_model.tasks.registry import ImageTask, load_image_tasks

FILM = chest_film()
XRAY: ImageTask = next(task for task in load_image_tasks() if task.id == "xray")


def png(pixels: np.ndarray) -> bytes:
    return encode(Image.fromarray(np.ascontiguousarray(pixels)), "PNG")


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_every_turn_and_polarity_is_told(turns: int, inverted: bool) -> None:
    pixels = np.rot90(255 - FILM if inverted else FILM, -turns)
    assert film_pose(Image.fromarray(np.ascontiguousarray(pixels))) == FilmPose(turns, inverted)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_a_mirrored_film_is_told_however_it_lies(turns: int, inverted: bool) -> None:
    mirrored = FILM[:, ::-1]
    pixels = np.rot90(255 - mirrored if inverted else mirrored, -turns)
    assert film_pose(Image.fromarray(np.ascontiguousarray(pixels))) == FilmPose(turns, inverted, mirrored=True)


@pytest.mark.parametrize("turns", range(4))
def test_how_a_film_is_turned_is_told_where_its_side_is_not(turns: int) -> None:
    """Half of the evidence is for either side of a film without one, all of it for the turn."""
    halves = (FILM // 2 + FILM[:, ::-1] // 2).astype(np.uint8)
    assert film_pose(Image.fromarray(np.ascontiguousarray(np.rot90(halves, -turns)))) == FilmPose(turns)


def test_the_polarity_is_told_where_the_turn_is_not() -> None:
    """Half of the evidence is for a film that is upright, half for one on its side, all of it for the same polarity."""
    both = np.array(WEIGHTS, np.float64) + np.rot90(WEIGHTS, -1)
    positive = np.interp(both, (both.min(), both.max()), (0, 255)).astype(np.uint8)
    assert film_pose(Image.fromarray(positive).convert("RGB")) == UPRIGHT
    assert film_pose(Image.fromarray(255 - positive).convert("RGB")) == FilmPose(inverted=True)


def test_of_what_is_no_film_nothing_is_said() -> None:
    assert film_pose(Image.new("RGB", (64, 64), (90, 90, 90))) == UPRIGHT


def test_an_inverted_film_is_answered_as_the_positive_one() -> None:
    assert np.array_equal(load_image(png(255 - FILM), XRAY.input).pixels, load_image(png(FILM), XRAY.input).pixels)
    check = diagnose(XRAY, Case(pictures=(png(255 - FILM),)), Engines()).input_check
    assert any("black and white were exchanged" in warning for warning in check.warnings)
    assert diagnose(XRAY, Case(pictures=(png(FILM),)), Engines()).input_check.warnings == ()


def test_the_gate_sees_the_levels_that_were_sent() -> None:
    """Of ultrasound pictures sent as films 1 in 25 was taken for one once it had been inverted."""
    limits = ImageLimits()
    asked = PictureFiles((png(255 - FILM),), XRAY.input, limits.max_bytes, limits.max_pixels, overview=True)
    (reading,) = asked.read()
    assert reading.image.pose.inverted
    assert reading.overview is not None
    sent = overview_of(Image.fromarray(255 - FILM)).astype(int)
    assert np.abs(reading.overview - sent).max() <= 1


def test_other_pictures_are_not_looked_at() -> None:
    plain = XRAY.input.model_copy(update={"film": False})
    assert np.array_equal(np.asarray(decode_image(png(255 - FILM), plain).rgb), 255 - FILM)


@pytest.mark.parametrize(("turns", "lies"), [(1, "head to the right"), (2, "upside down"), (3, "head to the left")])
def test_a_turned_film_is_refused(turns: int, lies: str) -> None:
    """np.rot90 turns anticlockwise: a film whose head lies to the right has to be turned so once."""
    case = Case(pictures=(png(np.rot90(FILM, -turns)),))
    with pytest.raises(PoorQuality, match=lies):
        diagnose(XRAY, case, Engines())
    warned = diagnose(XRAY, Case(pictures=case.pictures, gate="warn"), Engines()).input_check
    assert not warned.accepted
    assert [lies in reason for reason in warned.abstain_reasons] == [True]
    assert [lies in warning for warning in warned.warnings] == [True]
