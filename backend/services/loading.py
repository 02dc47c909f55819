"""Which model serves each task: a user's own, else a bundle, else none. Loaded in the background."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from backend.config import Config
from backend.errors import StillLoading
from backend.services.user_symptoms import (
    PICKLES_OFF,
    UserSymptomModel,
    find_user_symptom_model,
    open_user_symptom_model,
)
from backend.telemetry import Logger
from ml_model.diagnosis.case import CaseResult
from ml_model.diagnosis.pipeline import Engines
from ml_model.errors import BundleInvalid, MediDiagnoseError
from ml_model.inference.bundle import MANIFEST, Bundle, load_bundle
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.input_gate.modality_classifier import BUNDLE_ID, modality_spec
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.image_schema import SignalInput
from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask
from ml_model.user_models.conversion import convert_user_model, find_user_model

Task = ImageTask | SymptomTask | RiskTask
Engine = Predictor | SymptomModel | UserSymptomModel | HeartRiskModel
LOAD_WAIT_S = 20.0


@dataclass(frozen=True)
class LoadedModel:
    """What answers for a task."""

    bundle: Bundle
    engine: Engine
    source: Literal["bundled", "user"]


def find_bundle(task_id: str, model_dirs: tuple[Path, ...]) -> Path | None:
    """The first folder with a bundle for the task: `<dir>/<task>`, or `<dir>` itself when it is that task's bundle."""
    for directory in model_dirs:
        if (directory / task_id / MANIFEST).is_file():
            return directory / task_id
        if (directory / MANIFEST).is_file() and f'"task": "{task_id}"' in (directory / MANIFEST).read_text("utf-8"):
            return directory
    return None


def signal_bundle_id(task: ImageTask) -> str:
    """What the bundle of a task's recordings is called."""
    return f"{task.id}-signal"


def _image_engine(bundle: Bundle, task: ImageTask, config: Config) -> Predictor:
    predictor = Predictor(bundle, engine=config.engine, cache_dir=config.data_dir / "compiled")
    # One blank picture: the first run is slow, and a graph of the wrong shape shows itself here.
    blank = np.zeros((1, task.input.height_px, task.input.width_px, 3), np.uint8)
    return _fitting(predictor, predictor.predict(blank), task)


def _signal_engine(bundle: Bundle, task: ImageTask, signal_input: SignalInput, config: Config) -> Predictor:
    predictor = Predictor(bundle, engine=config.engine, cache_dir=config.data_dir / "compiled")
    blank = np.zeros((1, signal_input.samples, signal_input.leads), np.float32)
    return _fitting(predictor, predictor.predict_signals(blank), task)


def _fitting(predictor: Predictor, prediction: Prediction, task: ImageTask) -> Predictor:
    found = prediction.probabilities.shape
    if found != (1, len(task.classes)):
        raise BundleInvalid(f"{predictor.bundle.path.name}: gives {found[-1]} outputs for {len(task.classes)} classes")
    return predictor


def _predictor(loaded: LoadedModel | None) -> Predictor | None:
    """The engine of an image task."""
    return loaded.engine if loaded and isinstance(loaded.engine, Predictor) else None


def open_model(bundle: Bundle, task: Task, config: Config) -> Engine:
    """A bundle made ready to answer."""
    if isinstance(task, ImageTask):
        return _image_engine(bundle, task, config)
    if isinstance(task, SymptomTask):
        return SymptomModel.load(bundle)
    return HeartRiskModel.load(bundle, task)


class ModelStore:
    """The loaded models by task id. Safe to read from several threads while they load."""

    def __init__(self, tasks: tuple[Task, ...], config: Config, logger: Logger) -> None:
        self.tasks: dict[str, Task] = {task.id: task for task in tasks}
        self._config = config
        self._logger = logger
        self._loaded: dict[str, LoadedModel] = {}
        self._signals: dict[str, LoadedModel] = {}
        self._gate: Predictor | None = None
        self._image_tasks = tuple(task for task in tasks if isinstance(task, ImageTask))
        self._gate_done = threading.Event()
        self._problems: dict[str, str] = {}
        self._done = {task.id: threading.Event() for task in tasks}

    def start(self) -> None:
        """Load every task's model, then convert users' models, in the background.

        One thread, one after the other: engines compile on all cores anyway, and importing two
        of them from several threads at once was seen to lock up.
        """
        threading.Thread(target=self._load_all, name="models", daemon=True).start()

    def wait_ready(self, timeout_s: float = LOAD_WAIT_S) -> bool:
        """Block until ready; False when that takes too long."""
        deadline = time.monotonic() + timeout_s
        return all(done.wait(max(0.0, deadline - time.monotonic())) for done in self._done.values())

    def problems(self) -> dict[str, str]:
        """By task: what kept its bundle or a user's model from serving."""
        return dict(sorted(self._problems.items()))

    def signal(self, task_id: str) -> LoadedModel | None:
        """The model of a task's recordings; None if it takes none or has no model. Ready as soon as `get` returns."""
        return self._signals.get(task_id)

    @property
    def gate(self) -> Predictor | None:
        """What tells kinds of picture apart; None without its bundle. Raises StillLoading when not ready in time."""
        if not self._gate_done.wait(LOAD_WAIT_S):
            raise StillLoading("the input gate is still loading; try again in a moment")
        return self._gate

    def engines(self, task: ImageTask) -> Engines:
        """What answers the task. Raises StillLoading when it is not ready in time."""
        pictures, signals = self.get(task.id), self.signal(task.id)
        return Engines(_predictor(pictures), _predictor(signals), self.gate, self._image_tasks)

    def of(self, task: ImageTask, result: CaseResult) -> LoadedModel | None:
        """The model that gave a result; None of an example."""
        candidates = (self._loaded.get(task.id), self._signals.get(task.id))
        return next((m for m in candidates if m is not None and m.engine is result.predictor), None)

    def current(self, task_id: str) -> LoadedModel | None:
        """The model as it stands now, without waiting; where there is only one of recordings, that."""
        return self._loaded.get(task_id) or self._signals.get(task_id)

    def get(self, task_id: str) -> LoadedModel | None:
        """The model of a task's pictures, None if it has none. Raises StillLoading when it is not ready in time."""
        if not self._done[task_id].wait(LOAD_WAIT_S):
            raise StillLoading(f"the model for {task_id} is still loading; try again in a moment")
        return self._loaded.get(task_id)

    def _load(self, task: Task) -> None:
        try:
            path = find_bundle(task.id, self._config.model_dirs)
            if path is not None:
                bundle = load_bundle(path, task=task.id, contract_sha256=task.contract_sha256)
                self._loaded[task.id] = LoadedModel(bundle, open_model(bundle, task, self._config), "bundled")
            if isinstance(task, ImageTask) and task.signal:
                self._load_signal(task, task.signal)
        except Exception as error:  # whatever is wrong with one model must not take the others down
            self._report(task.id, error)
        finally:
            self._done[task.id].set()

    def _load_signal(self, task: ImageTask, signal_input: SignalInput) -> None:
        name = signal_bundle_id(task)
        path = find_bundle(name, self._config.model_dirs)
        if path is not None:
            bundle = load_bundle(path, task=name, contract_sha256=task.signal_contract_sha256)
            engine = _signal_engine(bundle, task, signal_input, self._config)
            self._signals[task.id] = LoadedModel(bundle, engine, "bundled")

    def _load_gate(self) -> None:
        """Before the tasks' models, so that none answers without it."""
        try:
            path = find_bundle(BUNDLE_ID, self._config.model_dirs)
            if path is not None and self._config.input_gate:
                spec = modality_spec()
                bundle = load_bundle(path, task=BUNDLE_ID, contract_sha256=spec.contract_sha256)
                predictor = Predictor(bundle, engine=self._config.engine, cache_dir=self._config.data_dir / "compiled")
                predictor.predict(np.zeros((1, spec.input.height_px, spec.input.width_px, 3), np.uint8))
                self._gate = predictor
        except Exception as error:  # as in _load
            self._report(BUNDLE_ID, error)
        finally:
            self._gate_done.set()

    def _load_all(self) -> None:
        self._load_gate()
        for task in self.tasks.values():
            self._load(task)
        for task in self.tasks.values():
            self._load_user_model(task)

    def _load_user_model(self, task: Task) -> None:
        try:
            found = self._open_user_model(task)
        except Exception as error:  # as in _load: the bundled model goes on serving
            self._report(task.id, error)
            return
        if found is not None:
            self._loaded[task.id] = found
            self._logger.info("user_model", task=task.id, version=found.bundle.manifest.version)

    def _open_user_model(self, task: Task) -> LoadedModel | None:
        folder = self._config.user_models_dir
        if isinstance(task, ImageTask) and (source := find_user_model(folder, task)) is not None:
            bundle = convert_user_model(source, task, self._config.data_dir / "converted")
            return LoadedModel(bundle, open_model(bundle, task, self._config), "user")
        if isinstance(task, SymptomTask) and find_user_symptom_model(folder) is not None:
            if not self._config.allow_pickle:
                raise BundleInvalid(PICKLES_OFF)
            return LoadedModel(*open_user_symptom_model(folder, task), "user")
        return None

    def _report(self, name: str, error: Exception) -> None:
        known = isinstance(error, MediDiagnoseError)
        message = str(error) if known else f"{type(error).__name__}: the model could not be loaded"
        self._problems[name] = " ".join(message.split())
        self._logger.error("model_problem", task=name, problem=self._problems[name])
