"""What the measurements of servers share: a child process that serves, and clients that count what they get."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
START_WITHIN_S, ANSWER_WITHIN_S = 180.0, 60.0
BOUNDARY = "edge-of-a-part"


@dataclass(frozen=True)
class Served:
    """A running server. `start_s`: from the process' start to /readyz 200."""

    process: subprocess.Popen[bytes]
    port: int
    start_s: float


@dataclass(frozen=True)
class Got:
    """What a client got; status 0: nothing."""

    status: int
    seconds: float


def photo() -> bytes:
    """A 600x450 JPEG with structure, quality 90."""
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((600, 450), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def posted(data: bytes, path: str = "/analyze/skin?gate=off") -> bytes:
    """The bytes of a request with one picture."""
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'.encode()
    body = part + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def got(path: str) -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@contextmanager
def served(command: Sequence[str], port: int, settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A server as a child process, ready, and killed in the end."""
    began = time.monotonic()
    environment = {**os.environ, "PORT": str(port), **(settings or {})}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _ready(port):
            if time.monotonic() - began > START_WITHIN_S or process.poll() is not None:
                raise RuntimeError("the service did not become ready")
            time.sleep(0.02)
        yield Served(process, port, time.monotonic() - began)
    finally:
        process.kill()
        process.wait()


def ours(port: int) -> list[str]:
    """The command that starts this service."""
    return [sys.executable, "backend/server.py", "--port", str(port)]


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


async def asked(port: int, sent: bytes, source: str = "127.0.0.1", within_s: float = ANSWER_WITHIN_S) -> Got:
    """One request on a connection of its own; Got(0, ...) where no answer came."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            try:
                writer.write(sent)
                status = int((await reader.readline()).split()[1])
                await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError, IndexError, ValueError, asyncio.IncompleteReadError):
        return Got(0, time.monotonic() - began)
    return Got(status, time.monotonic() - began)


async def dribblers(port: int, source: str, count: int) -> list[asyncio.Task[None]]:
    """So many connections that send a byte of a header a second, and come again when they are ended."""

    async def dribble() -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
                writer.write(b"POST /analyze/skin HTTP/1.1\r\nA: ")
                while not writer.is_closing():
                    await asyncio.sleep(1)
                    writer.write(b"a")
                    await writer.drain()
            except OSError:
                await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(dribble()) for _ in range(count)]
    await asyncio.sleep(1)
    return tasks


def percentile(values: Sequence[float], share: float) -> float:
    """Of measured seconds; nan of none."""
    return float(np.percentile(values, 100 * share)) if values else float("nan")


def tree_megabytes(root: int) -> float:
    """Resident memory of a process and all below it, from /proc (Linux)."""
    status = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines())
        except OSError:  # it has ended
            continue
        status[int(lines["Pid"])] = (int(lines["PPid"]), int(lines.get("VmRSS", "0").split()[0]))
    wanted, total = {root}, 0.0
    for pid in sorted(status):
        parent, kilobytes = status[pid]
        if pid in wanted or parent in wanted:
            wanted.add(pid)
            total += kilobytes / 1000
    return total
