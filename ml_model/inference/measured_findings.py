"""What was measured of the findings of a task, and of the answers that they make."""

from __future__ import annotations

from ml_model.inference.interval import Interval, Measured


class FindingMeasured(Measured):
    """One finding, of those (`count`) whose label says that it is there, and of those whose label says that it is not.

    sensitivity: share of those with it that are not ruled out; suspected: that are suspected. specificity: share of
    those without it that are not suspected; ruled_out: that are ruled out. A model without thresholds has the AUC only.
    """

    count: int
    auc: Interval
    sensitivity: Interval | None = None
    suspected: Interval | None = None
    specificity: Interval | None = None
    ruled_out: Interval | None = None


class LocalOrigin(Measured):
    """Where a site's own thresholds of a finding are from. settings_sha256: of its operating points for the model.
    cases: that they were chosen on; measured: on these, cross-fitted, None where thresholds of several keys were mixed.
    """

    settings_sha256: str
    made_on: str
    cases: int
    measured: FindingMeasured | None = None


class TriageMeasured(Measured):
    """What the answers come to. serious_answered_calm: by finding, the share of its cases that are answered "healthy"
    or "low" without abstaining. harmless: how many cases have no finding, and the shares of them of which one is
    suspected and all are ruled out. abstained: of all.
    """

    abstained: Interval
    harmless: int
    serious_answered_calm: dict[str, Interval]
    harmless_suspected: Interval | None = None
    harmless_ruled_out: Interval | None = None
