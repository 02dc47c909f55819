"""The one scale of how soon a case must be acted on, and the severity that goes with each level."""

from __future__ import annotations

from typing import Literal

from ml_model.tasks.image_schema import Severity

TriageLevel = Literal["none", "routine", "soon", "urgent", "emergency"]
LEVELS: tuple[TriageLevel, ...] = ("none", "routine", "soon", "urgent", "emergency")
AT_LEAST: TriageLevel = "soon"  # where nothing can be said, or the model cannot be leant on
SEVERITIES: tuple[Severity, ...] = ("healthy", "low", "moderate", "high", "critical")


def level_of(severity: Severity) -> TriageLevel:
    """How soon something of this severity is acted on."""
    return LEVELS[SEVERITIES.index(severity)]


def severity_of(level: TriageLevel) -> Severity:
    """The severity of what is acted on so soon."""
    return SEVERITIES[LEVELS.index(level)]
