"""A user's own Keras file: where it is looked for, and what its configuration may say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml_model.errors import BundleInvalid
from ml_model.tasks.registry import ImageTask
from ml_model.user_models import conversion
from ml_model.user_models.conversion import ConversionJob, convert_user_model, find_user_model


def test_files_are_found_in_the_order_of_the_task_file(tmp_path: Path, film_task: Callable[..., ImageTask]) -> None:
    task = film_task()
    assert find_user_model(tmp_path, task) is None
    (tmp_path / "someone_elses.keras").touch()
    (tmp_path / "film_model.keras").mkdir()  # a folder is no file
    assert find_user_model(tmp_path, task) is None
    expected = ["pneumonia_model.h5", "pneumonia_model.keras", "film_model.h5"]
    for name in expected:  # each one takes precedence over those before it
        (tmp_path / name).touch()
        assert find_user_model(tmp_path, task) == tmp_path / name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "film_model_config.json: file: Invalid JSON"),
        ('{"input_size": -3}', "film_model_config.json: input_size"),
        ('{"input_size": [64]}', "film_model_config.json: input_size"),
        ('{"input_scale": 0}', "film_model_config.json: input_scale"),
        ('{"input_scale": NaN}', "film_model_config.json: "),
        ('{"classes": "normal"}', "film_model_config.json: classes"),
        ('{"classes": ["normal", "fracture"]}', "lists the classes normal, fracture; the task film needs each of"),
        ('{"classes": ["normal", "normal"]}', "lists the classes normal, normal"),
        ('{"classes": ["normal"]}', "lists the classes normal;"),
    ],
)
def test_wrong_config_is_refused_before_anything_is_loaded(
    tmp_path: Path, text: str, message: str, film_task: Callable[..., ImageTask]
) -> None:
    source = tmp_path / "film_model.keras"
    source.touch()
    (tmp_path / "film_model_config.json").write_text(text)
    with pytest.raises(BundleInvalid) as refused:
        convert_user_model(source, film_task(), tmp_path / "cache")
    assert message in str(refused.value)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("names", [["PNEUMONIA", "Normal"], ["Pneumonia finding", "label_normal"]])
def test_config_may_name_classes_by_code_name_or_data_set_label(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch, film_task: Callable[..., ImageTask]
) -> None:
    seen: list[ConversionJob] = []

    def stop(job: ConversionJob, *_: object) -> dict[str, Any]:
        seen.append(job)
        raise BundleInvalid("far enough")

    monkeypatch.setattr(conversion, "_run_converter", stop)
    source = tmp_path / "film_model.keras"
    source.touch()
    config = {"classes": names, "input_size": 40, "accuracy": 0.99}
    (tmp_path / "film_model_config.json").write_text(json.dumps(config))
    with pytest.raises(BundleInvalid, match="far enough"):
        convert_user_model(source, film_task(), tmp_path / "cache")
    assert seen[0].output_codes == ("pneumonia", "normal")
    assert (seen[0].model_size_px, seen[0].input_scale) == ((40, 40), pytest.approx(1 / 255))
