"""The process that reading processes are forked from: `python -m ml_model.sandbox.template FD ENTRY`.

It has imported all that reading needs and never reads a file itself, so a new process is there in milliseconds. It
alone ends its processes and collects them, so that no number of a process is ever used for another. Orders come over
the socket FD: a descriptor to serve at (answer: the process's number), or a number to end (answer: how it ended).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
from types import ModuleType

from ml_model.sandbox.worker import serve


def _serve_at(descriptor: int, entry: ModuleType) -> None:
    """In the forked process."""
    status = 1
    try:
        with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb", buffering=0) as stream:
            serve(stream, stream, entry)
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    """Until whoever started it is gone."""
    control, entry = socket.socket(fileno=int(sys.argv[1])), importlib.import_module(sys.argv[2])
    entry.prepare()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends this
    gc.collect()
    gc.freeze()  # else a collection in each process would copy what they share
    control.send(b"ready")
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        if descriptors:
            pid = os.fork()
            if pid == 0:
                control.close()
                _serve_at(descriptors[0], entry)
            os.close(descriptors[0])
            control.send(str(pid).encode())
        elif order:
            pid = int(order)
            os.kill(pid, signal.SIGKILL)
            _, status, _ = os.wait4(pid, 0)
            control.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
        else:
            return


if __name__ == "__main__":
    main()
