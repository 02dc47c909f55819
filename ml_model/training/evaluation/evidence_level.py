"""How far a figure can be trusted, in one word that the service shows beside each answer."""

from __future__ import annotations

from collections.abc import Iterable

LEVELS = ("insufficient", "limited", "sufficient")


def evidence_level(auc_low: float) -> str:
    """From the lower end of the 95 % interval of the test AUC: insufficient < .70 <= limited < .85 <= sufficient."""
    if not auc_low >= 0.70:  # so written that an AUC that could not be measured (NaN) is insufficient
        return "insufficient"
    return "limited" if auc_low < 0.85 else "sufficient"


def weakest(levels: Iterable[str]) -> str:
    """The level that claims least."""
    return min(levels, key=LEVELS.index)
