"""The lesion is cut out by its colour, and the tone of the skin around it is told in bands."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.evaluator import subgroup_rows
from ml_model.training.skin.around import (
    ITA_BANDS,
    individual_typology_angle,
    ita_band,
    lesion_mask,
    skin_mask,
    with_ita_bands,
)


def lesion_on_skin(lightness: float = 70.0, yellow: float = 16.0, *, vignette: bool = False) -> NDArray[np.uint8]:
    """Drawn: a brown ellipse on skin of such L* and b*, uint8 RGB (180, 240, 3); with dark corners and a hair."""
    lab = np.full((180, 240, 3), (lightness, 12.0, yellow), np.float32)
    cv2.ellipse(lab, (120, 90), (45, 30), 20, 0, 360, (25.0, 15.0, 12.0), cv2.FILLED)
    cv2.line(lab, (10, 170), (230, 20), (10.0, 0.0, 0.0), 2)
    if vignette:
        y, x = np.mgrid[-1:1:180j, -1:1:240j]
        lab[np.hypot(x, y) > 1.15] = (2.0, 0.0, 0.0)
    rgb = cv2.cvtColor(cv2.GaussianBlur(lab, (0, 0), 1), cv2.COLOR_LAB2RGB)
    return np.asarray(np.rint(rgb.clip(0, 1) * 255), np.uint8)


def test_the_lesion_is_found_and_the_skin_is_what_is_neither_lesion_hair_nor_vignette() -> None:
    drawn = np.zeros((180, 240), np.uint8)
    cv2.ellipse(drawn, (120, 90), (45, 30), 20, 0, 360, (1,), cv2.FILLED)
    for vignette in (False, True):
        pixels = lesion_on_skin(vignette=vignette)
        found = lesion_mask(pixels)
        assert (found & drawn).sum() / (found | drawn).sum() > 0.8
        skin = skin_mask(pixels, found)
        assert not (skin & (drawn > 0)).any()
        assert skin.mean() > 0.4
        assert np.abs(pixels[skin].astype(int) - np.median(pixels[skin], axis=0)).max() < 25


@pytest.mark.parametrize("vignette", [False, True])
@pytest.mark.parametrize(
    ("lightness", "yellow", "band"),
    [(75, 12, "very light"), (68, 18, "light"), (62, 17, "intermediate"), (56, 18, "tan"), (46, 20, "brown"),
     (32, 16, "dark")],
)  # fmt: skip
def test_the_angle_is_that_of_the_skin(lightness: float, yellow: float, band: str, vignette: bool) -> None:
    angle = individual_typology_angle(lesion_on_skin(lightness, yellow, vignette=vignette))
    assert angle == pytest.approx(np.degrees(np.arctan2(lightness - 50, yellow)), abs=2.5)
    assert ita_band(angle) == band


def test_where_too_little_skin_or_no_yellow_is_seen_no_tone_is_told() -> None:
    assert individual_typology_angle(lesion_on_skin(70, 1)) is None
    assert individual_typology_angle(np.full((90, 90, 3), 5, np.uint8)) is None
    assert ita_band(None) == "unknown"
    assert [name for _, name in ITA_BANDS] == ["very light", "light", "intermediate", "tan", "brown", "dark"]


def test_the_bands_are_parts_of_the_measurement() -> None:
    pixels = np.stack([lesion_on_skin(75, 12), lesion_on_skin(46, 20), lesion_on_skin(46, 20)])
    samples = [Sample(__file__, "drawn", "nv", ("nv",), str(i), "test", {"sex": "male"}) for i in range(3)]  # type: ignore[arg-type]
    told = with_ita_bands(samples, pixels)
    rows = {part.title: index.tolist() for part, index in subgroup_rows(told).items()}
    assert rows["drawn, ITA very light"] == [0]
    assert rows["drawn, ITA brown"] == [1, 2]
    assert told[0].attributes["sex"] == "male"
