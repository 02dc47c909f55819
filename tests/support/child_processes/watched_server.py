"""`backend/server.py`, which also prints each file that it opens for writing. Run by the tests of backend/serving."""

from __future__ import annotations

import os
import sys
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook."""
    if event == "open" and arguments[2] & WRITING and arguments[0] != os.devnull:
        os.write(1, f"opened for writing: {arguments[0]}\n".encode())


if __name__ == "__main__":
    from backend.server import main

    sys.addaudithook(watch)
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)
