"""What was measured of a model, as its manifest holds it. What was not measured is None, and left out of the JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ml_model.inference.interval import Interval, Measured
from ml_model.inference.measured_findings import FindingMeasured, TriageMeasured

# What a request says beside the picture.
Known = Literal["nothing", "age", "age_and_view"]


class TrainingCost(Measured):
    """Minutes, and of what how many were trained on."""

    minutes: float
    pictures: int | None = None
    recordings: int | None = None
    rows: int | None = None
    patients: int | None = None


class Detection(Measured):
    """One class or label against the rest. `count`: how many of the pictures have it."""

    count: int
    auc: Interval
    sensitivity: Interval
    specificity: Interval


class Summary(Measured):
    """Every figure of one set of pictures. `confusion_matrix`: rows are the truth, in the order of the labels."""

    count: int
    groups: int
    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    macro_auc: Interval
    per_class: dict[str, Detection]
    confusion_matrix: tuple[tuple[int, ...], ...]


class Brief(Measured):
    """The few figures of a part of the pictures. Without both kinds of pictures there is an accuracy only, and without
    those that have it and those that have not none of a finding (`findings`, by code)."""

    count: int
    accuracy: Interval
    balanced_accuracy: Interval | None = None
    macro_auc: Interval | None = None
    findings: dict[str, FindingMeasured] = {}
    triage: TriageMeasured | None = None


class Part(Measured):
    """Which pictures: those of a data set (`population`), of one projection of it (`view`), or of those with one
    `value` of an `attribute`; `known`: what the requests said beside the picture."""

    population: str
    view: str | None = None
    attribute: str | None = None
    value: str | None = None
    known: Known = "nothing"

    @property
    def title(self) -> str:
        """As tables and the manifest's keys print it."""
        said = {"nothing": "", "age": ", age given", "age_and_view": ", age and view given"}[self.known]
        view = f", view {self.view}" if self.view else ""
        value = f", {self.attribute} {self.value}" if self.attribute else ""
        return f"{self.population}{view}{value}{said}"


class Subgroup(Part, Brief):
    """The few figures of a part."""


class FrameFigures(Part):
    """What the frame of the picture tells alone, of a part."""

    count: int
    macro_auc: Interval


class Robustness(Measured):
    """The same pictures, changed. Without accuracies where classes were named otherwise when it was measured."""

    accuracy: float | None = None
    balanced_accuracy: float | None = None
    macro_auc: float


class CalibrationFigures(Measured):
    """`calibration_error`: over bins of equal mass. Answers that exist in theory have no `brier_score`."""

    calibration_error: Interval
    brier_score: Interval | None = None


class CalibrationMeasured(Measured):
    """`reliability`: mean confidence, share right and number of answers of each bin."""

    before: CalibrationFigures
    after: CalibrationFigures
    perfect: CalibrationFigures | None = None
    reliability: tuple[tuple[float, float, int], ...]


class LabelCoverage(Measured):
    """How often the label, where it is true, lies in the prediction set."""

    count: int
    coverage: float
    coverage_interval: Interval | None = None


class PredictionSetsMeasured(Measured):
    """Coverage by label, by source and of all; `sizes`: by number of labels in the set, the share of pictures."""

    by_label: dict[str, LabelCoverage]
    by_source: dict[str, float]
    coverage: float
    coverage_interval: Interval | None = None
    mean_size: float
    sizes: dict[str, float]


class AbstentionMeasured(Measured):
    """`share`: of pictures that the service abstains from. `accuracy_by_share_answered`: surest first."""

    share: float
    share_interval: Interval | None = None
    accuracy_when_answering: Interval
    accuracy_when_abstaining: float | None = None
    accuracy_by_share_answered: dict[str, float]


class Failure(Measured):
    """A wrong answer. `picture`: number within the test split, from 0."""

    picture: int
    truth: str
    named: str
    confidence: float


class Familiar(Measured):
    """Share of the test pictures that would be refused for being too far from those of training."""

    own_refused: float


class AgeGiven(Brief):
    """The figures when a request says the age too."""

    calibration_error: Interval
    brier_score: Interval
    prediction_sets: PredictionSetsMeasured
    by_case: Brief | None = None


class SourceTold(Measured):
    """AUC with which the embedding tells the sources of a label apart."""

    count: int
    auc: float


class ImageTest(Summary):
    """The test split of a model of pictures or recordings. `labels`: in the order of the confusion matrix.

    `findings`, `triage`: as served with a picture and nothing else; `balanced`: of the class named by the manifest's
    weights. `by_group` by title, `populations_told` by source and judged for what, `variants` and `corruptions` by
    change."""

    labels: tuple[str, ...]
    findings: dict[str, FindingMeasured] = {}
    triage: TriageMeasured | None = None
    balanced: Brief | None = None
    by_group: dict[str, Subgroup]
    calibration: CalibrationMeasured | None = None
    failures: tuple[Failure, ...] = ()
    prediction_sets: PredictionSetsMeasured | None = None
    abstention: AbstentionMeasured | None = None
    familiarity: Familiar | None = None
    populations_told: dict[str, dict[str, float]] | None = None
    age_given: AgeGiven | None = None
    derived_categories: Summary | None = None
    source_told_by_embedding: dict[str, SourceTold] | None = None
    by_case: Brief | None = None
    variants: dict[str, Robustness] | None = None
    corruptions: dict[str, Robustness] | None = None

    def part(self, population: str, view: str | None = None, known: Known = "nothing") -> Subgroup | None:
        """Of a population, or of one view of it; None where it was not measured."""
        return self.by_group.get(Part(population=population, view=view, known=known).title)


class Explanation(Measured):
    """What the heatmaps are worth; each `_gain` is over chance. The last ones of pictures with outlined lesions."""

    pictures: int
    empty_maps: int
    deletion: Interval
    deletion_random: Interval
    deletion_gain: Interval
    insertion: Interval
    insertion_random: Interval
    insertion_gain: Interval
    lesions: int | None = None
    mass_inside_mask: Interval | None = None
    mask_area: Interval | None = None
    mass_gain: Interval | None = None
    pointing_game: Interval | None = None
    pointing_gain: Interval | None = None


class PageFigures(Measured):
    """Pages drawn of recordings: shares answered, and whence; AUC. The last three: as served, of pages not spoilt."""

    pages: int
    answered: float
    from_signal: float
    macro_auc: Interval | None = None
    picture_alone: Interval | None = None
    findings: dict[str, FindingMeasured] = {}
    triage: TriageMeasured | None = None
    prediction_sets: PredictionSetsMeasured | None = None


class Pages(Measured):
    """By what was done to the pages."""

    usual_look: PageFigures | None = None
    many_looks: PageFigures | None = None
    rotation_5: PageFigures | None = None
    blur: PageFigures | None = None
    shadow: PageFigures | None = None
    jpeg_30: PageFigures | None = None
    many_looks_by_layout: dict[str, PageFigures] = {}

    def rows(self) -> Iterator[tuple[str, PageFigures]]:
        """Name and figures, those of the layouts last."""
        conditions = (name for name in type(self).model_fields if name != "many_looks_by_layout")
        yield from ((name, found) for name in conditions if (found := getattr(self, name)) is not None)
        yield from ((f"many looks, {name}", found) for name, found in self.many_looks_by_layout.items())


class External(Brief):
    """A set of another place, in the labels that it measures. `judged`: whether every label has cases enough for a
    judgement of the model."""

    groups: int
    labels: tuple[str, ...]
    judged: bool


class Crossed(Measured):
    """Cross-validation of one small source, beside what the colours tell by themselves."""

    source: str
    folds: int
    model: Summary
    colour_only: Summary


class Refused(Measured):
    """Pictures of another kind, and the share of them that is too far from those of training."""

    count: int
    refused: float


class Validated(Measured):
    """Of validation only the size is kept."""

    count: int


class ImageMetrics(Measured):
    """Of a model of pictures or recordings; a draft, or a user's own model, has none of them.

    `left_out`: of each source, what a model does that was trained without it. `external`: of each set of another place.
    """

    kind: Literal["image"] = "image"
    test: ImageTest | None = None
    training: TrainingCost | None = None
    validation: Validated | None = None
    cross_validation: Crossed | None = None
    frame_only: dict[str, FrameFigures] | None = None
    left_out: dict[str, Brief] | None = None
    external: dict[str, External] | None = None
    explanation: Explanation | None = None
    pages: Pages | None = None
    strangers: dict[str, Refused] | None = None
