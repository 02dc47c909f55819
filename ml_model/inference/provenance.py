"""What an answer was made from, beside its model and the bytes that were sent: how these became the model's input."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from ml_model.tasks.registry import ImageInput, ImageTask, RiskTask, SymptomTask

_PACKAGE = Path(__file__).parents[1]
_DECODERS = ("inputs", "ecg")  # packages: pictures and bodies; recordings and their pages
# Of ours, wherever it stands: the module, and names in brackets or on the line, which may be modules too.
_IMPORT = re.compile(r"^[ \t]*(?:from|import)[ \t]+(ml_model[\w.]*)(?:[ \t]+import[ \t]+(?:\(([^)]*)\)|(.*)))?", re.M)
_IMAGE_LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "pillow",
    "scipy",
    "pydicom",
    "imagecodecs",
    "pypdfium2",
    "edfio",
)
_TABULAR_LIBRARIES = ("numpy", "pydantic", "rapidfuzz")
# What makes features of a JSON body, and the files of a bundle that are the data for it.
_BODY_CODE = ("inputs/json_body.py", "inputs/tabular.py")
# The checker's file names the knowledge that it was fitted to: how words are read follows from both.
_SYMPTOM_CODE = ("tabular/symptom_matcher.py", "tabular/symptom_model.py", "symptoms/*.py", "symptoms/reading/*.*")
_RISK_CODE = ("tabular/logistic_model.py",)
_SYMPTOM_DATA, _RISK_DATA = ("vocabulary.json", "symptom_list.json", "checker.json"), ("model.json",)


def preprocessing_sha256(task: ImageTask, root: Path = _PACKAGE) -> str:
    """One hash over what the task declares of its input, the code that decodes and places files, and the versions of
    the libraries which that code calls: where two answers have the same, the same file gave the same array."""
    declared = f"{task.input.model_dump_json()}{task.signal and task.signal.model_dump_json()}"
    return _sha256(declared, root, decoding_modules(root), _IMAGE_LIBRARIES)


def decoding_sha256(image_input: ImageInput, *makers: str, root: Path = _PACKAGE) -> str:
    """The same for pictures alone, and for what `makers` draws: names of modules whose pictures are taken undecoded."""
    code = (*decoding_modules(root), *_reached(root, tuple(_file_of(root, name) for name in makers)))
    return _sha256(image_input.model_dump_json(), root, code, _IMAGE_LIBRARIES)


@lru_cache(maxsize=16)
def decoding_modules(root: Path = _PACKAGE) -> tuple[Path, ...]:
    """All modules below `root`, the folder of ml_model, that take part in making an array of a file.

    Told from the packages themselves: what is in those of the decoders, and what the decoders import of ours.
    """
    inputs, ecg = (tuple(sorted((root / name).rglob("*.py"))) for name in _DECODERS)
    return tuple(sorted({*_reached(root, inputs), *ecg}))


def _reached(root: Path, start: tuple[Path, ...]) -> tuple[Path, ...]:
    """`start` and every module of ours that they import, wherever the import stands, their packages too, and so on."""
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for module, several, one in _IMPORT.findall(path.read_text("utf-8")):
            names = (module, *(f"{module}.{name}" for name in re.findall(r"\w+", several or one)))
            files = [_file_of(root, name) for name in names]
            waiting += [file for file in (*files, files[0].with_name("__init__.py")) if file.is_file()]
    return tuple(sorted(found))


def _file_of(root: Path, module: str) -> Path:
    """Where the module called ml_model.x.y is, or would be."""
    path = root.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def body_preprocessing_sha256(task: SymptomTask | RiskTask, bundle_files: Mapping[str, str]) -> str:
    """The same for a JSON body: over the task's contract, the code that reads and matches the body or fills in what is
    missing, and the data for it (the vocabulary; the means and covariances).

    bundle_files: name -> SHA-256 of the bundle's files, as in its manifest; none in demo mode.
    """
    symptoms = isinstance(task, SymptomTask)
    names = _SYMPTOM_DATA if symptoms else _RISK_DATA
    data = "".join(f"{name} {bundle_files[name]}\n" for name in names if name in bundle_files)
    return _sha256(f"{task.contract_sha256}\n{data}", _PACKAGE, _body_code(symptoms), _TABULAR_LIBRARIES)


@lru_cache(maxsize=2)
def _body_code(symptoms: bool) -> tuple[Path, ...]:
    """The files that read a JSON body, and for symptoms the words in it."""
    names = (*_BODY_CODE, *(_SYMPTOM_CODE if symptoms else _RISK_CODE))
    return tuple(path for name in names for path in sorted(_PACKAGE.glob(name)))


@lru_cache(maxsize=64)
def _sha256(declared: str, root: Path, code: tuple[Path, ...], libraries: tuple[str, ...]) -> str:
    digest = hashlib.sha256(declared.encode())
    for path in code:
        name = path.relative_to(root).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    digest.update("".join(f"{name} {version(name)}\n" for name in libraries).encode())
    return digest.hexdigest()
