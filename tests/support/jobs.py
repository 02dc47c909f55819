"""A training so small that a test can run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from samples import image_task

from ml_model.training.data.samples import Sample
from ml_model.training.job import Job
from ml_model.training.recipe import Phase, Recipe


def small_job(out_dir: Path, *phases: Phase, cross_validated: str | None = "small") -> Job:
    """Pictures of 32 x 48 pixels, the malignant ones brighter, and a network that starts from nothing."""
    task, samples = image_task("histopathology"), two_sets()
    samples = [replace(s, split="val" if s.group in ("l8", "l9") else "train") for s in samples]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 120, (len(samples), 32, 48, 3), dtype=np.uint8)
    pixels[[s.label == "malignant" for s in samples]] += 100
    task = task.model_copy(update={"input": task.input.model_copy(update={"height_px": 32, "width_px": 48})})
    recipe = Recipe(
        task="histopathology", phases=phases, backbone="small_cnn", cross_validated=cross_validated, ema_momentum=0.5
    )
    return Job(task, recipe, samples, pixels, out_dir)


def sample(source: str, label: str, group: str, *codes: str, split: str = "train") -> Sample:
    return Sample(Path(__file__), source, label, codes or (label,), group, split)


def two_sets() -> list[Sample]:
    small = [sample("small", ("benign", "malignant")[g % 2], f"s{g}") for g in range(10) for _ in range(4)]
    return small + [sample("large", ("benign", "malignant")[g % 2], f"l{g}") for g in range(10)]
