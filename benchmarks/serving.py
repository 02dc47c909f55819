"""The service against the bare engine, and its start against the bare framework's.

    python benchmarks/serving.py [--task skin] [--runs 100]

Starts `backend/server.py` on a free port. Measured, in one run:
- start to ready (process start to /readyz 200), second start, compiled graphs cached. Bar: 3 s;
- one POST /analyze/<task> of a 600x450 JPEG over HTTP, against one bare inference of the same
  bundle in this process, in turn. Quoted: medians in milliseconds and their ratio. Bar: 2.5.
"""

from __future__ import annotations

import argparse
import io
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import Predictor
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageTask, load_task

SERVER = Path(__file__).parents[1] / "backend/server.py"
READY_BAR_S, RATIO_BAR, GIVE_UP_S = 3.0, 2.5, 60.0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def server() -> Iterator[tuple[str, float]]:
    """(base URL, seconds to ready) of a started service."""
    began = time.perf_counter()
    with served() as (url, _):
        yield url, time.perf_counter() - began


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """(base URL, number of the process) of a service that is ready."""
    port, began = free_port(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                if requests.get(f"{url}/readyz", timeout=5).status_code == 200:
                    break
            except requests.ConnectionError:
                time.sleep(0.02)
            if time.perf_counter() - began > GIVE_UP_S or process.poll() is not None:
                raise RuntimeError("the service did not become ready")
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def photo() -> bytes:
    """A 600x450 JPEG with structure, quality 90."""
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((600, 450), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def main() -> int:
    """Print the figures; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="skin")
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    task = load_task(options.task)
    assert isinstance(task, ImageTask)
    bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
    predictor, data = Predictor(bundle), photo()
    pixels = load_image(data, task.input).pixels[None]
    with server():
        pass
    bare, http = [], []
    with server() as (url, ready_s), requests.Session() as session:
        for run in range(options.runs + 10):
            began = time.perf_counter()
            predictor.predict(pixels)
            between = time.perf_counter()
            answer = session.post(f"{url}/analyze/{task.id}", files={"image": ("photo.jpg", data)}, timeout=30)
            ended = time.perf_counter()
            if answer.status_code != 200 or answer.json()["demo_mode"]:
                raise RuntimeError(f"{answer.status_code}: {answer.text[:200]}")
            if run >= 10:
                bare.append(1000 * (between - began))
                http.append(1000 * (ended - between))
    ratio = statistics.median(http) / statistics.median(bare)
    print(f"start to ready {ready_s:.2f} s (bar {READY_BAR_S} s)")
    print(
        f"bare inference {statistics.median(bare):.2f} ms, over HTTP {statistics.median(http):.2f} ms, "
        f"ratio {ratio:.2f} (bar {RATIO_BAR})"
    )
    return int(ready_s > READY_BAR_S or ratio > RATIO_BAR)


if __name__ == "__main__":
    sys.exit(main())
