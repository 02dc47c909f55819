"""A user's own Keras file: where it is looked for, and what its configuration may say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples import ROOT, SUPPORT

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


def test_a_config_that_is_a_pipe_is_refused_and_not_waited_for(
    tmp_path: Path, film_task: Callable[..., ImageTask]
) -> None:
    source = tmp_path / "film_model.keras"
    source.touch()
    os.mkfifo(tmp_path / "film_model_config.json")
    with pytest.raises(BundleInvalid, match=r"film_model_config\.json: cannot be read: it is no ordinary file"):
        convert_user_model(source, film_task(), tmp_path / "cache")


def test_a_folder_that_takes_nothing_is_an_error_of_its_own_and_what_a_killed_process_left_goes(
    tmp_path: Path, film_task: Callable[..., ImageTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, cache = tmp_path / "film_model.keras", tmp_path / "cache"
    source.touch()
    cache.touch()
    with pytest.raises(OSError, match="File exists"):
        convert_user_model(source, film_task(), cache)
    cache.unlink()
    for name, age in ((".converting-killed", 0.0), (".converting-working", None)):
        (cache / name / "bundle").mkdir(parents=True)
        if age is not None:
            os.utime(cache / name, (age, age))
    # A converter that says, as ours does, that the disk took nothing.
    monkeypatch.setattr(conversion, "CONVERTER", "child_processes.full_disk_converter")
    monkeypatch.setenv("PYTHONPATH", f"{SUPPORT}:{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(OSError, match="No space left on device"):
        convert_user_model(source, film_task(), cache)
    assert [path.name for path in cache.iterdir()] == [".converting-working"]


def test_the_converter_says_by_its_status_that_the_disk_is_at_fault(tmp_path: Path) -> None:
    command = [sys.executable, "-m", conversion.CONVERTER, str(tmp_path / "not there"), str(os.getpid())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert (done.returncode, done.stderr.strip()) == (conversion.CANNOT_WRITE, "No such file or directory")


SERVICE = """
import os, subprocess, sys
subprocess.run([sys.executable, "-m", *sys.argv[1:], str(os.getpid())])
"""


def test_the_converter_ends_when_the_service_is_killed(tmp_path: Path) -> None:
    """It reads a job that does not end; that of its output says that it is gone."""
    os.mkfifo(tmp_path / "job.json")
    command = [sys.executable, "-c", SERVICE, conversion.CONVERTER, str(tmp_path / "job.json")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as service:
        endless = os.open(tmp_path / "job.json", os.O_WRONLY)  # waits until it is being read
        service.kill()
        assert service.communicate(timeout=120)[0] == b""
        os.close(endless)
