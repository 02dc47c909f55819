"""Several views of one breast are averaged; the breast address takes mammograms too."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dicom_files import dataset, write
from pictures import detailed, encode
from PIL import Image
from samples import tiny_probabilities

from backend.app import Application
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageTask, load_task

MAMMOGRAM = load_task("mammogram")


def post(app: Application, path: str, *pictures: bytes) -> Any:
    files = [(io.BytesIO(p), f"{n}.jpg") for n, p in enumerate(pictures)]
    return app.test_client().post(path, data={"image": files})


def test_views_of_one_breast_are_averaged(live_app: Application, picture: Callable[..., bytes]) -> None:
    assert isinstance(MAMMOGRAM, ImageTask)
    views = [picture(seed=seed) for seed in (1, 2, 3)]
    answer = post(live_app, "/analyze/mammogram", *views).get_json()
    each = [tiny_probabilities(MAMMOGRAM, load_image(v, MAMMOGRAM.input).pixels) for v in views]
    found = {c["code"]: c["confidence"] for c in answer["all_predictions"]}
    expected = dict(zip(MAMMOGRAM.codes, sum(each) / 3, strict=True))
    assert found == pytest.approx(expected, abs=1e-4)


def test_too_many_views_are_refused(live_app: Application, picture: Callable[..., bytes]) -> None:
    reply = post(live_app, "/analyze/mammogram", *[picture()] * 5)
    assert reply.status_code == 400
    assert "at most 4 files" in reply.get_json()["error"]
    reply = post(live_app, "/analyze/breast", *[picture()] * 2)
    assert reply.status_code == 400
    assert "breast takes 1" in reply.get_json()["error"]


def test_the_breast_address_hands_mammograms_over(live_app: Application, picture: Callable[..., bytes]) -> None:
    asked = post(live_app, "/analyze/breast?modality=mammogram", picture()).get_json()
    direct = post(live_app, "/analyze/mammogram", picture()).get_json()
    assert asked["model"]["task"] == "mammogram"
    assert asked["all_predictions"] == direct["all_predictions"]
    assert post(live_app, "/analyze/breast?modality=ultrasound", picture()).get_json()["model"]["task"] == "breast"
    assert post(live_app, "/analyze/breast", picture()).get_json()["model"]["task"] == "breast"
    refused = post(live_app, "/analyze/breast?modality=xray", picture())
    assert refused.status_code == 422
    assert "breast_ultrasound or mammogram" in refused.get_json()["error"]


def test_a_dicom_file_that_says_mammography_goes_to_the_mammogram_model(live_app: Application) -> None:
    levels = np.random.default_rng(0).integers(0, 4000, (200, 200)).astype(np.uint16)
    answer = post(live_app, "/analyze/breast", write(dataset(levels, Modality="MG"))).get_json()
    assert answer["model"]["task"] == "mammogram"


def told_of(app: Application, path: str, *pictures: bytes) -> Any:
    return post(app, path, *pictures).get_json()["input_check"]


def test_the_answer_says_what_told_the_kind_of_picture(live_app: Application, picture: Callable[..., bytes]) -> None:
    film = write(dataset(np.random.default_rng(0).integers(0, 4000, (200, 200)).astype(np.uint16), Modality="MG"))
    assert told_of(live_app, "/analyze/breast?modality=mammogram", picture())["kind_told_by"] == "request"
    assert told_of(live_app, "/analyze/breast", film)["kind_told_by"] == "dicom"
    assert told_of(live_app, "/analyze/skin", picture())["kind_told_by"] is None


def films(**headers: list[str]) -> list[bytes]:
    levels = np.asarray(detailed(200, 200).convert("L"), np.uint16) * 15
    rows = [dict(zip(headers, values, strict=True)) for values in zip(*headers.values(), strict=True)]
    return [write(dataset(levels, Modality="MG", **row)) for row in rows]


def test_films_of_two_women_or_two_breasts_are_said_to_be_averaged(live_app: Application) -> None:
    two_women = films(PatientID=["one", "two"], ImageLaterality=["L", "L"])
    assert told_of(live_app, "/analyze/mammogram", *two_women)["warnings"] == [
        "2 pictures were averaged as views of one case, but their headers name 2 persons: send each person's alone"
    ]
    two_breasts = films(PatientID=["one", "one"], ImageLaterality=["L", "R"])
    assert told_of(live_app, "/analyze/mammogram", *two_breasts)["warnings"] == [
        "2 pictures were averaged as views of one case, but their headers name the sides L and R: "
        "send each side's alone"
    ]
    one_breast = films(PatientID=["one", "one"], ImageLaterality=["L", "L"])
    assert told_of(live_app, "/analyze/mammogram", *one_breast)["warnings"] == []
    assert told_of(live_app, "/analyze/mammogram", two_women[0])["warnings"] == []


def test_pictures_that_say_nothing_of_whose_they_are(live_app: Application, picture: Callable[..., bytes]) -> None:
    assert told_of(live_app, "/analyze/mammogram", picture(), picture(seed=1))["warnings"] == [
        "2 pictures were averaged as views of one case; nothing in the files says that they are of one person"
    ]


def test_of_each_view_it_is_told_what_was_cut_off(live_app: Application) -> None:
    film = detailed(200, 160)
    framed = Image.new("RGB", (260, 200), (0, 90, 200))
    framed.paste(film, (20, 30))
    plain, cut = (encode(one, "PNG") for one in (film, framed))
    told = told_of(live_app, "/analyze/mammogram", plain, cut)
    assert told["cropped_pictures"] == [None, [20, 30, 200, 160]]
    assert "cropped" not in told
    assert [w for w in told["warnings"] if w.startswith("picture 2: a frame around the picture was cut off")]
    told = told_of(live_app, "/analyze/mammogram", cut, plain)
    assert (told["cropped"], told["cropped_pictures"]) == ([20, 30, 200, 160], [[20, 30, 200, 160], None])
    alone = told_of(live_app, "/analyze/mammogram", cut)
    assert alone["cropped"] == [20, 30, 200, 160]
    assert "cropped_pictures" not in alone
    assert "cropped_pictures" not in told_of(live_app, "/analyze/mammogram", plain, plain)
