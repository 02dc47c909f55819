"""A trained model on disk: a folder with manifest.json, the model's files and a card.

The manifest names every file with its SHA-256 and the hash of the task contract
(input and class order). A bundle whose files or contract differ does not load.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_model.errors import BundleInvalid
from ml_model.inference.files import read_small_file
from ml_model.inference.measured import ImageMetrics, ImageTest
from ml_model.inference.measured_tabular import Metrics

MANIFEST = "manifest.json"
WAITING = ".waiting-"
MODELS_DIR = Path(__file__).parents[1] / "models"
FORMAT_VERSION: Literal[2] = 2
MOST_MANIFEST_BYTES = 4_000_000
T = TypeVar("T")


class ChosenThreshold(BaseModel):
    """Probability from which a finding is called, chosen on validation."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    threshold: float = Field(ge=0, le=1)
    rule: str
    validation_sensitivity: float
    validation_specificity: float


class OperatingPoint(ChosenThreshold):
    """Threshold on the positive class's probability."""

    positive: str
    negative: str


class BalancedDecision(BaseModel):
    """The class whose probability times its weight is largest is named, so that rare classes are not passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weights: dict[str, Annotated[float, Field(gt=0)]]
    rule: str


class ScreeningCalibration(BaseModel):
    """From a model's probability to one that fits a prevalence: logit -> slope * logit + intercept.

    Fitted on validation, where the share of positives was `prevalence`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    slope: float = Field(gt=0)
    intercept: float
    prevalence: float = Field(gt=0, lt=1)

    def probability(self, model_probability: float, prevalence: float) -> float:
        """Probability (0-1) among people of whom the share `prevalence` are positive."""
        shift = _logit(prevalence) - _logit(self.prevalence)
        return 1 / (1 + math.exp(-(self.slope * _logit(model_probability) + self.intercept + shift)))


class Calibration(BaseModel):
    """From the graph's probabilities to calibrated ones, fitted on validation; one value per class, in output order.

    "none": they stay as they are. "temperature" and "temperature_and_bias": softmax(slope * log p + intercept), the
    slope the same for all classes and in the first of them no intercept. "logistic", of multi-label tasks:
    sigmoid(slope * logit p + intercept).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    method: Literal["none", "temperature", "temperature_and_bias", "logistic"]
    slope: tuple[Annotated[float, Field(gt=0)], ...]
    intercept: tuple[float, ...]


class AgeEffect(BaseModel):
    """What an age that is known beside the picture adds to the logarithms of the probabilities, one value per class, in
    output order: at_reference + per_decade * (age - reference) / 10. Ages beyond the range count as its nearest end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reference_years: float = Field(ge=0)
    youngest_years: float = Field(ge=0)
    oldest_years: float = Field(gt=0)
    at_reference: tuple[float, ...]
    per_decade: tuple[float, ...]


class PredictionSets(BaseModel):
    """By measured label, the probability from which it is in question: `coverage` of the label's validation cases
    reach it. `by_population` has those of the populations that are judged apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    coverage: float = Field(gt=0, lt=1)
    thresholds: dict[str, float]
    by_population: dict[str, dict[str, float]] = {}


class AlertPoint(ChosenThreshold):
    """Summed probability of some classes from which an alert of the task file is raised."""

    classes: tuple[str, ...]


class OodLimits(BaseModel):
    """Distances to training pictures, by those of validation: unusual from `warn_from`, other from `refuse_from`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    warn_from: float
    refuse_from: float
    rule: str


def _logit(probability: float) -> float:
    kept = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))


class Manifest(BaseModel):
    """What manifest.json holds.

    `operating_point` and `evidence` serve where the population is not known, those by data set where it is.
    `thresholds`: of the input gate, by kind of picture, the probability from which one is accepted.
    `calibration` turns the graph's probabilities into those of the answers; what else is chosen is chosen on them.
    `age_effect` then takes an age into account where one is known. `alerts` are those of the task file, by name.
    `populations` are the data sets that the graph's output `population` tells apart, in its order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format_version: Literal[2] = FORMAT_VERSION
    task: str
    contract_sha256: str
    version: str
    classes: tuple[str, ...]
    trained_on: str
    licence: str
    evidence: str
    created: str
    git_commit: str
    seed: int
    library_versions: dict[str, str]
    recipe: dict[str, Any]
    data_fingerprints: dict[str, str]
    operating_point: OperatingPoint | BalancedDecision | None = None
    operating_points: dict[str, OperatingPoint] = {}
    populations: tuple[str, ...] = ()
    evidence_by_population: dict[str, str] = {}
    screening: ScreeningCalibration | None = None
    thresholds: dict[str, float] = {}
    calibration: Calibration | None = None
    age_effect: AgeEffect | None = None
    prediction_sets: PredictionSets | None = None
    alerts: dict[str, AlertPoint] = {}
    familiarity: OodLimits | None = None
    metrics: Metrics
    files: dict[str, str]

    @property
    def image_metrics(self) -> ImageMetrics:
        """Raises ValueError for a model that answers no pictures or recordings."""
        if not isinstance(self.metrics, ImageMetrics):
            raise ValueError(f"{self.task}: its figures are of the kind {self.metrics.kind}, not of pictures")
        return self.metrics

    @property
    def image_test(self) -> ImageTest:
        """Figures on the test split. Raises ValueError where it was not read."""
        if (test := self.image_metrics.test) is None:
            raise ValueError(f"{self.task}: not measured on a test split")
        return test


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. `sha256` is that of its manifest, which pins every other file."""

    path: Path
    manifest: Manifest
    sha256: str

    def file(self, name: str) -> Path:
        """Path of one of the bundle's files. Raises BundleInvalid when the manifest does not name it."""
        if name not in self.manifest.files:
            raise BundleInvalid(f"{self.path.name}: the manifest names no {name}")
        return _stored(self.path, name, self.manifest.files[name])

    def read(self, name: str) -> bytes:
        """Bytes of one of the bundle's files. Raises BundleInvalid when they are not, or no more, the manifest's."""
        content = _checked(self.path.resolve().name, name, lambda: self.file(name).read_bytes())
        if hashlib.sha256(content).hexdigest() != self.manifest.files[name]:
            raise BundleInvalid(_altered(self.path.resolve().name, name))
        return content


def _altered(bundle_name: str, file_name: str) -> str:
    return f"{bundle_name}: {file_name} is not the file the manifest was written for (SHA-256 differs)"


def _checked(bundle_name: str, file_name: str, read: Callable[[], T]) -> T:
    """What `read` gives. Raises BundleInvalid naming the file where the disk does not let it be read."""
    try:
        return read()
    except FileNotFoundError as error:
        raise BundleInvalid(f"{bundle_name}: file {file_name} is missing") from error
    except OSError as error:
        raise BundleInvalid(f"{bundle_name}: {file_name} cannot be read: {error.strerror or error}") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_bundle(path: Path, fields: dict[str, Any], file_names: list[str]) -> Bundle:
    """Hash `file_names` (already in `path`), write manifest.json from `fields`, return the bundle.

    `fields` are the Manifest fields other than `files` and `format_version`. Meant for a folder of one's own, as of
    `fresh_draft`: over a bundle that serves, `publish` puts the draft.
    """
    files = {name: file_sha256(path / name) for name in sorted(file_names)}
    manifest = Manifest(**fields, files=files)
    text = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False)
    (path / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return Bundle(path, manifest, file_sha256(path / MANIFEST))


def waiting_file(path: Path, name: str, sha256: str) -> Path:
    """Where a file of a new bundle lies until it takes the place of the old bundle's."""
    return path / f"{WAITING}{sha256[:16]}-{name}"


def _stored(path: Path, name: str, sha256: str) -> Path:
    waiting = waiting_file(path, name, sha256)
    return waiting if waiting.is_file() else path / name


def load_bundle(path: Path, *, task: str, contract_sha256: str) -> Bundle:
    """Read and verify a bundle for one task.

    Raises BundleInvalid when a file is missing or altered, or when the bundle was made
    for another task, another input or another class order.
    """
    name = path.resolve().name
    try:
        text = read_small_file(path / MANIFEST, MOST_MANIFEST_BYTES)
        manifest = Manifest.model_validate_json(text)
    except FileNotFoundError as error:
        raise BundleInvalid(f"{name}: no {MANIFEST}; train the task or restore the bundle") from error
    except OSError as error:
        raise BundleInvalid(f"{name}: {MANIFEST} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = "".join(f" {part}:" for part in first["loc"])
        raise BundleInvalid(f"{name}: {MANIFEST}:{where} {first['msg']}") from error
    if manifest.task != task:
        raise BundleInvalid(f"{name}: {MANIFEST}: made for task {manifest.task}, not {task}")
    if manifest.contract_sha256 != contract_sha256:
        raise BundleInvalid(
            f"{name}: {MANIFEST}: made for other inputs or another class order ({', '.join(manifest.classes)}) "
            f"than tasks/{task}.toml declares; train it again"
        )
    for file_name, expected in manifest.files.items():
        file = _stored(path, file_name, expected)
        if Path(file_name).name != file_name or not file.is_file():
            raise BundleInvalid(f"{name}: file {file_name} is missing")
        if _checked(name, file_name, partial(file_sha256, file)) != expected:
            raise BundleInvalid(_altered(name, file_name))
    return Bundle(path, manifest, hashlib.sha256(text).hexdigest())
