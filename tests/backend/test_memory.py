"""What is loaded is left alone when garbage is looked for, once all of it is there."""

from __future__ import annotations

import gc
import threading

from backend.memory import keep_what_is_loaded


def test_what_is_there_when_all_is_loaded_is_kept_out_of_collections() -> None:
    loaded, before = threading.Event(), gc.get_freeze_count()
    keep_what_is_loaded(loaded.wait)
    keeping = next(thread for thread in threading.enumerate() if thread.name == "keep")
    try:
        assert gc.get_freeze_count() == before, "not before it is loaded"
        held = [[n] for n in range(1000)]
        loaded.set()
        keeping.join(60)
        assert gc.get_freeze_count() - before >= len(held)
    finally:
        gc.unfreeze()
