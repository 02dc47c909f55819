"""What was measured of a site's cases, as its page and the JSON beside it hold it."""

from __future__ import annotations

from ml_model.inference.bundle import FindingThresholds
from ml_model.inference.interval import Interval, Measured
from ml_model.inference.measured import Brief, CalibrationMeasured, External, LabelCoverage


class LabelCases(Measured):
    """How many cases have a label. share: of all cases; told: its mean probability, over all cases. home_share: of the
    bundle's test split; None where that does not measure the label."""

    cases: int
    groups: int
    share: float
    told: float
    home_share: float | None = None


class Trust(Measured):
    """What the answers' claims are worth, in the labels that the task measures, on `cases` whose label is one of them.
    home: the same of the test split."""

    cases: int
    calibration: CalibrationMeasured | None = None
    home_calibration: CalibrationMeasured | None = None
    coverage: dict[str, LabelCoverage] = {}
    home_coverage: dict[str, LabelCoverage] = {}
    abstained: Interval | None = None
    home_abstained: Interval | None = None


class QualityMeasured(Measured):
    """A figure of technical quality over the site's pictures."""

    mean: float
    deviation: float


class Drift(Measured):
    """How far the cases are from those of training; shares of the cases.

    unusual, beyond: as far out as a warning, and as a refusal; home_beyond: of the test split. gated: refused by the
    input gate, for kind or quality, None without one; home_gated: of its own test pictures of this kind. refused: by
    the service, for any reason. unfit: altered or faulty so that no answer can be leant on. reasons: of refusals, how
    many cases.
    """

    unusual: Interval | None = None
    beyond: Interval | None = None
    home_beyond: float | None = None
    gated: Interval | None = None
    home_gated: float | None = None
    refused: Interval
    unfit: Interval | None = None
    reasons: dict[str, int] = {}
    quality: dict[str, QualityMeasured] = {}


class PointChosen(Measured):
    """One finding. served: the thresholds of the bundle; chosen: those that would fit here, None where `why_not` says
    that the cases are too few."""

    served: FindingThresholds
    chosen: FindingThresholds | None = None
    why_not: str | None = None


class PointsMeasured(Measured):
    """Operating points for what is judged under one key (`Judgement.judged_as`, "" where nothing is known of a case).

    as_served: figures of its cases with the bundle's thresholds. crossed: with those that would fit, each case held
    against thresholds that were chosen without its group.
    """

    cases: int
    points: dict[str, PointChosen]
    as_served: Brief
    crossed: Brief | None = None


class SiteEvaluation(Measured):
    """Everything on a page. model: the bundle's id; here, home: the same figures of the site's cases and of the test
    split, each in its own labels. unread: why files could not be read, and how many."""

    task: str
    title: str
    model: str
    version: str
    sha256: str
    evidence: str
    data: str
    made_on: str
    unread: dict[str, int]
    left_out: int
    labels: dict[str, LabelCases]
    here: External
    home: Brief
    home_groups: int
    home_labels: tuple[str, ...]
    trust: Trust
    drift: Drift
    points: dict[str, PointsMeasured]
