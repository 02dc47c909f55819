"""What every parser must keep for any bytes: a value or one of our errors, no warning, soon, and in bounded memory."""

from __future__ import annotations

import contextlib
import functools
import os
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fuzzing.cases import KEPT, PICTURES, RECORDINGS, Case
from fuzzing.keeping import kept_picture, kept_recording
from fuzzing.seeds import Upload

from ml_model.ecg.recording import check_recording, load_recording, network_signal
from ml_model.errors import MediDiagnoseError
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inputs.dicom.header import read_dicom_header
from ml_model.inputs.images.decoder import decode_image, fitted
from ml_model.inputs.images.frames import count_frames
from ml_model.inputs.json_body import json_object, read_body
from ml_model.inputs.tabular import DiseaseQuestion, risk_values
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.image_schema import SignalInput
from ml_model.tasks.registry import RiskTask, load_image_tasks, load_task

REFUSED_WITHIN_S, ANSWERED_WITHIN_S = 2.0, 3.0  # of computing; a legal picture of 50 megapixels takes its time
MOST_MIB = 600.0  # what such a picture may take
_LONGEST_MESSAGE = 2000  # characters; of twelve leads that cannot be used
_TRIES = 3  # a busy machine makes anything slow once
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_TASKS = load_image_tasks()
_PAGED = tuple(task for task in _TASKS if task.input.pdf_pages)
Parser = Callable[[Upload, Case], object]


@dataclass(frozen=True)
class Outcome:
    """What one case came to. `refused`: the error's code, None for an answer; `fault`: what must not be."""

    refused: str | None
    computing_s: float
    grown_mib: float
    fault: str | None = None


def _picture(upload: Upload, case: Case) -> object:
    data, rng = upload[0][1], case.random()
    task = rng.choice(_PAGED if case.family == "PDF" else _TASKS)
    if case.family == "DICOM":
        read_dicom_header(data)
    if case.family in ("PNG", "GIF", "TIFF"):
        with contextlib.suppress(IndexError):  # it is asked only after a decoder has opened the file
            count_frames(case.family, data)
    loaded = fitted(decode_image(data, task.input, full_size=rng.random() < 0.2), task.input)
    assert loaded.pixels.shape == (task.input.height_px, task.input.width_px, 3)
    return loaded


def _recording(upload: Upload, case: Case) -> object:
    given_hz = case.random().choice((None, None, 100.0, 500.0))
    recording = load_recording(upload, sampling_rate_hz=given_hz)
    signal = SignalInput(sampling_rate_hz=100, duration_s=10)
    check_recording(recording)
    made = network_signal(recording, signal)
    assert made.shape == (signal.samples, 12)
    return made


@functools.cache
def _symptom_model() -> SymptomModel:
    task = load_task("disease")
    return SymptomModel.load(load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256))


def _symptoms(upload: Upload, _case: Case) -> object:
    question = read_body(upload[0][1], DiseaseQuestion)
    model = _symptom_model()
    return model.rank(model.match(question.symptoms).names, question.age, question.sex)


def _factors(upload: Upload, _case: Case) -> object:
    task = load_task("heart-risk")
    assert isinstance(task, RiskTask)
    return risk_values(task, json_object(upload[0][1]))


PARSERS: dict[str, Parser] = {
    **dict.fromkeys(PICTURES, _picture),
    **dict.fromkeys(RECORDINGS, _recording),
    "SYMPTOMS": _symptoms,
    "FACTORS": _factors,
    **{KEPT + name: lambda upload, _: kept_picture(upload) for name in PICTURES if name != "PDF"},
    **{KEPT + name: lambda upload, _: kept_recording(upload) for name in RECORDINGS},
}


def _peak_mib() -> float:
    """The most memory that this process has held since `_forget_peak`; 0 where the kernel does not tell."""
    if not _STATUS.exists():
        return 0.0
    text = _STATUS.read_text(encoding="utf-8")
    return int(text.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1024


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        _RESET.write_text("5", encoding="utf-8")


def _computed_s() -> float:
    """Of this thread, and of the processes that it waited for."""
    return time.thread_time() + sum(os.times()[2:4])


def _once(parser: Parser, upload: Upload, case: Case) -> Outcome:
    refused = fault = None
    _forget_peak()
    before_mib, started = _peak_mib(), _computed_s()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            parser(upload, case)
        except MediDiagnoseError as error:
            refused = error.code
            if len(str(error)) > _LONGEST_MESSAGE or refused == "internal_error":
                fault = f"a refusal of {len(str(error))} characters, {refused}"
        except Exception:  # any other is what is looked for
            fault = traceback.format_exc()
    computing_s = _computed_s() - started
    if caught:
        fault = f"a warning: {caught[0].category.__name__}: {caught[0].message}"
    return Outcome(refused, computing_s, _peak_mib() - before_mib, fault)


def examined(case: Case, upload: Upload) -> Outcome:
    """The case through its parser. What is slow is slow each time that it is tried."""
    parser = PARSERS[case.family]
    outcome = _once(parser, upload, case)
    limit_s = REFUSED_WITHIN_S if outcome.refused else ANSWERED_WITHIN_S
    for _ in range(_TRIES - 1):
        if outcome.fault is not None or outcome.computing_s <= limit_s:
            break
        outcome = min(outcome, _once(parser, upload, case), key=lambda one: one.computing_s)
    if outcome.fault is None and outcome.computing_s > limit_s:
        return replace(outcome, fault=f"took {outcome.computing_s:.1f} s of computing")
    if outcome.fault is None and outcome.grown_mib > MOST_MIB:
        return replace(outcome, fault=f"took {outcome.grown_mib:.0f} MiB")
    return outcome
