"""Clinical vignettes as a measure of the symptom checker: free text in, the diagnosis that its author had in mind.

A vignette's file is JSON lines of `correct_diagnosis`, `demographics`, `chief_complaints`, `presentation`,
`absent_findings`, `physical_history`, `family_history` and `social_history`, all text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_model.symptoms.conditions import Condition

_PARTS = (
    "demographics", "chief_complaints", "presentation", "absent_findings",
    "physical_history", "family_history", "social_history",
)  # fmt: skip
_LABELS = {"physical_history": "Past history", "family_history": "Family history", "social_history": "Social history"}


@dataclass(frozen=True)
class Vignette:
    """text: all its parts as they stand, the histories under their headings; complaints: the chief ones alone, with age
    and sex."""

    diagnosis: str
    text: str
    complaints: str


def load_vignettes(path: Path) -> tuple[Vignette, ...]:
    """Those of a file. Raises ValueError for a line that is no vignette."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
                parts = {name: str(row[name]).strip() for name in _PARTS}
                diagnosis = str(row["correct_diagnosis"])
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}: line {number} is no vignette: {error}") from error
            told = [f"{_LABELS[n]}: {t}" if n in _LABELS else t for n, t in parts.items() if t not in ("", "-")]
            found.append(Vignette(diagnosis, ".\n".join(told), f"{parts['demographics']}. {parts['chief_complaints']}"))
    return tuple(found)


def normal_name(name: str) -> str:
    """Of a diagnosis: lower case, American, without marks and the word disease, the words in their order."""
    text = re.sub(r"[^a-z0-9 ]+", " ", name.lower().replace("'s", "").replace("’s", ""))
    for british, american in (("ae", "e"), ("oe", "e"), ("our ", "or ")):
        text = text.replace(british, american)
    return " ".join(word for word in text.split() if word not in ("disease", "syndrome", "the", "of"))


def meant(conditions: Sequence[Condition], diagnosis: str) -> frozenset[str]:
    """Ids of the conditions that a diagnosis names: those with that name or synonym, and those of the same ICD-10
    category. Empty where it is not known."""
    wanted = normal_name(diagnosis)
    named = [c for c in conditions if wanted in {normal_name(n) for n in (c.name, c.lay, *c.synonyms)}]
    categories = {c.icd10[:3] for c in named}
    return frozenset(c.id for c in conditions if c.icd10[:3] in categories)
