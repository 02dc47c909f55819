"""How reading processes come to be and end, seen from the service: forked from a template on Linux, else started."""

from __future__ import annotations

import json
import os
import socket
import subprocess  # nosec B404 - reading processes are what this module is for
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import cast

from ml_model.sandbox.messages import receive

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_READY_WITHIN_S, _ORDER_WITHIN_S = 60.0, 10.0
# A heap for each thread would be reserved in the address space, which is limited.
# What is large is mapped, so that it goes back to the system with the picture it was for.
_SETTINGS = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # in huge pages where they may be asked for: a third of the time
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPJ_NUM_THREADS": "2",  # JPEG 2000 is the one format that takes seconds
}
# Of the service's environment these names are kept back: who takes over a decoder finds no key or password there.
_SECRETS = ("KEY", "PASSWORD", "SECRET", "TOKEN")
FORKS = sys.platform == "linux"  # elsewhere the system's own libraries do not survive it, or it is unknown


@dataclass(frozen=True)
class Process:
    """One that waits for a question. abandon: from any thread, makes both streams end. end: kills and collects it,
    once, and gives its exit code, negative for the signal that ended it."""

    stream_in: RawIOBase
    stream_out: RawIOBase
    abandon: Callable[[], None]
    end: Callable[[], int]


class Template:
    """The process that others are forked from. Of one thread at a time. Raises OSError from every method where it is
    gone or does not answer."""

    def __init__(self, entry: str) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _started("template", [str(theirs.fileno()), entry], pass_fds=(theirs.fileno(),))
        self._control.settimeout(_READY_WITHIN_S)
        try:
            self._told()
        except OSError:
            self.close()
            raise
        self._control.settimeout(_ORDER_WITHIN_S)

    def new_process(self) -> Process:
        """Forked in milliseconds."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
                pid = int(self._told())
        except OSError:
            ours.close()
            raise
        stream = ours.makefile("rwb", buffering=0)

        def end() -> int:
            stream.close()
            ours.close()
            self._control.send(str(pid).encode())
            return int(json.loads(self._told()))

        return Process(stream, stream, lambda: _shut(ours), end)

    def close(self) -> None:
        """End it; processes that wait for a question end by themselves."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _told(self) -> bytes:
        told = self._control.recv(64)
        if not told:
            raise ConnectionResetError("the process that others are forked from is gone")
        return told


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is closed already
        return


def spawned_process(entry: str) -> Process:
    """Started, which takes a second or so, in the place of a forked one. Raises OSError where it does not begin."""
    process = _started("worker", [entry], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stream_in, stream_out = cast(RawIOBase, process.stdout), cast(RawIOBase, process.stdin)

    def end() -> int:
        process.kill()
        process.communicate()
        return process.returncode

    timer = threading.Timer(_READY_WITHIN_S, process.kill)
    timer.start()
    try:
        receive(stream_in)
    except EOFError as error:
        end()
        raise ConnectionResetError("the process ended before it could be asked") from error
    finally:
        timer.cancel()
    return Process(stream_in, stream_out, process.kill, end)


def _started(module: str, arguments: list[str], **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"ml_model.sandbox.{module}", *arguments]
    # Handed on, not read: what else the interpreter and its libraries need is the system's business.
    handed_on = {name: value for name, value in os.environ.items() if not any(word in name for word in _SECRETS)}
    environment = {**handed_on, **_SETTINGS, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return] # noqa: S603 - our own interpreter and module # nosec B603
        command,
        bufsize=0,
        cwd=_PACKAGE_ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,  # decoders print there what they read
        **options,
    )
