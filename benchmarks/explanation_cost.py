"""What the Grad-CAM maps of all classes cost: one graph with them, against the same graph without.

    python benchmarks/explanation_cost.py [--task skin] [--runs 200]

Both graphs run in turn in one process on the shipped bundle; quoted are the medians in
milliseconds and the median of the pairwise ratios. Bar: ratio <= 1.15.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import openvino

from ml_model.inference.bundle import MODELS_DIR
from ml_model.inference.predictor import MODEL_FILE, PROBABILITIES

SETTINGS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


def compiled(path: Path, *, maps: bool) -> openvino.CompiledModel:
    """The bundle's graph at batch one, cut to its probabilities unless `maps`."""
    core = openvino.Core()
    model = core.read_model(path)
    if not maps:
        wanted = [model.output(PROBABILITIES).get_node().input_value(0)]
        model = openvino.Model(wanted, model.get_parameters(), "probabilities")
    model.reshape([1, *(d.get_length() for d in list(model.input(0).partial_shape)[1:])])
    return core.compile_model(model, "CPU", SETTINGS)


def milliseconds(request: openvino.InferRequest, picture: np.ndarray) -> float:
    """Time of one inference."""
    began = time.perf_counter()
    request.infer({0: picture})
    return 1000 * (time.perf_counter() - began)


def main() -> int:
    """Print medians and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="skin")
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    path = MODELS_DIR / options.task / MODEL_FILE
    plain, explained = (compiled(path, maps=m).create_infer_request() for m in (False, True))
    shape = list(plain.get_compiled_model().input(0).shape)
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pairs = [(milliseconds(plain, picture), milliseconds(explained, picture)) for _ in range(options.runs + 20)][20:]
    without, with_maps = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"probabilities {without:.2f} ms, with maps and embedding {with_maps:.2f} ms, ratio {ratio:.3f} (bar 1.15)")
    return int(ratio > 1.15)


if __name__ == "__main__":
    sys.exit(main())
