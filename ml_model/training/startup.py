"""The start of Keras, without what its backend writes to the terminal meanwhile."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def start_keras() -> None:
    """Import Keras and let its backend look for devices. To be called before anything that imports Keras.

    TensorFlow's C++ writes to the process's standard error by itself, partly before its own log level counts: the
    stream is set aside meanwhile, and written out after all where the start fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what fails is raised in Python all the same
    with _standard_error_set_aside():
        import keras

        if keras.backend.backend() == "tensorflow":
            from tensorflow import config

            config.list_physical_devices()


@contextmanager
def _standard_error_set_aside() -> Iterator[None]:
    sys.stderr.flush()
    ours = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(ours, said.read())
            raise
        finally:
            os.dup2(ours, 2)
            os.close(ours)
