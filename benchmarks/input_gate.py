"""What the input gate costs: telling the kind of a decoded picture, against decoding and answering it.

    python benchmarks/input_gate.py [--task skin] [--runs 200]

Both run in turn in one process on the shipped bundles and the same JPEG of 600 x 450 pixels; quoted are the medians in
milliseconds and the median of the pairwise ratios. Bar: ratio <= 0.25.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from ml_model.bundle import MODELS_DIR, load_bundle
from ml_model.inputs.image import decode_image, fitted, resize_rgb
from ml_model.modality import BUNDLE_ID, modality_spec, recognise
from ml_model.runtime import Predictor
from ml_model.spec import ImageTask, load_task


def milliseconds(action: Callable[[], object]) -> float:
    """Time of one call."""
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def main() -> int:
    """Print medians and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="skin")
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    task, spec = load_task(options.task), modality_spec()
    if not isinstance(task, ImageTask):
        parser.error(f"{options.task} takes no picture")
    contracts = {task.id: task.contract_sha256, BUNDLE_ID: spec.contract_sha256}
    answering, gate = (
        Predictor(load_bundle(MODELS_DIR / name, task=name, contract_sha256=sha)) for name, sha in contracts.items()
    )
    stream = io.BytesIO()
    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((600, 450), Image.Resampling.BICUBIC).save(stream, "JPEG")
    data = stream.getvalue()
    decoded = decode_image(data, task.input)

    def answer() -> None:
        answering.predict(fitted(decode_image(data, task.input), task.input).pixels[None])

    def tell_kind() -> None:
        overview = resize_rgb(decoded.rgb, spec.input.height_px, spec.input.width_px)
        recognise(gate, overview, task.input.modality)

    pairs = [(milliseconds(answer), milliseconds(tell_kind)) for _ in range(options.runs + 20)][20:]
    answered, told = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"decoding and answering {answered:.2f} ms, telling the kind {told:.2f} ms, ratio {ratio:.3f} (bar 0.25)")
    return int(ratio > 0.25)


if __name__ == "__main__":
    sys.exit(main())
