"""What repeated pictures show is known of the models that are shipped, and told beside what changed."""

from __future__ import annotations

import uuid

import pytest

from backend.schemas.scans.comparison import Comparison, RegionChange
from backend.services.longitudinal.repeats import Repeats, repeats_of
from backend.services.reports.comparison_content import picture_by_picture
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.tasks.registry import load_image_tasks


def test_of_every_shipped_model_it_was_measured() -> None:
    for task in load_image_tasks():
        if task.signal is None:
            bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
            found = repeats_of(task.id, bundle.sha256)
            assert found != Repeats(), f"{task.id}: run benchmarks/scans/repeats.py again"
            assert found.ratio is None or 1 < found.ratio < 20
            assert found.map_correlation is None or -1 <= found.map_correlation < 1
    assert repeats_of("skin", "0" * 64) == Repeats()


@pytest.mark.parametrize(
    ("within", "said"),
    [
        (None, "Whether repeated pictures of the same vary as much is not known."),
        (True, "Repeated pictures of the same vary as much (by up to 1.50 times): no change is established."),
        (False, "That is more than repeated pictures of the same show in 95 of 100 cases (by up to 1.50 times)."),
    ],
)
def test_a_region_is_told_beside_what_repeated_ones_show(within: bool | None, said: str) -> None:
    region = RegionChange(
        before_px=100.0, after_px=140.0, before_mm2=None, after_mm2=None, ratio=1.4,
        limit_ratio=None if within is None else 1.5, within_repeats=within,
    )  # fmt: skip
    told = Comparison(
        since=uuid.UUID(int=1), findings=(), no_limits_because=None, registered=True, not_registered_because=None,
        shift_px=(0.0, 0.0), scale=1.2, turn_degrees=0.0, similarity=1.0, region=region, map_correlation=None,
        least_map_correlation=None, map_within_repeats=None, summary="", note="",
    )  # fmt: skip
    text = "The region of interest covers 1.40 times the share of the picture that it covered."
    assert (
        picture_by_picture(told) == f"The pictures lie on each other, the later one 1.20 times as large. {text} {said}"
    )
