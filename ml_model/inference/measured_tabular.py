"""What was measured of the input gate and of the models on tables, as their manifests hold it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ml_model.inference.interval import Figure, Interval, Measured
from ml_model.inference.measured import ImageMetrics, TrainingCost


class GateTest(Measured):
    """`accepted`: by the kind asked for and the kind, or sort of other picture, that was sent."""

    accepted: dict[str, dict[str, float]]
    count: dict[str, int]
    most_probable_kind_right: float
    worst_own_accepted: float
    worst_other_accepted: float


class GateMetrics(Measured):
    """Of the input gate."""

    kind: Literal["gate"] = "gate"
    test: GateTest | None = None
    training: TrainingCost | None = None


class ListFigures(Measured):
    """Ranking from lists of symptoms. `vectors`: distinct ones. `ece`: calibration error over bins of equal mass."""

    lists: int
    vectors: int
    top1: Interval
    top5: Interval
    ece: float
    mean_confidence: float
    log_loss: float


class ByCount(Measured):
    """Lists of one length: longer ones cut short, and those that hold no more."""

    cut_short: ListFigures | None = None
    complete: ListFigures | None = None


class SymptomTest(Measured):
    """`by_symptoms_given`: by the number of symptoms in the list."""

    complete_lists: ListFigures
    distinct_vectors: ListFigures
    by_symptoms_given: dict[str, ByCount]
    plain_naive_bayes: ListFigures
    if_all_lists_were_known_to_be_complete: ListFigures
    diseases_measured: int
    diseases_not_measured: int
    symptoms_without_data: tuple[str, ...]
    diseases_without_data: tuple[str, ...]


class Matching(Measured):
    """Shares of the phrase set that are read as meant, as something else, and of nonsense that is matched."""

    phrases: int
    right: float
    other_symptom: float
    suggested_only: float
    nonsense_phrases: int
    nonsense_matched: float
    not_right: tuple[str, ...]
    nonsense_that_matched: tuple[str, ...]


class VignetteRanking(Measured):
    """Shares of vignettes whose diagnosis comes first, among the first three, among the first five."""

    first: Interval
    in_three: Interval
    in_five: Interval


class VignetteTriage(Measured):
    """seen_today: emergencies called emergency or urgent. Of routine and self-care cases: those called emergency, and
    urgent or higher. right: of all. sent: by the labelled level, how many were sent to which."""

    emergencies_seen_today: Interval
    harmless_called_emergency: Interval
    harmless_called_urgent: Interval
    right: Interval
    sent: dict[str, dict[str, int]]


class CheckerMetrics(Measured):
    """Of the symptom checker on vignettes, what was chosen on them cross-validated by diagnosis. unknown: vignettes
    whose diagnosis is no condition's name; they count as missed. after_questions: by the number of questions that were
    asked back from the complaint, answered by what the whole text says. table: the ranking of the old table."""

    vignettes: int
    diagnoses: int
    conditions: int
    findings: int
    unknown: tuple[str, ...]
    unchosen: VignetteRanking
    whole_text: VignetteRanking
    complaint: VignetteRanking
    after_questions: dict[str, VignetteRanking]
    table: VignetteRanking
    triage: VignetteTriage
    set_coverage: Interval
    set_size: float
    abstained: Interval


class SymptomMetrics(Measured):
    """Of a ranking of diseases. checker: of the symptom checker beside it."""

    kind: Literal["symptoms"] = "symptoms"
    test: SymptomTest | None = None
    matching: Matching | None = None
    training: TrainingCost | None = None
    checker: CheckerMetrics | None = None


class RiskFigures(Measured):
    """`ece`: calibration error over bins of equal mass. `brier`: mean squared distance from the outcome."""

    patients: int
    with_outcome: int
    auc: Interval
    brier: float
    ece: float
    mean_probability: float


class SiteLeftOut(Measured):
    """Each site by a model that saw none of its patients."""

    pooled: RiskFigures
    by_site: dict[str, RiskFigures]


class InformationFigures(Measured):
    """All combinations of inputs that carry from `at_least` to `below` of the log-odds' variance.

    `auc_ten_fold`: their mean. `auc_site_left_out`: of the combination that tells least, with its interval.
    `low_with_outcome`: share with the outcome among those called low, ten-fold. `interval_width`: mean width of the
    90 % interval of the probability. `covered_ten_fold`, `covered_site_left_out`: how often it holds the probability
    that the model of all patients gives with all that is recorded.
    """

    at_least: float
    below: float
    combinations: int
    auc_ten_fold: float
    auc_site_left_out: Interval
    ece_ten_fold: float
    low_with_outcome: Figure
    interval_width: float
    covered_ten_fold: float
    covered_site_left_out: float


class CalmFigures(Measured):
    """Share of the patients who are answered calmly (level routine or none, not withheld), and share withheld."""

    with_outcome: Interval
    without_outcome: Interval
    withheld: float


class RiskTest(Measured):
    """`ten_fold` and `leave_one_site_out` by what is given; `compared`: other models on the same patients.

    `calm`: by what is given, and whether patients or a site were left out.
    """

    ten_fold: dict[str, RiskFigures]
    ten_fold_by_site: dict[str, RiskFigures]
    ten_fold_by_sex: dict[str, RiskFigures]
    leave_one_site_out: dict[str, SiteLeftOut]
    compared: dict[str, RiskFigures | SiteLeftOut]
    by_information: tuple[InformationFigures, ...]
    calm: dict[str, CalmFigures]


class RiskMetrics(Measured):
    """Of a risk model."""

    kind: Literal["risk"] = "risk"
    test: RiskTest | None = None
    training: TrainingCost | None = None


Metrics = Annotated[ImageMetrics | SymptomMetrics | RiskMetrics | GateMetrics, Field(discriminator="kind")]
