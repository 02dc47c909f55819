"""Which model serves each task: a user's own, else a bundle, else none. Loaded in the background."""

from __future__ import annotations

import functools
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from backend.config import REPOSITORY, Config
from backend.errors import NotFound, StillLoading
from backend.services.loading.bundles import (
    ImageModels,
    LoadedModel,
    Task,
    find_bundle,
    open_gate,
    open_model,
    predictor_of,
    signal_bundle_id,
    signal_model,
    task_model,
    task_of,
)  # fmt: skip
from backend.services.loading.compiling import compiler
from backend.services.loading.faults import Faults
from backend.services.loading.user_symptoms import PICKLES_OFF, find_user_symptom_model, open_user_symptom_model
from backend.telemetry import Logger, Metrics
from ml_model.diagnosis.pipeline import Engines
from ml_model.errors import BundleInvalid, ModelUnavailable
from ml_model.inference.bundle import MANIFEST, MODELS_DIR
from ml_model.inference.predictor import Predictor
from ml_model.inference.provenance import preprocessing_sha256
from ml_model.input_gate.modality_classifier import BUNDLE_ID
from ml_model.symptoms.engine import SymptomEngine
from ml_model.tasks.registry import ImageTask, SymptomTask
from ml_model.user_models.conversion import convert_user_model, find_user_model

T = TypeVar("T")
LOAD_WAIT_S = 20.0


class ModelStore:
    """The loaded models by task id. Safe to read from several threads while they load."""

    def __init__(self, tasks: tuple[Task, ...], config: Config, logger: Logger, metrics: Metrics) -> None:
        self.tasks: dict[str, Task] = {task.id: task for task in tasks}
        self._config = config
        self._logger = logger
        self._loaded: dict[str, LoadedModel] = {}
        self._signals: dict[str, LoadedModel] = {}
        self._gate: Predictor | None = None
        self.image_tasks = tuple(task for task in tasks if isinstance(task, ImageTask))
        self._gate_done = threading.Event()
        folders = (*config.model_dirs, config.user_models_dir, config.data_dir, config.tasks_dir, REPOSITORY)
        self._faults = Faults(folders, logger, metrics)
        self._compile = compiler(config, tasks, self._faults)
        # One thread at least is left to answer what needs no model while the others wait for theirs.
        self._may_wait = threading.BoundedSemaphore(max(1, config.threads - 1))
        self._found: set[str] = set()  # bundles that there are, sound or not
        self._invalid: set[str] = set()
        self._unused: dict[str, str] = {}  # by task: why a user's own file does not answer
        self.ready: dict[str, ImageModels] = {}  # once loaded and sound; others are asked for by `image_models`
        self._done = {task.id: threading.Event() for task in tasks}
        self._loading = threading.Thread(target=self._load_all, name="models", daemon=True)

    def task_of_kind(self, kind: type[T]) -> T:
        """The first task of that kind. Raises ModelUnavailable where there is none."""
        for task in self.tasks.values():
            if isinstance(task, kind):
                return task
        raise ModelUnavailable("this service has no task of that kind; add its task file and start it again")

    def task(self, task_id: str) -> Task:
        """Raises NotFound with the tasks that there are."""
        if task_id not in self.tasks:
            raise NotFound(f"there is no task {task_id!r:.80}; tasks: {', '.join(self.tasks)}")
        return self.tasks[task_id]

    def start(self) -> None:
        """Load every task's model, then convert users' models, in the background: one thread, one after the other, as
        engines compile on all cores anyway, and importing two at once was seen to lock up."""
        self._loading.start()

    def wait_loaded(self) -> None:
        """Block until nothing more is to be loaded or prepared."""
        self._loading.join()

    def wait_ready(self, timeout_s: float = LOAD_WAIT_S) -> bool:
        """Block until ready; False when that takes too long."""
        deadline = time.monotonic() + timeout_s
        return all(done.wait(max(0.0, deadline - time.monotonic())) for done in self._done.values())

    def problems(self) -> dict[str, str]:
        """By task: what kept its bundle or a user's model from serving."""
        return dict(sorted(self._faults.problems.items()))

    def notes(self) -> dict[str, str]:
        """What is amiss though every answer is as ever: by task, or by the setting of a folder."""
        return dict(sorted(self._faults.notes.items()))

    @property
    def degraded(self) -> bool:
        """Whether a bundle that is there cannot be used; `problems` says why."""
        return bool(self._invalid)

    def invalid(self, task_id: str) -> str | None:
        """What is wrong with the bundle of a task that therefore answers nothing; None for any other task."""
        return self._faults.problems[task_id] if task_id in self._invalid - self._loaded.keys() else None

    def all_down(self) -> bool:
        """Whether tasks have bundles and none of these tasks can answer anything."""
        bundled = [task for task in self.tasks.values() if {task.id, signal_bundle_id(task)} & self._found]
        return bool(bundled) and not any(self._answers(task) for task in bundled)

    def _answers(self, task: Task) -> bool:
        ungated = isinstance(task, ImageTask) and BUNDLE_ID in self._invalid
        return task.id in self._signals or (task.id in self._loaded and not ungated)

    @property
    def gate(self) -> Predictor | None:
        """What tells kinds of picture apart; None without its bundle or where it is switched off.

        Raises StillLoading when it is not ready in time, and BundleInvalid: in every mode of a request, for who
        damaged the gate's model must not be let through by a query.
        """
        self._wait(self._gate_done, "the input gate")
        self._refuse_invalid(BUNDLE_ID)
        return self._gate

    def image_models(self, task: ImageTask, *, recording: bool) -> ImageModels:
        """What answers a picture, or a recording, of the task. Raises StillLoading and BundleInvalid."""
        signals = self.signal(task)
        pictures = None if recording else self.get(task.id)  # neither this nor the gate is asked for a recording
        engines = Engines(
            predictor_of(pictures), predictor_of(signals), None if recording else self.gate, self.image_tasks
        )
        warning = self.unused_user_file(task.id) or self._faults.on_points(task.id, signal_bundle_id(task))
        return ImageModels(engines, pictures, signals, preprocessing_sha256(task), warning)

    def current(self, task_id: str) -> LoadedModel | None:
        """The model as it stands now, without waiting; where there is only one of recordings, that."""
        return self._loaded.get(task_id) or (None if task_id in self._invalid else self._signals.get(task_id))

    def current_signal(self, task_id: str) -> LoadedModel | None:
        """The model of a task's recordings as it stands now, without waiting."""
        return self._signals.get(task_id)

    def get(self, task_id: str) -> LoadedModel | None:
        """The model of a task's pictures, None if it has none. Raises StillLoading and BundleInvalid."""
        self._wait_for(task_id)
        if task_id not in self._loaded:
            self._refuse_invalid(task_id)
        return self._loaded.get(task_id)

    def signal(self, task: ImageTask) -> LoadedModel | None:
        """The model of a task's recordings, None if it has none. Raises StillLoading and BundleInvalid."""
        self._wait_for(task.id)
        self._refuse_invalid(signal_bundle_id(task))
        return self._signals.get(task.id)

    def _wait_for(self, task_id: str) -> None:
        self._wait(self._done[task_id], f"the model for {task_id}")

    def _wait(self, loaded: threading.Event, what: str) -> None:
        """Raises StillLoading when it takes too long, or when too many others wait already."""
        if loaded.is_set():
            return
        if self._may_wait.acquire(blocking=False):
            try:
                if loaded.wait(LOAD_WAIT_S):
                    return
            finally:
                self._may_wait.release()
        raise StillLoading(f"{what} is still loading; try again in a moment")

    def _refuse_invalid(self, name: str) -> None:
        if name in self._invalid:
            raise BundleInvalid(
                f"a model is there but cannot be used: {self._faults.problems[name]}; restore it or train it again, "
                "then start the service again"
            )

    def _load(self, task: Task) -> None:
        try:
            if opened := self._opened(task.id, lambda path: task_model(task, path, self._compile)):
                self._loaded[task.id] = opened
            if isinstance(task, ImageTask) and (signal := task.signal):
                name = signal_bundle_id(task)
                if opened := self._opened(name, lambda path: signal_model(task, signal, path, self._compile)):
                    self._signals[task.id] = opened
        finally:
            self._done[task.id].set()
            self._note_ready(task)

    def _note_ready(self, task: Task) -> None:
        """Into `ready` where nothing of the task is invalid."""
        if isinstance(task, ImageTask) and not {task.id, signal_bundle_id(task), BUNDLE_ID} & self._invalid:
            self.ready[task.id] = self.image_models(task, recording=False)

    def _opened(self, name: str, open_bundle: Callable[[Path], T]) -> T | None:
        """What `open_bundle` makes of the bundle's folder; None where there is none or it is invalid."""
        try:
            path = find_bundle(name, self._config.model_dirs)
            if path is None:
                return None
            self._found.add(name)
            return open_bundle(path)
        except Exception as error:  # whatever is wrong with one model must not take the others down
            self._refuse(name, error)
            return None

    def _load_gate(self) -> None:
        """Before the tasks' models, so that none answers without it."""
        try:
            if self._config.input_gate:
                self._gate = self._opened(BUNDLE_ID, lambda path: open_gate(path, self._compile))
        finally:
            self._gate_done.set()

    def _look_around(self) -> None:
        """Folders that are not there, and bundles of no task here."""
        known = {BUNDLE_ID, *self.tasks, *map(signal_bundle_id, self.tasks.values())}
        for directory in self._config.model_dirs:
            name = task_of(directory)
            if name is not None and name not in known:
                self._refuse(name, BundleInvalid(f"{directory.resolve().name}: {MANIFEST} names no task known here"))
            try:
                found = {path.name for path in directory.iterdir()}
            except OSError as error:
                said = f"MODEL_DIR cannot be read ({error.strerror}): none of its models answers"
                self._refuse("MODEL_DIR", BundleInvalid(said))
                continue
            strange = sorted(n for n in found - known if os.path.lexists(directory / n / MANIFEST))
            if strange and directory.resolve() != MODELS_DIR.resolve():
                self._faults.note("MODEL_DIR", f"bundles of no task known here: {', '.join(strange)}")
        if not self._config.user_models_dir.is_dir():
            self._faults.note("USER_MODELS_DIR", "there is no such folder")

    def _load_all(self) -> None:
        self._guarded("MODEL_DIR", self._look_around)
        self._guarded(BUNDLE_ID, self._load_gate)
        for task in self.tasks.values():
            self._guarded(task.id, functools.partial(self._load, task))
        for task in self.tasks.values():
            self._load_user_model(task)
        for loaded in tuple(self._loaded.values()):  # last, as it takes seconds and readiness does not wait for it
            if isinstance(loaded.engine, SymptomEngine):
                loaded.engine.prepare()

    def _guarded(self, name: str, load: Callable[[], None]) -> None:
        """What nobody foresaw in one place must not keep the others from loading, or the service from starting."""
        try:
            load()
        except Exception as error:
            self._refuse(name, error)

    def _refuse(self, name: str, error: Exception) -> None:
        self._faults.problem(name, error)
        self._invalid.add(name)

    def _load_user_model(self, task: Task) -> None:
        try:
            found = self._open_user_model(task)
        except Exception as error:  # as in _load: the bundled model goes on serving
            self._unused[task.id] = self._faults.problem(task.id, error)
            self._note_ready(task)
            return
        if found is not None:
            self._loaded[task.id] = found
            self._note_ready(task)
            self._logger.info("user_model", task=task.id, version=found.bundle.manifest.version)

    def _open_user_model(self, task: Task) -> LoadedModel | None:
        folder = self._config.user_models_dir
        if isinstance(task, ImageTask) and (source := find_user_model(folder, task)) is not None:
            try:
                return self._converted(source, task, self._config.data_dir / "converted")
            except OSError as error:
                self._faults.not_kept(error.strerror or str(error))
            with tempfile.TemporaryDirectory() as scratch:  # what answers is in memory when this goes
                return self._converted(source, task, Path(scratch))
        if isinstance(task, SymptomTask) and find_user_symptom_model(folder) is not None:
            if not self._config.allow_pickle:
                raise BundleInvalid(PICKLES_OFF)
            return LoadedModel(*open_user_symptom_model(folder, task), "user")
        return None

    def _converted(self, source: Path, task: ImageTask, folder: Path) -> LoadedModel:
        bundle = convert_user_model(source, task, folder)
        return LoadedModel(bundle, open_model(bundle, task, self._compile), "user")

    def unused_user_file(self, task_id: str) -> str | None:
        """What every answer of a task says where a user's own file is there and cannot serve."""
        reason = self._unused.get(task_id)
        return f"a model of your own is there but does not answer: {reason}; the bundled model did" if reason else None
