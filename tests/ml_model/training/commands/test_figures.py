"""What stands on the screen at the end of a run: the figures of the manifest, and where the bundle lies."""

from __future__ import annotations

import pytest

from ml_model.inference.bundle import MANIFEST, MODELS_DIR, Bundle, Manifest, file_sha256
from ml_model.training.commands.figures import columns, figures_of
from ml_model.training.reports.markdown import figure


def shipped(name: str) -> Bundle:
    path = MODELS_DIR / name
    manifest = path / MANIFEST
    return Bundle(path, Manifest.model_validate_json(manifest.read_bytes()), file_sha256(manifest))


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns(("a", "bcd"), [("efg", "h")]) == "a    bcd\nefg  h"


def test_an_image_model_ends_with_its_test_split_and_its_data_sets() -> None:
    bundle = shipped("xray")
    test = bundle.manifest.image_test
    said = figures_of(bundle).splitlines()
    assert said[0].split() == ["split", "n", "accuracy", "balanced", "accuracy", "AUC"]
    sources = sorted({part.population for part in test.by_group.values()})
    assert [line.split("  ")[0] for line in said[1:-3]] == ["test", *sources]
    for part in (str(test.count), *(figure(getattr(test, k)) for k in ("accuracy", "balanced_accuracy", "macro_auc"))):
        assert part in said[1]
    assert said[-3:] == [
        f"bundle: {MODELS_DIR / 'xray'}",
        f"card:   {MODELS_DIR / 'xray' / 'card.md'}",
        f"serve:  MODEL_DIR={MODELS_DIR} python backend/server.py",
    ]


def test_a_model_of_one_data_set_has_one_row() -> None:
    assert [line.split()[0] for line in figures_of(shipped("skin")).splitlines()[1:-3]] == ["test"]


def test_the_gate_ends_with_what_it_accepts_of_each_kind() -> None:
    bundle = shipped("input-gate")
    test = bundle.manifest.metrics.test
    rows = [line.split() for line in figures_of(bundle).splitlines()[1:-3]]
    assert [row[0] for row in rows] == list(test.accepted)
    for kind, count, own, others in rows:
        assert (count, own) == (str(test.count[kind]), f"{test.accepted[kind][kind]:.3f}")
        assert float(others) <= round(test.worst_other_accepted, 3)


@pytest.mark.parametrize(
    ("name", "path"),
    [("disease", ("complete_lists", "top1")), ("heart-risk", ("ten_fold", "seven_inputs", "auc"))],
)
def test_tabular_models_end_with_their_figures(name: str, path: tuple[str, ...]) -> None:
    bundle = shipped(name)
    measured = bundle.manifest.metrics.test
    for key in path:
        measured = measured[key] if isinstance(measured, dict) else getattr(measured, key)
    assert figure(measured) in figures_of(bundle).splitlines()[1]
