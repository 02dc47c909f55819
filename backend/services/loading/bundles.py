"""A bundle of the task's, found in its folder and made ready to answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.schemas.common import Source
from backend.services.loading.user_symptoms import UserSymptomModel
from ml_model.diagnosis.bundle_fit import require_fit
from ml_model.diagnosis.pipeline import Engines
from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import MANIFEST, MODELS_DIR, MOST_MANIFEST_BYTES, Bundle, load_bundle
from ml_model.inference.files import read_small_file
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.input_gate.modality_classifier import BUNDLE_ID, OTHER, modality_spec
from ml_model.symptoms.engine import SymptomEngine
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tasks.image_schema import SignalInput
from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask

Task = ImageTask | SymptomTask | RiskTask
Compile = Callable[[Bundle], Predictor]
Engine = Predictor | SymptomEngine | UserSymptomModel | HeartRiskModel


@dataclass(frozen=True)
class LoadedModel:
    """What answers for a task."""

    bundle: Bundle
    engine: Engine
    source: Source


@dataclass(frozen=True)
class ImageModels:
    """All that answers an image task: engines for the pipeline, and the models they are of."""

    engines: Engines
    pictures: LoadedModel | None
    signals: LoadedModel | None
    preprocessing_sha256: str
    warning: str | None = None  # what kept a user's own file, or a site's own thresholds, from serving


def find_bundle(task_id: str, model_dirs: tuple[Path, ...]) -> Path | None:
    """The first folder of a bundle for the task, sound or not: `<dir>/<task>`, or `<dir>` where that is its bundle."""
    for directory in model_dirs:
        if os.path.lexists(directory / task_id):  # whatever it is: a broken link must not let another folder answer
            return directory / task_id
        if task_of(directory) == task_id:
            return directory
    return None


def task_of(directory: Path) -> str | None:
    """Whose bundle a folder is: its manifest says it, or the folder's name where that cannot be read; None if none."""
    if not os.path.lexists(directory / MANIFEST):
        return None
    try:
        return str(json.loads(read_small_file(directory / MANIFEST, MOST_MANIFEST_BYTES))["task"])
    except (ValueError, KeyError, TypeError, RecursionError, OSError):
        return directory.resolve().name


def signal_bundle_id(task: Task) -> str:
    """What the bundle of a task's recordings is called."""
    return f"{task.id}-signal"


def _source(path: Path) -> Source:
    return "bundled" if path.resolve().is_relative_to(MODELS_DIR.resolve()) else "model_dir"


def _image_engine(bundle: Bundle, task: ImageTask, compile_bundle: Compile) -> Predictor:
    require_fit(bundle, task)
    predictor = compile_bundle(bundle)
    # One blank picture: the first run is slow, and a graph of the wrong shape shows itself here.
    blank = np.zeros((1, task.input.height_px, task.input.width_px, 3), np.uint8)
    return _fitting(predictor, predictor.predict(blank), len(task.classes))


def _signal_engine(bundle: Bundle, task: ImageTask, signal_input: SignalInput, compile_bundle: Compile) -> Predictor:
    require_fit(bundle, task)
    predictor = compile_bundle(bundle)
    blank = np.zeros((1, signal_input.samples, signal_input.leads), np.float32)
    return _fitting(predictor, predictor.predict_signals(blank), len(task.classes))


def open_gate(path: Path, compile_bundle: Compile) -> Predictor:
    """What tells kinds of picture apart. Raises BundleInvalid."""
    spec = modality_spec()
    bundle = load_bundle(path, task=BUNDLE_ID, contract_sha256=spec.contract_sha256)
    if missing := {code for code in spec.codes if code != OTHER} - bundle.manifest.thresholds.keys():
        # A kind without a threshold would be accepted whatever it shows.
        raise BundleInvalid(f"{bundle.path.name}: {MANIFEST} has no threshold for {', '.join(sorted(missing))}")
    predictor = compile_bundle(bundle)
    blank = np.zeros((1, spec.input.height_px, spec.input.width_px, 3), np.uint8)
    return _fitting(predictor, predictor.predict(blank), len(spec.codes))


def _fitting(predictor: Predictor, prediction: Prediction, classes: int) -> Predictor:
    found = prediction.probabilities.shape
    if found != (1, classes):
        raise BundleInvalid(f"{predictor.bundle.path.name}: gives {found[-1]} outputs for {classes} classes")
    return predictor


def predictor_of(loaded: LoadedModel | None) -> Predictor | None:
    """The engine of an image task; None where there is none."""
    return loaded.engine if loaded and isinstance(loaded.engine, Predictor) else None


def open_model(bundle: Bundle, task: Task, compile_bundle: Compile) -> Engine:
    """A bundle made ready to answer."""
    if isinstance(task, ImageTask):
        return _image_engine(bundle, task, compile_bundle)
    if isinstance(task, SymptomTask):
        return SymptomEngine.load(bundle)
    return HeartRiskModel.load(bundle, task)


def task_model(task: Task, path: Path, compile_bundle: Compile) -> LoadedModel:
    """The bundle of a task in its folder. Raises BundleInvalid."""
    bundle = load_bundle(path, task=task.id, contract_sha256=task.contract_sha256)
    return _loaded(bundle, open_model(bundle, task, compile_bundle), path)


def signal_model(task: ImageTask, signal_input: SignalInput, path: Path, compile_bundle: Compile) -> LoadedModel:
    """The bundle of a task's recordings in its folder. Raises BundleInvalid."""
    bundle = load_bundle(path, task=signal_bundle_id(task), contract_sha256=task.signal_contract_sha256)
    return _loaded(bundle, _signal_engine(bundle, task, signal_input, compile_bundle), path)


def _loaded(bundle: Bundle, engine: Engine, path: Path) -> LoadedModel:
    """Of pictures and recordings with the thresholds that they are held against, the bundle's or the site's."""
    return LoadedModel(engine.bundle if isinstance(engine, Predictor) else bundle, engine, _source(path))
