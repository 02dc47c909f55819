"""Task files: one TOML per task, read into frozen, validated objects.

`ml_model/tasks/<id>.toml` holds everything that is particular to a task: the input, the classes in output order, every
clinical sentence, the data sets and their licences. Python holds none of it.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from ml_model.errors import TaskFileInvalid
from ml_model.tasks.coding import Concept
from ml_model.tasks.finding_schema import Advice, FindingRule, Unsettled, check_findings
from ml_model.tasks.image_schema import (
    ClassSpec,
    DatasetSpec,
    Frozen,
    ImageInput,
    PlainName,
    Recommendation,
    ScreeningBands,
    Severity,
    SignalInput,
    Text,
)
from ml_model.tasks.measurement_schema import MeasurementSpec
from ml_model.tasks.tabular_schema import (
    ConditionText,
    DemographicRule,
    Language,
    Part,
    RedFlag,
    RiskAnswerRules,
    RiskBand,
    RiskFeature,
    SourceSpec,
    contract_hash,
)
from ml_model.tasks.validation_messages import explain

TASKS_DIR = Path(__file__).parent

__all__ = ["TASKS_DIR", "ClassSpec", "DatasetSpec", "ImageInput", "ImageTask", "Recommendation", "RiskTask", "Severity",
           "SymptomTask", "load_image_tasks", "load_task", "load_tasks"]  # fmt: skip


class TaskSpec(Frozen):
    """What every task has. `id` is the file's name and the last part of the URL."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    title: Text
    health_key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
    licence: Text
    intended_use: Text
    limits_of_use: tuple[Text, ...] = Field(min_length=1)
    examination: Concept | None = None


class ImageTask(TaskSpec):
    """Image in, class probabilities out."""

    kind: Literal["image"]
    multi_label: bool = False
    input: ImageInput
    signal: SignalInput | None = None
    measurements: tuple[MeasurementSpec, ...] = ()
    classes: tuple[ClassSpec, ...] = Field(min_length=2)
    recommendations: dict[Severity, Recommendation]
    recommendations_as_list: bool = False
    dicom_modalities: tuple[Text, ...] = ()
    dicom_body_parts: tuple[Text, ...] = ()
    dicom_views: tuple[Text, ...] = ()
    also_reads: tuple[Text, ...] = ()
    findings: tuple[FindingRule, ...] = ()
    min_specificity: float = Field(default=0.90, gt=0, lt=1)
    undecided: Advice
    weak_evidence: Advice
    unsettled: Unsettled
    unmeasured_groups: tuple[Text, ...] = ()
    screening_bands: ScreeningBands | None = None
    frame_control: bool = False
    age_counts: bool = False
    skin_tone: bool = False
    demo_probabilities: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    user_models: tuple[PlainName, ...] = ()
    datasets: tuple[DatasetSpec, ...] = Field(min_length=1)
    external: tuple[DatasetSpec, ...] = ()

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Class codes in output order."""
        return tuple(c.code for c in self.classes)

    @cached_property
    def harmless(self) -> tuple[str, ...]:
        """Codes of the classes that belong to no finding, in output order."""
        grave = {code for rule in self.findings for code in rule.classes}
        return tuple(code for code in self.codes if code not in grave)

    @cached_property
    def by_code(self) -> dict[str, ClassSpec]:
        """Class code -> class."""
        return {spec.code: spec for spec in self.classes}

    def population_of(self, source: str) -> str:
        """The data set that names the population of the pictures of `source`: itself, unless its table says another."""
        return next((d.population_of for d in self.datasets if d.name == source and d.population_of), source)

    @cached_property
    def measured_labels(self) -> dict[str, tuple[str, ...]]:
        """The labels that the data sets together can measure: see `labels_measured_by`."""
        return self.labels_measured_by(self.datasets)

    def labels_measured_by(self, datasets: Iterable[DatasetSpec]) -> dict[str, tuple[str, ...]]:
        """Label -> class codes, in output order: classes, or sets of classes where the data sets are coarser.

        A set that contains a smaller one is left out, so that each class counts towards one label.
        """
        order = {code: i for i, code in enumerate(self.codes)}
        sets = {frozenset(codes): label for d in datasets for label, codes in d.labels.items()}
        smallest = [s for s in sets if self.multi_label or not any(other < s for other in sets)]
        smallest.sort(key=lambda s: min(order[code] for code in s))
        return {
            next(iter(s)) if len(s) == 1 else sets[s]: tuple(sorted(s, key=lambda code: order[code])) for s in smallest
        }

    @property
    def contract_sha256(self) -> str:
        """Hash of (input, class order): what a bundle is bound to."""
        bound = {"modality", "height_px", "width_px", "geometry", "min_side_px"}
        return self._contract(self.input.model_dump(mode="json", include=bound))

    @property
    def signal_contract_sha256(self) -> str:
        """Hash of (signal input, class order): what the bundle of the signal model is bound to."""
        return self._contract(
            self.signal.model_dump(mode="json", exclude={"min_page_quality"}) if self.signal else None
        )

    def _contract(self, taken: object) -> str:
        contract = {"input": taken, "classes": self.codes, "multi_label": self.multi_label}
        return hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()

    @model_validator(mode="after")
    def _consistent(self) -> ImageTask:
        codes = set(self.codes)
        for field in ("code", "name"):
            if twice := _twice(getattr(c, field) for c in self.classes):
                raise ValueError(f"classes: two have the {field} {twice!r}")
        used, told = {c.severity for c in self.classes}, set(self.recommendations)
        if used - told:
            raise ValueError(f"recommendations: no entry for severity {', '.join(sorted(used - told))}; add one")
        if told - used:
            raise ValueError(f"recommendations: no class has the severity {', '.join(sorted(told - used))}; remove it")
        given, total = len(self.demo_probabilities), sum(self.demo_probabilities)
        if given != len(self.classes):
            raise ValueError(f"demo_probabilities: {given} values for {len(self.classes)} classes; give one for each")
        if not self.multi_label and abs(total - 1) > 1e-6:
            raise ValueError(f"demo_probabilities: sum to {total:.6g}, must be 1 unless multi_label is true")
        for kind, dataset in [("datasets", d) for d in self.datasets] + [("external", d) for d in self.external]:
            if unknown := {c for label in dataset.labels.values() for c in label} - codes:
                raise ValueError(f"{kind}.{dataset.name}.labels: no class has the code {', '.join(sorted(unknown))}")
        if missing := codes - {c for d in self.datasets for label in d.labels.values() for c in label}:
            raise ValueError(f"classes: no data set has a label for {', '.join(sorted(missing))}")
        if (bands := self.screening_bands) and (bands.positive not in codes or self.multi_label):
            raise ValueError(f"screening_bands: {bands.positive!r} is no class of a task that is not multi_label")
        if self.age_counts and self.multi_label:
            raise ValueError("age_counts: takes a task that is not multi_label")
        if twice := _twice(one.code for one in self.measurements):
            raise ValueError(f"measurements: two have the code {twice!r}")
        self._check_populations()
        check_findings(self.findings, self.codes, self.multi_label)
        return self

    def _check_populations(self) -> None:
        named = {d.name for d in self.datasets if d.ages_years is not None}
        if unknown := {d.population_of for d in self.datasets if d.population_of} - named:
            wrong = ", ".join(sorted(map(str, unknown)))
            raise ValueError(f"datasets: population_of names {wrong}, which is no data set with ages_years")


class SymptomTask(TaskSpec):
    """Symptom names in, ranked diseases out. Vocabulary and diseases live in the bundle."""

    kind: Literal["symptoms"]
    language: Language
    demographics: tuple[DemographicRule, ...] = ()
    min_plausible_mass: float = Field(gt=0, lt=1)
    description_template: Text
    general_precautions: tuple[Text, ...] = Field(min_length=1)
    conditions: tuple[ConditionText, ...] = ()
    recommendations: tuple[Text, ...] = Field(min_length=1)
    few_symptoms: int = Field(ge=1)
    few_symptoms_note: Text
    red_flags: tuple[RedFlag, ...] = ()
    datasets: tuple[SourceSpec, ...] = Field(min_length=1)

    @cached_property
    def contract_sha256(self) -> str:
        """Hash of what the bundle was built from: language, rules on age and sex, texts per disease."""
        parts = {"language", "demographics", "min_plausible_mass", "description_template", "conditions"}
        return contract_hash(self.model_dump(mode="json", include=parts | {"kind", "general_precautions"}))


class RiskTask(TaskSpec):
    """A few measured risk factors in, one calibrated probability out."""

    kind: Literal["risk"]
    outcome: Text
    outcome_concept: Concept | None = None
    features: tuple[RiskFeature, ...] = Field(min_length=1)
    answer: RiskAnswerRules
    bands: tuple[RiskBand, ...] = Field(min_length=1)
    datasets: tuple[SourceSpec, ...] = Field(min_length=1)

    @cached_property
    def contract_sha256(self) -> str:
        """Hash of the inputs (names, units, ranges, categories, order) and the outcome."""
        features = [feature.contract for feature in self.features]
        return contract_hash({"kind": self.kind, "outcome": self.outcome, "features": features})

    @model_validator(mode="after")
    def _consistent(self) -> RiskTask:
        if len({f.name for f in self.features}) != len(self.features):
            raise ValueError("features: two features share a name")
        limits = [band.below for band in self.bands]
        if limits != sorted(set(limits)) or limits[-1] != 1:
            raise ValueError(f"bands: `below` must rise and end at 1, got {limits}")
        return self


def _twice(values: Iterable[str]) -> str | None:
    """The first value that occurs more than once."""
    return next((value for value, count in Counter(values).items() if count > 1), None)


AnyTask = Annotated[ImageTask | SymptomTask | RiskTask, Field(discriminator="kind")]
_ANY_TASK: TypeAdapter[ImageTask | SymptomTask | RiskTask] = TypeAdapter(AnyTask)


def _read(path: Path) -> ImageTask | SymptomTask | RiskTask:
    if not path.is_file():
        raise TaskFileInvalid(f"{path.name}: it is no ordinary file")  # reading a pipe would never end
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaskFileInvalid(f"{path.name}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TaskFileInvalid(f"{path.name}: not valid TOML: {error}") from error
    if content.get("id", path.stem) != path.stem:
        raise TaskFileInvalid(f"{path.name}: id: is the file's name; remove it or rename the file")
    try:
        return _ANY_TASK.validate_python({**content, "id": path.stem})
    except ValidationError as error:
        known = {name for base in (Frozen, Part) for model in _subclasses(base) for name in model.model_fields}
        raise TaskFileInvalid(f"{path.name}: {explain(error, content, known | Concept.model_fields.keys())}") from error


def _subclasses(model: type[BaseModel]) -> Iterable[type[BaseModel]]:
    for child in model.__subclasses__():
        yield child
        yield from _subclasses(child)


def load_tasks(directory: Path = TASKS_DIR) -> tuple[ImageTask | SymptomTask | RiskTask, ...]:
    """Every task of a folder, sorted by id. Raises TaskFileInvalid naming file and field."""
    tasks = tuple(_read(path) for path in sorted(directory.glob("*.toml")))
    if not tasks:
        raise TaskFileInvalid(f"no task files (<id>.toml) in the folder {directory.name}; see TASKS_DIR")
    if twice := _twice(task.health_key for task in tasks):
        files = " and ".join(f"{task.id}.toml" for task in tasks if task.health_key == twice)
        raise TaskFileInvalid(f"{files}: health_key: {twice!r} is used twice; each task needs its own")
    known = {task.id for task in tasks if isinstance(task, ImageTask)}
    for task in tasks:
        if isinstance(task, ImageTask) and (missing := set(task.also_reads) - known):
            raise TaskFileInvalid(f"{task.id}.toml: also_reads: there is no image task {', '.join(sorted(missing))}")
    return tasks


def load_image_tasks(directory: Path = TASKS_DIR) -> tuple[ImageTask, ...]:
    """The tasks that take a picture, sorted by id."""
    return tuple(task for task in load_tasks(directory) if isinstance(task, ImageTask))


def load_task(task_id: str, directory: Path = TASKS_DIR) -> ImageTask | SymptomTask | RiskTask:
    """One task by id. Raises TaskFileInvalid when there is no such file."""
    path = directory / f"{task_id}.toml"
    if not path.is_file():
        known = ", ".join(p.stem for p in sorted(directory.glob("*.toml")))
        raise TaskFileInvalid(f"no task file {path.name}; known tasks: {known}")
    return _read(path)
