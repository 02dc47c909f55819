"""Predictor: one compiled graph gives probabilities, activation maps and the embedding in one pass.

OpenVINO runs it on a CPU, ONNX Runtime where a CUDA (or other accelerated) provider is
there. On OpenVINO each picture runs through the same graph of batch one: probabilities then
do not depend, bit for bit, on what else is in the batch, at a cost of a tenth in throughput.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle
from ml_model.inference.calibration import calibrated
from ml_model.inference.compiled_cache import CompiledCache
from ml_model.inference.ood import OOD_FILE, OodDetector

if TYPE_CHECKING:
    import openvino

MODEL_FILE = "model.onnx"
DEVICE = "CPU"
PROBABILITIES, ACTIVATION_MAPS, EMBEDDING = "probabilities", "activation_maps", "embedding"
POPULATION = "population"
Engine = Literal["auto", "openvino", "onnxruntime"]
Outputs = dict[str, NDArray[np.float32]]
# OpenVINO's Python binding looks NumPy up at its first array and two threads doing so at once
# wait for each other for ever (seen with 2026.4): the first array is made under this lock.
_FIRST_USE = threading.Lock()
PLAIN_PROVIDERS = frozenset({"CPUExecutionProvider", "AzureExecutionProvider"})


@dataclass(frozen=True)
class Prediction:
    """Outputs for a batch of N images."""

    probabilities: NDArray[np.float32]  # (N, classes), 0-1, calibrated where the bundle says how
    activation_maps: NDArray[np.float32]  # (N, classes, rows, columns), >= 0, Grad-CAM; rows = 0 if the model has none
    embedding: NDArray[np.float32]  # (N, features); features = 0 if the model has none
    population: NDArray[np.float32]  # (N, populations), 0-1; populations = 0 if the model cannot tell them apart
    uncalibrated: NDArray[np.float32]  # (N, classes), 0-1, as the graph gives them
    distance: NDArray[np.float32]  # (N,) to the training pictures, see ood.py; (0,) if the bundle cannot tell

    def rows(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> Prediction:
        """The same for some rows only."""
        kept = {f.name: v[index] if len(v := getattr(self, f.name)) else v for f in fields(self)}
        return Prediction(**kept)


class Predictor:
    """A bundle, compiled. Safe to call from several threads.

    cache: where the graph that OpenVINO compiles is kept for the next start; None keeps nothing.
    Raises BundleInvalid when the graph cannot be compiled or does not fit the manifest.
    """

    def __init__(self, bundle: Bundle, *, engine: Engine = "auto", cache: CompiledCache | None = None) -> None:
        bundle.file(MODEL_FILE)
        self.bundle = bundle
        if engine == "auto":
            engine = "onnxruntime" if accelerated_providers() else "openvino"
        self.engine = engine
        known = OOD_FILE in bundle.manifest.files
        self._ood = OodDetector.read(bundle.file(OOD_FILE)) if known else None
        try:
            self._run = _openvino(bundle, cache) if engine == "openvino" else _onnxruntime(bundle.read(MODEL_FILE))
        except BundleInvalid:
            raise
        except Exception as error:  # the engines' errors share no other base
            raise BundleInvalid(f"{bundle.path.name}: {MODEL_FILE} does not compile: {_told(error)}") from error

    def predict(self, images: NDArray[np.uint8]) -> Prediction:
        """images: uint8 (N, height_px, width_px, 3), RGB 0-255. Raises ValueError for any other array."""
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(f"expected uint8 (N, H, W, 3), got {images.dtype} {images.shape}")
        return self._predict(images)

    def predict_signals(self, signals_mv: NDArray[np.float32]) -> Prediction:
        """signals_mv: float32 (N, time, 12). Activation maps have one row. Raises ValueError for any other array."""
        if signals_mv.dtype != np.float32 or signals_mv.ndim != 3:
            raise ValueError(f"expected float32 (N, time, leads), got {signals_mv.dtype} {signals_mv.shape}")
        return self._predict(signals_mv)

    def _predict(self, taken: NDArray[Any]) -> Prediction:
        outputs = self._run(taken)
        given = outputs[PROBABILITIES]
        count, classes = given.shape
        calibration = self.bundle.manifest.calibration
        embedding = outputs.get(EMBEDDING, np.zeros((count, 0), np.float32))
        return Prediction(
            calibrated(given, calibration) if calibration else given,
            outputs.get(ACTIVATION_MAPS, np.zeros((count, classes, 0, 0), np.float32)),
            embedding,
            outputs.get(POPULATION, np.zeros((count, 0), np.float32)),
            given,
            self._ood.distances(embedding) if self._ood else np.zeros(0, np.float32),
        )


def _told(error: Exception) -> str:
    return "there is not enough memory for it" if isinstance(error, MemoryError) else str(error)


def accelerated_providers() -> list[str]:
    """ONNX Runtime's providers other than the plain CPU, best first."""
    import onnxruntime

    return [p for p in onnxruntime.get_available_providers() if p not in PLAIN_PROVIDERS]


def _compiled(bundle: Bundle, cache: CompiledCache | None) -> openvino.CompiledModel:
    """The graph of a bundle, for one picture or recording at a time; from the cache where it is there, and whole."""
    import openvino

    core, settings = openvino.Core(), {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    name = bundle.manifest.task
    # All that the graph depends on, the processor and the number of its cores among it: they change the last bits.
    device = [core.get_property(DEVICE, key) for key in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    made_of = repr((bundle.manifest.files[MODEL_FILE], openvino.__version__, device, cores(), settings, "batch of 1"))
    if cache and (kept := cache.read(name, made_of)) is not None:
        try:
            compiled = core.import_model(openvino.Tensor(np.frombuffer(kept, np.uint8)), DEVICE, settings)
        except MemoryError:
            raise
        except Exception as error:  # the engine's errors share no other base
            cache.refuse(name, made_of, f"the engine does not take it: {type(error).__name__}")
        else:
            cache.used(name)
            return compiled
    model = core.read_model(bundle.read(MODEL_FILE))
    model.reshape([1, *(d.get_length() for d in list(model.input(0).partial_shape)[1:])])
    compiled = core.compile_model(model, DEVICE, settings)
    if cache:
        cache.write(name, made_of, compiled.export_model().getvalue())
    return compiled


def cores() -> int:
    """On how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _openvino(bundle: Bundle, cache: CompiledCache | None) -> Callable[[NDArray[Any]], Outputs]:
    import openvino

    with _FIRST_USE:
        _ = openvino.Tensor(np.zeros(1, np.float32)).data
    compiled = _compiled(bundle, cache)
    # An output may carry several names after optimisation; ours is the one that counts.
    known = (PROBABILITIES, ACTIVATION_MAPS, EMBEDDING, POPULATION)
    names = [next(n for n in known if n in output.get_names()) for output in compiled.outputs]
    idle: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()

    def run(images: NDArray[Any]) -> Outputs:
        try:
            request = idle.get_nowait()
        except queue.Empty:
            request = compiled.create_infer_request()
        try:
            rows = []
            for index in range(len(images)):
                request.infer({0: images[index : index + 1]}, share_inputs=True)
                rows.append([request.get_output_tensor(i).data.copy() for i in range(len(names))])
        finally:
            idle.put(request)
        return {name: np.concatenate([row[i] for row in rows]) for i, name in enumerate(names)}

    return run


def _onnxruntime(model: bytes) -> Callable[[NDArray[Any]], Outputs]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=[*accelerated_providers(), "CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = session.get_inputs()[0].name

    def run(images: NDArray[Any]) -> Outputs:
        return dict(zip(names, session.run(names, {taken: images}), strict=True))

    return run
