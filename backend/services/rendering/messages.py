"""Sentences that belong to the service as a whole. Clinical sentences live in the task files."""

from __future__ import annotations

import importlib.metadata

SERVICE_NAME = "MediDiagnose-AI"
DISCLAIMER = (
    "For research and education only. This is not a medical device and its answer is not a diagnosis; "
    "a person who is worried about their health should see a doctor."
)
DEMO_WARNING = (
    "EXAMPLE ONLY: no trained model is loaded for this task. "
    "These values are fixed and were not computed from your input."
)
NOT_KEPT = (
    "the record is without the file: of its kind none is kept, or its copy would be too large or not decoded the same"
)
MAP_METHOD = "Grad-CAM (exact, closed form)"
MAP_NOTE = (
    "Shows which regions raised the score of this class in the model. It is influence, not location: "
    "it does not outline a lesion and it does not show that the model is right."
)
NO_MAP_NOTE = "No heatmap: {reason}."
REGION_NOTE = (
    "A region of interest: where the activation map is strong, outlined by the picture's own levels. It shows what "
    "moved the answer, no lesion was measured, and a lesion may lie elsewhere."
)
SERIES_NOTE = (
    "Single slices were answered, evenly spread over the series, and the gravest triage of them is told. How good "
    "this rule is was not measured: there were no whole series to measure it on. What lies between the slices was not "
    "looked at, and many slices make a false alarm more likely than one."
)
SET_NOTE = (
    "The classes still in question (class-conditional conformal prediction): made so that nine in ten cases of each "
    "class have it in their set; how often that was so on test stands beside it."
)
LABELS_NOTE = (
    "The labels still in question (class-conditional conformal prediction): made so that nine in ten cases of each "
    "label have it in their set; how often that was so on test stands beside it."
)
LOCAL_SET_NOTE = (
    "Still in question (class-conditional conformal prediction), made on the model's own cases so that nine in ten of "
    "each have it in their set; how often that is so with this site's own thresholds was not measured."
)
VIGNETTE_SET_NOTE = (
    "The most probable conditions, so many that on clinical vignettes nine in ten sets hold the right one (conformal "
    "prediction, cross-validated by diagnosis); how often that was so stands beside it."
)
NO_SET_NOTE = "No set is made: nothing was ranked, or by a table on which no coverage was measured."
UNCALIBRATED_SET_NOTE = (
    "The most probable classes that together reach this probability by the model's own estimate; "
    "not yet conformally calibrated, so the coverage is not guaranteed."
)
UNCALIBRATED_LABELS_NOTE = (
    "Every finding that the model does not rule out at this level by its own estimate; "
    "not yet conformally calibrated, so the coverage is not guaranteed."
)


NOT_SETTLED = "Not settled"


def service_version() -> str:
    """The installed version of this package."""
    return importlib.metadata.version("medidiagnose-ai")
