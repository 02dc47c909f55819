"""What an answer was made from, beside its model: the bytes that were sent, and how they became pixels or a signal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from ml_model.spec import ImageTask

_DECODING = Path(__file__).parent / "inputs"
_LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "scipy", "pydicom", "imagecodecs", "pypdfium2")


def input_sha256(files: Sequence[bytes]) -> tuple[str, ...]:
    """SHA-256 of each file as it was sent, in hex."""
    return tuple(hashlib.sha256(data).hexdigest() for data in files)


def preprocessing_sha256(task: ImageTask) -> str:
    """One hash over what the task declares of its input, the code that decodes and places files, and the versions of
    the libraries which that code calls: where two answers have the same, the same file gave the same array."""
    return _preprocessing_sha256(f"{task.input.model_dump_json()}{task.signal and task.signal.model_dump_json()}")


@lru_cache(maxsize=64)
def _preprocessing_sha256(declared: str) -> str:
    digest = hashlib.sha256(declared.encode())
    for path in sorted(_DECODING.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    digest.update("".join(f"{name} {version(name)}\n" for name in _LIBRARIES).encode())
    return digest.hexdigest()
