"""What an answer was made from, beside its model: the bytes that were sent, and how they became the model's input."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask

_PACKAGE = Path(__file__).parents[1]
_IMAGE_LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "scipy", "pydicom", "imagecodecs", "pypdfium2")
_TABULAR_LIBRARIES = ("numpy", "pydantic", "rapidfuzz")
# What makes features of a JSON body, and the files of a bundle that are the data for it.
_BODY_CODE = ("inputs/json_body.py", "inputs/tabular.py")
_SYMPTOM_CODE, _RISK_CODE = ("tabular/symptom_matcher.py", "tabular/symptom_model.py"), ("tabular/risk_model.py",)
_SYMPTOM_DATA, _RISK_DATA = ("vocabulary.json", "symptom_list.json"), ("model.json",)


def input_sha256(files: Sequence[bytes]) -> tuple[str, ...]:
    """SHA-256 of each file, or of the body, as it was sent, in hex."""
    return tuple(hashlib.sha256(data).hexdigest() for data in files)


def preprocessing_sha256(task: ImageTask) -> str:
    """One hash over what the task declares of its input, the code that decodes and places files, and the versions of
    the libraries which that code calls: where two answers have the same, the same file gave the same array."""
    declared = f"{task.input.model_dump_json()}{task.signal and task.signal.model_dump_json()}"
    return _sha256(declared, _decoding_code(), _IMAGE_LIBRARIES)


def body_preprocessing_sha256(task: SymptomTask | RiskTask, bundle_files: Mapping[str, str]) -> str:
    """The same for a JSON body: over the task's contract, the code that reads and matches the body or fills in what is
    missing, and the data for it (the vocabulary; the means and covariances).

    bundle_files: name -> SHA-256 of the bundle's files, as in its manifest; none in demo mode.
    """
    symptoms = isinstance(task, SymptomTask)
    names = _SYMPTOM_DATA if symptoms else _RISK_DATA
    data = "".join(f"{name} {bundle_files[name]}\n" for name in names if name in bundle_files)
    code = (*_BODY_CODE, *(_SYMPTOM_CODE if symptoms else _RISK_CODE))
    return _sha256(f"{task.contract_sha256}\n{data}", tuple(_PACKAGE / name for name in code), _TABULAR_LIBRARIES)


def _decoding_code() -> tuple[Path, ...]:
    return tuple(sorted(path for room in ("inputs", "ecg") for path in (_PACKAGE / room).rglob("*.py")))


@lru_cache(maxsize=64)
def _sha256(declared: str, code: tuple[Path, ...], libraries: tuple[str, ...]) -> str:
    digest = hashlib.sha256(declared.encode())
    for path in code:
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    digest.update("".join(f"{name} {version(name)}\n" for name in libraries).encode())
    return digest.hexdigest()
