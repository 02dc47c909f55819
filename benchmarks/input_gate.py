"""What the input gate costs a request: a picture analysed with `gate=on`, against `gate=off`.

    python benchmarks/input_gate.py [--task skin] [--runs 200] PICTURE

PICTURE is a file that the task's gate accepts. Both kinds of request go in turn through the application in one process
(Flask's test client, shipped bundles, heatmap asked for); quoted are the medians in milliseconds and the median of the
pairwise extra share. Bar: the gate takes at most 0.25 of the time of a request.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

from flask.testing import FlaskClient

from backend.app import create_app
from backend.config import Config


def milliseconds(client: FlaskClient, task: str, gate: str, data: bytes) -> float:
    """Time of one request. Raises ValueError when it is not answered."""
    began = time.perf_counter()
    reply = client.post(f"/analyze/{task}?gate={gate}", data={"image": (io.BytesIO(data), "picture")})
    took = 1000 * (time.perf_counter() - began)
    if reply.status_code != 200:
        raise ValueError(reply.text)
    return took


def main() -> int:
    """Print medians and share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--task", default="skin")
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    data = options.picture.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Config(data_dir=Path(folder), log=False))
        app.services.models.wait_ready()
        client = app.test_client()
        pairs = [
            tuple(milliseconds(client, options.task, gate, data) for gate in ("off", "on"))
            for _ in range(options.runs + 20)
        ][20:]
    without, with_gate = (statistics.median(column) for column in zip(*pairs, strict=True))
    share = statistics.median((on - off) / on for off, on in pairs)
    print(f"without the gate {without:.2f} ms, with it {with_gate:.2f} ms, share {share:.3f} (bar 0.25)")
    return int(share > 0.25)


if __name__ == "__main__":
    sys.exit(main())
