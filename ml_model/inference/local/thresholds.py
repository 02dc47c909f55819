"""A manifest that is held against other thresholds of findings. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ml_model.inference.bundle import FindingThresholds, Manifest

GENERAL = ""  # key of the thresholds where nothing is known of a case


def shipped_thresholds(manifest: Manifest, key: str) -> Mapping[str, FindingThresholds]:
    """By finding, of what is judged under a key (`Judgement.judged_as`, GENERAL for None)."""
    return manifest.findings_by_population.get(key, {}) if key else manifest.findings


def with_thresholds(manifest: Manifest, key: str, points: Mapping[str, FindingThresholds]) -> Manifest:
    """The same manifest, with `points` in place of the thresholds that these findings have under that key."""
    if not key:
        return manifest.model_copy(update={"findings": {**manifest.findings, **points}})
    by_population = manifest.findings_by_population
    told = {**by_population, key: {**by_population[key], **points}}
    return manifest.model_copy(update={"findings_by_population": told})
