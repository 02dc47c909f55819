"""The region of interest of a picture over HTTP: where it lies, how large it is, its views and who sees them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dicom_files import dataset, write
from ecg_files import csv_file, heart
from PIL import Image
from records.people import person
from samples import upload

from backend.app import Application
from backend.services.rendering.heatmaps import Heatmap
from backend.services.scans.region_of_interest import enhanced, region_of
from ml_model.inputs.images.geometry import Frame

VIEWS = ("crop", "mask", "outline", "enhanced")


def asked(app: Application, data: bytes, query: str = "?scan_type=skin", **headers: str) -> dict[str, Any]:
    reply = app.test_client().post(f"/process-image{query}", data=upload(data, field="file"), headers=headers)
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.get_json()
    return told


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("inside", "outside"), [(40, 160), (160, 40)])
def test_a_disc_below_the_map_is_outlined_whatever_its_level(mirrored: bool, inside: int, outside: int) -> None:
    """The picture is twice the size of its upload's copy at hand, and the map's frame begins beside it."""
    ys, xs = np.mgrid[:300, :400]
    disc = (xs - 270) ** 2 + (ys - 90) ** 2 < 45**2
    rgb = np.repeat(np.where(disc, inside, outside).astype(np.uint8)[..., None], 3, axis=2)
    cells = np.zeros((5, 7), np.float32)
    centre = ((np.arange(7) + 0.5) * 900 / 7 - 100, (np.arange(5) + 0.5) * 600 / 5)
    cells[:] = np.exp(-(((centre[0] - 540) / 150) ** 2)[None] - (((centre[1] - 180) / 150) ** 2)[:, None])
    cells = cells[:, ::-1] if mirrored else cells
    heatmap = Heatmap(np.zeros((8, 8, 3), np.uint8), cells, Frame(-100, 0, 900, 600, mirrored), 800, 600)
    region = region_of(rgb, heatmap)
    assert region is not None
    dice = 2 * (region.mask & disc).sum() / (region.mask.sum() + disc.sum())
    assert dice > 0.95
    assert np.abs(np.array(region.box) - (226, 46, 89, 89)).max() <= 4
    points = np.concatenate(region.contours)
    assert np.abs(np.hypot(points[:, 0] - 270, points[:, 1] - 90) - 45).max() <= 5
    empty = Heatmap(heatmap.shown, np.zeros((5, 7), np.float32), heatmap.frame, 800, 600)
    assert region_of(rgb, empty) is None


def test_contrast_is_evened_in_lightness_alone() -> None:
    grain = np.random.default_rng(1).normal(110, 4, (240, 320)).astype(np.uint8)
    rgb = np.stack([grain, grain // 2, grain // 4], axis=2)
    seen = enhanced(rgb)
    assert seen[..., 0].std() > 1.5 * rgb[..., 0].std()
    assert (seen[..., 0] > seen[..., 1]).all()


def test_views_are_at_addresses_or_within_and_fit_each_other(
    live_app: Application, picture: Callable[..., bytes]
) -> None:
    client, told = live_app.test_client(), asked(live_app, picture(seed=5))
    region, (width, height) = told["region"], (told["width_px"], told["height_px"])
    assert (width, height, told["scan_type"]) == (600, 450, "dermatoscopy")
    shown = {name: decoded(client.get(told["views"][name]).data) for name in VIEWS}
    assert set(np.unique(shown["mask"])) == {0, 255}
    assert shown["mask"].shape == shown["enhanced"].shape[:2] == (height, width)
    assert region["area_px"] == (shown["mask"] > 0).sum()
    assert region["share_of_picture"] == pytest.approx(region["area_px"] / (width * height))
    box = region["box"]
    rows, columns = np.nonzero(shown["mask"])
    assert [box["x"], box["y"], box["w"], box["h"]] == [
        columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1,
    ]  # fmt: skip
    assert shown["crop"].shape[0] >= box["h"]
    assert (region["area_mm2"], region["size_mm"], told["pixel_size_mm"]) == (None, None, None)
    points = np.concatenate([np.array(one) for one in region["contours"]])
    assert (points >= 0).all()
    assert (points <= (width, height)).all()
    inline = asked(live_app, picture(seed=5), "?scan_type=skin&images=inline")["views"]
    for name in VIEWS:
        data = base64.b64decode(inline[name].removeprefix("data:image/png;base64,"))
        assert np.array_equal(decoded(data), shown[name])
    assert client.get(told["views"]["heatmap"]).mimetype == "image/png"
    assert "no lesion was measured" in told["note"]
    assert client.get(told["views"]["mask"].replace("mask", "other")).status_code == 404


def test_a_region_is_measured_where_the_file_says_the_spacing(
    live_app: Application, picture: Callable[..., bytes]
) -> None:
    grey = np.asarray(Image.open(io.BytesIO(picture())).convert("L"))
    told = asked(live_app, write(dataset(grey, Modality="MR", PixelSpacing=[0.5, 0.8])), "")
    assert (told["scan_type"], told["scan_type_told_by"], told["pixel_size_mm"]) == ("brain_mri", "dicom", [0.5, 0.8])
    assert (told["pixel_size_told_by"], told["at_detector"]) == ("dicom", False)
    region = told["region"]
    assert region["area_mm2"] == pytest.approx(region["area_px"] * 0.4, rel=1e-4)
    assert region["size_mm"] == pytest.approx([region["box"]["w"] * 0.8, region["box"]["h"] * 0.5])
    film = dataset(grey, ImagerPixelSpacing=[0.2, 0.2], BodyPartExamined="CHEST", ViewPosition="PA")
    assert asked(live_app, write(film), "")["at_detector"] is True
    tissue = asked(live_app, picture(), "?scan_type=histopathology&pixel_size_um=2")
    assert (tissue["pixel_size_mm"], tissue["pixel_size_told_by"]) == ([0.002, 0.002], "pixel_size_um")


def test_an_accounts_views_are_nobody_elses(records_file_app: Application, picture: Callable[..., bytes]) -> None:
    owner, other = ({"Authorization": f"Bearer {person(records_file_app).access_token}"} for _ in range(2))
    views, client = asked(records_file_app, picture(), **owner)["views"], records_file_app.test_client()
    for name in (*VIEWS, "heatmap"):
        statuses = [client.get(views[name], headers=who).status_code for who in ({}, other, owner)]
        assert statuses == [404, 404, 200], name


def test_what_has_no_region_is_refused_or_said(
    live_app: Application, demo_app: Application, picture: Callable[..., bytes]
) -> None:
    ((_, text),) = csv_file(heart())
    reply = live_app.test_client().post("/process-image", data=upload(text, field="file"))
    assert (reply.status_code, reply.get_json()["code"]) == (422, "wrong_modality")
    assert "send it to /analyze/heart" in reply.get_json()["error"]
    example = asked(demo_app, picture())
    assert (example["demo_mode"], example["region"], example["views"]["mask"]) == (True, None, None)
    assert example["views"]["enhanced"]
    assert "warning" in example
