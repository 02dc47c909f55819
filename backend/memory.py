"""How the C library and the interpreter keep memory."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable

_M_MMAP_THRESHOLD = -3  # of mallopt(3)
_MAPPED_FROM_BYTES = 4 * 2**20


def give_large_memory_back() -> None:
    """From 4 MB on, what is freed goes back to the system at once: the body of an upload, above all.

    By itself the library keeps up to 64 MB of it a thread, since it raises its threshold with each that is freed. Below
    4 MB are the arrays of one picture, which would be zeroed again for each request. Only glibc has this setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)


def keep_what_is_loaded(wait_loaded: Callable[[], None]) -> None:
    """Once everything is loaded, it is left alone when garbage is looked for: to look through 300,000 objects that live
    as long as the process takes 0.3 s, in the middle of some request. Does not wait itself."""

    def keep() -> None:
        wait_loaded()
        gc.collect()
        gc.freeze()

    threading.Thread(target=keep, name="keep", daemon=True).start()
