"""A user's own Keras file -> a bundle, converted once and kept by the file's SHA-256.

TensorFlow runs in a process of its own, with a time-out; this module never imports it.
Beside `<name>.keras` or `<name>.h5` there may be `<name>_config.json` with `classes` in
output order, `input_size` (one number, or height and width, in pixels) and `input_scale`
(what the model expects 0-255 pixels to be multiplied by; 1/255 where it is silent).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess  # nosec B404
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle, file_sha256, load_bundle, write_bundle
from ml_model.inference.files import left_behind, read_small_file
from ml_model.inference.measured import ImageMetrics
from ml_model.tasks.registry import ImageTask

# Part of the cache key: raise it when the same file would be converted differently.
CONVERTER_VERSION = 1
CONVERTER = "ml_model.user_models.keras_converter"
MODEL_FILE, REPORT_FILE, JOB_FILE = "model.onnx", "report.json", "job.json"
WORKPLACE = ".converting-"
CANNOT_WRITE = 74  # the converter's exit status where the disk does not take its result (EX_IOERR of sysexits.h)
MOST_CONFIG_BYTES = 1_000_000
SUFFIXES = (".keras", ".h5")
TIMEOUT_S = 600.0
DEFAULT_SCALE = 1 / 255

Side = Annotated[int, Field(ge=16, le=1024)]


class UserModelConfig(BaseModel):
    """What `<name>_config.json` may say; other keys are the user's own business."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    classes: tuple[str, ...] | None = None
    input_size: Side | tuple[Side, Side] | tuple[Side, Side, Annotated[int, Field(ge=1, le=3)]] | None = None
    input_scale: float = Field(default=DEFAULT_SCALE, gt=0, le=1)

    @property
    def size_px(self) -> tuple[int, int] | None:
        """(height, width) that the model takes, None where the file is silent."""
        if self.input_size is None or isinstance(self.input_size, tuple):
            return self.input_size and (self.input_size[0], self.input_size[1])
        return (self.input_size, self.input_size)


@dataclasses.dataclass(frozen=True)
class ConversionJob:
    """What the converting process is told.

    codes: the task's classes, the order of the exported outputs. output_codes: the same in
    the order of the model's own outputs, None where nobody said. positive: the class that a
    single sigmoid output stands for when output_codes is None.
    """

    source: str
    target_dir: str
    height_px: int
    width_px: int
    codes: tuple[str, ...]
    output_codes: tuple[str, ...] | None
    positive: str
    multi_label: bool
    model_size_px: tuple[int, int] | None
    input_scale: float


def find_user_model(directory: Path, task: ImageTask) -> Path | None:
    """The first of the task's `user_models` that lies in the folder, `.keras` before `.h5`; None if there is none."""
    candidates = (directory / f"{name}{suffix}" for name in task.user_models for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def convert_user_model(source: Path, task: ImageTask, cache_dir: Path, *, timeout_s: float = TIMEOUT_S) -> Bundle:
    """The bundle of a user's Keras file, from the cache when the same file was converted before.

    Its graph takes uint8 (N, height_px, width_px, 3) RGB at the task's size, and resizes,
    turns to grey and scales inside to what the model wants; its one output is
    `probabilities` (N, classes) in the task's order, equal to the Keras model's to 1e-4.
    Nothing is known about the model's quality: evidence is "insufficient", nothing is measured.

    Raises BundleInvalid naming the file and what is wrong with it, and OSError where `cache_dir` cannot be written to
    or is full: nothing half made remains in it.
    """
    config, config_text = _read_config(source)
    try:
        sha256 = file_sha256(source)
    except OSError as error:
        raise BundleInvalid(f"{source.name}: cannot be read: {error.strerror or error}") from error
    key = _cache_key(sha256, config_text, task)
    folder = cache_dir / f"{task.id}-{key[:20]}"
    with contextlib.suppress(BundleInvalid):  # not converted yet, or damaged since
        return load_bundle(folder, task=task.id, contract_sha256=task.contract_sha256)
    job = _job(source, task, config)
    cache_dir.mkdir(parents=True, exist_ok=True)
    for left in left_behind(cache_dir, f"{WORKPLACE}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=WORKPLACE, ignore_cleanup_errors=True) as scratch:
        workplace = Path(scratch) / "bundle"
        workplace.mkdir()
        job = dataclasses.replace(job, target_dir=str(workplace.resolve()))
        report = _run_converter(job, source.name, timeout_s)
        if file_sha256(source) != sha256:
            raise BundleInvalid(f"{source.name}: the file changed while it was converted; start again")
        write_bundle(workplace, _manifest_fields(source, sha256, task, job, report), [MODEL_FILE])
        try:
            workplace.rename(folder)  # atomic: a crash before it leaves no half-written bundle
        except OSError:  # a damaged one, or that of another process, which converted the same file meanwhile
            with contextlib.suppress(BundleInvalid):
                return load_bundle(folder, task=task.id, contract_sha256=task.contract_sha256)
            shutil.rmtree(folder, ignore_errors=True)
            workplace.rename(folder)
    return load_bundle(folder, task=task.id, contract_sha256=task.contract_sha256)


def _cache_key(file_hash: str, config_text: bytes, task: ImageTask) -> str:
    parts = (str(CONVERTER_VERSION), file_hash, task.contract_sha256, _positive(task))
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + config_text).hexdigest()


def _positive(task: ImageTask) -> str:
    return task.findings[0].classes[0] if task.findings else task.codes[1]


def _read_config(source: Path) -> tuple[UserModelConfig, bytes]:
    path = source.with_name(f"{source.stem}_config.json")
    try:
        text = read_small_file(path, MOST_CONFIG_BYTES)
    except FileNotFoundError:
        return UserModelConfig(), b""
    except OSError as error:
        raise BundleInvalid(f"{path.name}: cannot be read: {error.strerror or error}") from error
    try:
        return UserModelConfig.model_validate_json(text), text
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "file"
        raise BundleInvalid(f"{path.name}: {field}: {first['msg']}") from error


def _job(source: Path, task: ImageTask, config: UserModelConfig) -> ConversionJob:
    return ConversionJob(
        source=str(source.resolve()),
        target_dir="",  # not known yet
        height_px=task.input.height_px,
        width_px=task.input.width_px,
        codes=task.codes,
        output_codes=None if config.classes is None else _to_codes(config.classes, task, source.name),
        positive=_positive(task),
        multi_label=task.multi_label,
        model_size_px=config.size_px,
        input_scale=config.input_scale,
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _to_codes(names: tuple[str, ...], task: ImageTask, file_name: str) -> tuple[str, ...]:
    """The config's class names as the task's codes: by code, by name, or by a label of one of its data sets."""
    known = {_plain(label): codes[0] for d in task.datasets for label, codes in d.labels.items() if len(codes) == 1}
    known |= {_plain(text): c.code for c in task.classes for text in (c.name, c.code)}
    codes = tuple(known.get(_plain(name), "") for name in names)
    if sorted(codes) != sorted(task.codes):
        raise BundleInvalid(
            f"{file_name}: its config lists the classes {', '.join(names)}; "
            f"the task {task.id} needs each of {', '.join(task.codes)} once, in the order of the model's outputs"
        )
    return codes


def _run_converter(job: ConversionJob, file_name: str, timeout_s: float) -> dict[str, Any]:
    """Convert in a process of its own; its report. Raises BundleInvalid with the reason it gave."""
    target_dir = Path(job.target_dir)
    job_file, report_file = target_dir / JOB_FILE, target_dir / REPORT_FILE
    job_file.write_text(json.dumps(dataclasses.asdict(job)), encoding="utf-8")
    command = [sys.executable, "-m", CONVERTER, str(job_file), str(os.getpid())]
    package_root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell  # nosec B603
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            cwd=package_root,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleInvalid(f"{file_name}: the conversion took longer than {timeout_s:g} s and was stopped") from error
    if done.returncode == CANNOT_WRITE:
        raise OSError(0, done.stderr.strip().splitlines()[-1])
    try:
        report: dict[str, Any] = json.loads(report_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise BundleInvalid(f"{file_name}: the conversion broke off (status {done.returncode}): {last[0]}") from error
    if "error" in report:
        raise BundleInvalid(f"{file_name}: {report['error']}")
    job_file.unlink()
    report_file.unlink()
    return report


def _manifest_fields(
    source: Path, sha256: str, task: ImageTask, job: ConversionJob, report: dict[str, Any]
) -> dict[str, Any]:
    return {
        "task": task.id,
        "contract_sha256": task.contract_sha256,
        "version": f"user-{sha256[:12]}",
        "classes": task.codes,
        "trained_on": f"not known: the user's own file {source.name}",
        "licence": "that of the user's file and of the data it was trained on",
        "evidence": "insufficient",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": "unknown",
        "seed": 0,
        "library_versions": report["library_versions"],
        "recipe": {
            "converted_from": source.name,
            "model_input": report["model_input"],
            "model_outputs": report["model_outputs"],
            "input_scale": job.input_scale,
            "greatest_difference_from_keras": report["greatest_difference"],
        },
        "data_fingerprints": {"source_file_sha256": sha256},
        "metrics": ImageMetrics(),
    }
