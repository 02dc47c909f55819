"""A small table of symptoms and diseases in the public layout, and the task that it is for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ml_model.tasks.registry import SymptomTask, load_task

TASK = load_task("disease")
assert isinstance(TASK, SymptomTask)
SYMPTOMS = ("fever", "cough", "skin rash", "pelvic pain", "headache", "knee pain", "never seen", "cough.1")
DISEASES = ("flu", "measles", "cystitis", "migraine", "no rows")
CHANCES = np.array(
    [[0.9, 0.8, 0.05, 0.02, 0.5, 0.3], [0.8, 0.3, 0.9, 0.02, 0.2, 0.1], [0.4, 0.02, 0.05, 0.9, 0.1, 0.3],
     [0.1, 0.02, 0.02, 0.05, 0.9, 0.4]]
)  # fmt: skip


def small_task() -> SymptomTask:
    """The shipped task file with the small data's aliases, rules and texts."""
    content = TASK.model_dump(mode="json")
    content["language"]["aliases"] = {"fever": ["high temperature"], "headache": ["sore head"]}
    content["demographics"] = [
        {"reason": "female organs", "diseases": ["cystitis"], "sex": "female", "min_age_years": 5}
    ]
    content["conditions"] = [{"disease": "flu", "described_as": "Influenza", "precautions": ["Rest."]}]
    content["red_flags"] = [{"symptoms": ["pelvic pain"], "message": "See someone today."}]
    return SymptomTask.model_validate(content)


def write_small_data(folder: Path) -> None:
    """Tables in the public layout: 3,000 rows of four diseases, with a repeated and an unused column."""
    rng = np.random.default_rng(1)
    disease = rng.integers(0, 4, 3000)
    present = np.zeros((3000, len(SYMPTOMS)), np.uint8)
    present[:, :6] = rng.random((3000, 6)) < CHANCES[disease]
    present[:, 7] = present[:, 1]
    present[present.sum(axis=1) == 0, 0] = 1
    np.savez(
        folder / "diseases773.npz",
        xbits=np.packbits(present, axis=1), y=disease, classes=np.array(DISEASES), symptoms=np.array(SYMPTOMS),
    )  # fmt: skip
    (folder / "kaggle41").mkdir()
    (folder / "kaggle41" / "symptom_Description.csv").write_text("Influenza,A viral  infection.\n", encoding="utf-8")
    rows = ["symptom,short_description,synonyms", "fever,x,burning hot fever; head pain; fever", "headache,x,head pain"]
    (folder / "symptom_metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
