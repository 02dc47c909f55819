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

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ml_model.errors import BundleInvalid
from ml_model.inference.files import read_small_file
from ml_model.inference.measured import ImageMetrics, ImageTest
from ml_model.inference.measured_findings import LocalOrigin
from ml_model.inference.measured_tabular import Metrics

MANIFEST = "manifest.json"
WAITING = ".waiting-"
MODELS_DIR = Path(__file__).parents[1] / "models"
FORMAT_VERSION: Literal[3] = 3
MOST_MANIFEST_BYTES = 4_000_000
T = TypeVar("T")


class FindingThresholds(BaseModel):
    """Between which probabilities (0-1) of a finding nothing is settled; chosen on validation, counted by group.

    rule_out_below: below it the finding is ruled out; None where that is never said, and never_ruled_out says why.
    rule_in_from: from it on it is suspected. min_specificity: aimed at by all of the task's findings together.
    groups_with, groups_without: of validation, with this finding and with none. sensitivity_at_least: exact lower bound
    (95 %, one-sided) of the share of groups with it that are not ruled out; specificity_at_least: of those without any
    that are not suspected of it. local: of a site's own thresholds; no manifest on a disk has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule_out_below: float | None = Field(ge=0, le=0.5)
    rule_in_from: float = Field(ge=0, le=1)
    min_sensitivity: float
    min_specificity: float
    groups_with: int
    groups_without: int
    sensitivity_at_least: float
    specificity_at_least: float
    never_ruled_out: str | None = None
    local: LocalOrigin | None = Field(default=None, exclude_if=lambda origin: origin is None)

    @model_validator(mode="after")
    def _in_order(self) -> FindingThresholds:
        if (self.rule_out_below is None) != (self.never_ruled_out is not None):
            raise ValueError("never_ruled_out says why there is no rule_out_below, and only then")
        if self.rule_out_below is not None and self.rule_out_below > self.rule_in_from:
            raise ValueError(f"rule_out_below {self.rule_out_below} is above rule_in_from {self.rule_in_from}")
        return self


class BalancedDecision(BaseModel):
    """Weights of the probabilities by which a class of few pictures is not passed over: a figure beside the answers,
    which name no class by them."""

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
    reach it, counted by group. `by_population` has those of what is judged apart (see `Judgement.judged_as`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    coverage: float = Field(gt=0, lt=1)
    thresholds: dict[str, float]
    by_population: dict[str, dict[str, float]] = {}


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

    `findings` and `evidence` serve where the population is not known, those by population where it is; the keys of
    `findings_by_population` are those of `Judgement.judged_as`.
    `thresholds`: of the input gate, by kind of picture, the probability from which one is accepted.
    `calibration` turns the graph's probabilities into those of the answers; what else is chosen is chosen on them.
    `age_effect` then takes an age into account where one is known. `balanced`: see there.
    `populations` are the data sets that the graph's output `population` tells apart, in its order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format_version: Literal[3] = FORMAT_VERSION
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
    findings: dict[str, FindingThresholds] = {}
    findings_by_population: dict[str, dict[str, FindingThresholds]] = {}
    balanced: BalancedDecision | None = None
    populations: tuple[str, ...] = ()
    evidence_by_population: dict[str, str] = {}
    screening: ScreeningCalibration | None = None
    thresholds: dict[str, float] = {}
    calibration: Calibration | None = None
    age_effect: AgeEffect | None = None
    prediction_sets: PredictionSets | None = None
    familiarity: OodLimits | None = None
    metrics: Metrics
    files: dict[str, str]

    @property
    def populations_apart(self) -> tuple[str, ...]:
        """Those with thresholds of their own."""
        return tuple(name for name in self.populations if name in self.findings_by_population)

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
