"""A batch of pictures against a bare loop over the pipeline: what keeping, leases and files cost.

    python benchmarks/records/batches.py [--task skin] [--images 200] [--rounds 3] [--explain inline]

In one process, with SQLite and the folder of files in a folder that is thrown away. The loop calls the same pipeline,
with the heatmap that a record keeps, and keeps nothing; the batch is taken in beforehand, and its files are answered
and kept. Both in turn, `--rounds` times; quoted are images a second and the median of the ratios, by the clock and by
the computing time of all cores, which tells more where the machine is busy. Bar: 0.7.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from backend.app import Application, create_app
from backend.config import TestingConfig
from backend.schemas.accounts import Account, RegisterBody
from backend.schemas.batches import BatchQuery
from backend.schemas.images import AnalyzeQuery
from backend.services.batches.book import Sent
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import Case
from ml_model.tasks.registry import ImageTask

RATIO_BAR, GIVE_UP_S, LOGIN = 0.7, 3600.0, "correct horse"
BOUNDARY = b"of-a-benchmark"


def pictures(count: int) -> list[bytes]:
    """JPEGs of 600x450, no two alike."""
    random, made = np.random.default_rng(0), []
    for _ in range(count):
        coarse, stream = random.integers(0, 256, (30, 40, 3), dtype=np.uint8), io.BytesIO()
        Image.fromarray(coarse).resize((600, 450), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        made.append(stream.getvalue())
    return made


@dataclass(frozen=True)
class Seconds:
    """By the clock, and of all cores."""

    clock: float
    computing: float

    @classmethod
    def of(cls, work: Callable[[], object]) -> Seconds:
        """What it takes."""
        clock, computing = time.perf_counter(), time.process_time()
        work()
        return cls(time.perf_counter() - clock, time.process_time() - computing)


def loop(app: Application, task: ImageTask, files: list[bytes], query: AnalyzeQuery) -> None:
    """A bare one."""
    for data in files:
        context = RequestContext("loop", str(uuid.uuid4()), time.perf_counter(), time.monotonic() + 60)
        app.services.images.analyze(task, Case(pictures=(data,), gate=query.gate), query, context)


def form(task: str, files: list[bytes], query: AnalyzeQuery) -> io.BytesIO:
    """The request of a batch."""
    line = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    fields = {"task": task, "explain": query.explain, "gate": query.gate}
    parts = [line % (name.encode(), b"", value.encode()) for name, value in fields.items()]
    parts += [line % (b"files", b'; filename="x"', data) for data in files]
    return io.BytesIO(b"".join(parts) + b"--" + BOUNDARY + b"--\r\n")


def batch(app: Application, account: Account, sent: io.BytesIO) -> tuple[Seconds, Seconds]:
    """Of taking a batch in, and of answering and keeping it."""
    records, found = app.services.records.open(), []
    app.services.readiness.draining_since = float("inf")  # nobody works yet
    context = RequestContext("", "", time.perf_counter(), time.monotonic() + GIVE_UP_S)
    request = Sent(sent, BOUNDARY, None, context)
    taken_in = Seconds.of(lambda: found.append(records.batches.submit(account, request, str)[0]))
    records.executor.join(GIVE_UP_S)
    app.services.readiness.draining_since = None

    def work() -> None:
        records.executor.wake()
        records.executor.join(GIVE_UP_S)

    worked = Seconds.of(work)
    done = records.batches.one(account, found[0].batch_id, BatchQuery.model_validate({}), "")
    if done.done != done.total:
        raise RuntimeError(f"{done.failed} of {done.total} files failed, the first with {done.results[0].error}")
    return taken_in, worked


def rounds(app: Application, given: argparse.Namespace) -> list[tuple[float, float]]:
    """Ratios by the clock and by computing time."""
    query = AnalyzeQuery.model_validate({"explain": given.explain, "gate": "warn"})
    files, ratios = pictures(given.images), []
    task = next(one for one in app.services.models.image_tasks if one.id == given.task)
    user = app.services.records.open().accounts.create(
        RegisterBody(username="bench", email="bench@example.org", password=LOGIN)
    )
    account = Account(user.id, user.username, "user", "", "", 0, keep_answers=False)
    loop(app, task, files[:5], query)
    for _ in range(given.rounds):
        alone = Seconds.of(lambda: loop(app, task, files, query))
        taken_in, worked = batch(app, account, form(given.task, files, query))
        ratios.append((alone.clock / worked.clock, alone.computing / worked.computing))
        rate = f"loop {given.images / alone.clock:.1f}/s, batch {given.images / worked.clock:.1f}/s"
        ratio = f"ratio {ratios[-1][0]:.2f}, of computing {ratios[-1][1]:.2f}"
        print(f"{rate}, {ratio}; taken in within {taken_in.clock:.2f} s", flush=True)
    return ratios


def main() -> int:
    """0 where the bar is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", default="skin")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--explain", choices=["inline", "none"], default="inline")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(TestingConfig(data_dir=Path(folder), log=False, quota_bytes=10**11))
        if not app.services.models.wait_ready():
            raise RuntimeError("the models did not load")
        ratios = rounds(app, given)
        app.services.records.open().database.close()
    clock, computing = (statistics.median(one) for one in zip(*ratios, strict=True))
    print(f"median ratio {clock:.2f}, of computing {computing:.2f} (bar {RATIO_BAR})")
    return 0 if clock >= RATIO_BAR else 1


if __name__ == "__main__":
    sys.exit(main())
