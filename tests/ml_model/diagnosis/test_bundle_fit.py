"""A bundle whose manifest speaks of other labels, findings or data sets than the task file is refused when it loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_tasks import thresholds
from pictures import detailed, encode
from samples import image_task, upload, write_tiny

from backend.app import create_app
from backend.config import Config
from ml_model.diagnosis.bundle_fit import require_fit
from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle, write_bundle
from ml_model.tasks.registry import ImageTask, load_image_tasks

LIMITS = thresholds(0.1, 0.5).model_dump()


def with_fields(folder: Path, task: ImageTask, **fields: Any) -> Bundle:
    """A tiny bundle that serves the task but for these manifest fields."""
    bundle = write_tiny(task, folder)
    kept = bundle.manifest.model_dump(mode="json", exclude={"files", "format_version"})
    return write_bundle(bundle.path, {**kept, **fields}, ["model.onnx"])


def loaded(bundle: Bundle, task: ImageTask) -> Bundle:
    return load_bundle(bundle.path, task=task.id, contract_sha256=task.contract_sha256)


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_what_is_shipped_fits(task: ImageTask) -> None:
    for name, contract in ((task.id, task.contract_sha256), (f"{task.id}-signal", task.signal_contract_sha256)):
        if (MODELS_DIR / name).is_dir():
            require_fit(load_bundle(MODELS_DIR / name, task=name, contract_sha256=contract), task)


# Of skin: single label, no populations. By name: fields of the manifest and what the refusal says.
SKIN = {
    "labels missing": (
        {"prediction_sets": {"coverage": 0.9, "thresholds": {"nv": 0.1, "mel": 0.1}}},
        "prediction sets: its labels are mel, nv, declared are",
    ),
    "labels of another population": (
        {"prediction_sets": {"coverage": 0.9, "thresholds": None, "by_population": {"elsewhere": {"nv": 1}}}},
        "prediction sets of elsewhere: its labels are nv, declared are .*it tells apart the data sets elsewhere",
    ),
    "another finding": ({"findings": {"plague": LIMITS}}, "the findings: its codes are plague, declared are melanoma"),
    "findings elsewhere": (
        {"findings_by_population": {"elsewhere, view PA": {"plague": LIMITS}}},
        "the findings of elsewhere, view PA: its codes are plague, .*it tells apart the data sets elsewhere, declared",
    ),
    "weights": (
        {"balanced": {"weights": {"nv": 1, "other": 1}, "rule": "x"}},
        "the weights: its classes are nv, other, declared are",
    ),
    "populations": ({"populations": ["here", "there"]}, "it tells apart the data sets here, there, declared are"),
    "evidence": ({"evidence_by_population": {"there": "limited"}}, "it tells apart the data sets there, declared are"),
    "calibration": (
        {"calibration": {"method": "temperature", "slope": [1, 1], "intercept": [0, 0]}},
        "its calibration has 2, 2 values for 7 classes",
    ),
    "age": (
        {
            "age_effect": {
                "reference_years": 50, "youngest_years": 0, "oldest_years": 90, "at_reference": [0], "per_decade": [0]
            }
        },
        "its age effect has 1, 1 values for 7 classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "said"), SKIN.values(), ids=SKIN)
def test_a_manifest_of_other_names_is_refused_by_name(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    task = image_task("skin")
    if "prediction_sets" in fields and fields["prediction_sets"]["thresholds"] is None:
        own = {**fields["prediction_sets"], "thresholds": dict.fromkeys(task.measured_labels, 0.1)}
        fields = {"prediction_sets": own}
    bundle = loaded(with_fields(tmp_path, task, **fields), task)
    with pytest.raises(BundleInvalid, match=rf"skin: does not fit tasks/skin\.toml: {said}"):
        require_fit(bundle, task)


def test_thresholds_of_known_ages_belong_to_no_data_set(tmp_path: Path) -> None:
    task = image_task("skin")
    found = {rule.code: LIMITS for rule in task.findings}
    require_fit(with_fields(tmp_path, task, findings=found, findings_by_population={"age given": found}), task)


def test_a_data_set_whose_labels_were_edited_takes_the_model_out_of_service(tmp_path: Path) -> None:
    """The bundle's sets know a label fewer than the task file's data sets tell; looked up, that was a 500."""
    models, task = tmp_path / "models", image_task("breast")
    first, *others = task.measured_labels
    sets: dict[str, Any] = {"coverage": 0.9, "thresholds": dict.fromkeys(others, 0.1)}
    bundle = with_fields(models, task, prediction_sets=sets)
    config = Config(
        model_dirs=(models,), user_models_dir=tmp_path, data_dir=tmp_path / "d", log=False, input_gate=False
    )
    app = create_app(config)
    assert app.services.models.wait_ready(60)
    picture = encode(detailed(), "PNG")
    assert app.test_client().post("/analyze/breast", data=upload(picture)).status_code != 500
    assert "prediction sets: its labels are" in app.services.models.problems()["breast"]
    sets["thresholds"][first] = 0.1
    manifest = json.loads((bundle.path / "manifest.json").read_text())
    (bundle.path / "manifest.json").write_text(json.dumps({**manifest, "prediction_sets": sets}))
    app = create_app(config)
    assert app.services.models.wait_ready(60)
    assert app.test_client().post("/analyze/breast", data=upload(picture)).status_code == 200
