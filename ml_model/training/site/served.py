"""A site's cases, one after another, by the runtime that serves, with what the input gate says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ml_model.diagnosis.case import Case, GateMode, InputCheck
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.ecg.recording import read_wfdb
from ml_model.errors import InputTooLarge, MediDiagnoseError
from ml_model.inference.bundle import MANIFEST, load_bundle
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.input_gate.modality_classifier import BUNDLE_ID, modality_spec
from ml_model.inputs.images.decoder import DEFAULT_LIMITS
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.answers import merged

GATE: GateMode = "warn"  # looks, and answers all the same: what it would refuse is counted


@dataclass(frozen=True)
class Served:
    """samples: those that could be read, a row of `prediction` and a check each. unread: why others could not be, and
    how many. gated: whether there was a gate to look at them."""

    samples: Sequence[Sample]
    prediction: Prediction
    checks: Sequence[InputCheck]
    unread: Mapping[str, int]
    gated: bool


def task_predictor(task: ImageTask, models: Path) -> Predictor:
    """Of the task's pictures, or of its recordings where it reads some. Raises BundleInvalid."""
    name, contract = task.id, task.contract_sha256
    if task.signal:
        name, contract = f"{task.id}-signal", task.signal_contract_sha256
    return Predictor(load_bundle(models / name, task=name, contract_sha256=contract))


def gate_predictor(models: Path) -> Predictor | None:
    """What tells kinds of picture apart; None where no bundle of it is there. Raises BundleInvalid."""
    path = models / BUNDLE_ID
    if not (path / MANIFEST).is_file():
        return None
    return Predictor(load_bundle(path, task=BUNDLE_ID, contract_sha256=modality_spec().contract_sha256))


def answer_all(task: ImageTask, samples: Sequence[Sample], predictor: Predictor, gate: Predictor | None) -> Served:
    """Every case by itself; of each only the numbers are kept. Raises ValueError where none can be read."""
    engines = Engines(signals=predictor) if task.signal else Engines(pictures=predictor, gate=gate)

    def answer(sample: Sample) -> tuple[Prediction, InputCheck] | str:
        try:
            result = diagnose(task, _case(sample), engines)
        except MediDiagnoseError as error:
            return " ".join(str(error).split(";")[0].split())
        except OSError as error:
            return f"the disk: {error.strerror or type(error).__name__}"
        nothing = np.zeros((1, 0), np.float32)
        return replace(result.outputs, embedding=nothing, activation_maps=nothing), result.input_check

    answered, told, unread = list[Sample](), list[tuple[Prediction, InputCheck]](), Counter[str]()
    with ThreadPoolExecutor(2) as pool:
        answers = tqdm(pool.map(answer, samples), total=len(samples), desc="answer", unit="case")
        for sample, made in zip(samples, answers, strict=True):
            if isinstance(made, str):
                unread[made] += 1
            else:
                answered.append(sample)
                told.append(made)
    if not told:
        raise ValueError(f"none of the {len(samples)} cases can be read: {next(iter(unread))}")
    prediction = merged([one for one, _ in told])
    return Served(
        answered, prediction, [check for _, check in told], unread, gated=gate is not None and not task.signal
    )


def _case(sample: Sample) -> Case:
    if sample.path.suffix == ".hea":
        return Case(recording=read_wfdb(sample.path), gate=GATE)
    if (size := sample.path.stat().st_size) > DEFAULT_LIMITS.max_bytes:
        raise InputTooLarge(f"a file is too large: more than {DEFAULT_LIMITS.max_bytes} bytes; one has {size}")
    return Case(pictures=(sample.path.read_bytes(),), gate=GATE)
