"""What is known of each condition: how common it is in whom, which findings it has and how often, how soon it must be
seen. Written from general medical knowledge in `ml_model/tasks/conditions/*.toml`; the numbers behind its words are
here.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ml_model.symptoms.vocabulary import FindingId, FindingVocabulary, Text

Incidence = Literal["very_common", "common", "uncommon", "rare", "very_rare"]
Urgency = Literal["emergency", "urgent", "soon", "routine", "self_care"]
Span = Literal["seconds", "minutes", "hours", "days", "weeks", "months", "years"]
Share = Annotated[float, Field(ge=0, le=1)]

# Share of cases in which a finding is there and is told.
FREQUENCIES = {"always": 0.95, "usual": 0.75, "often": 0.5, "sometimes": 0.25, "rare": 0.07}
# Presentations to general practice and emergency medicine per person and year.
INCIDENCES: dict[Incidence, float] = {
    "very_common": 4e-2, "common": 6e-3, "uncommon": 6e-4, "rare": 6e-5, "very_rare": 6e-6,
}  # fmt: skip
RISK_ODDS = {"risk_strong": 8.0, "risk": 2.5}  # by which what is in these rows multiplies the odds
AGE_BANDS_YEARS = ((0, 2), (2, 12), (12, 18), (18, 40), (40, 65), (65, 95))
SPANS_DAYS: dict[Span, float] = {
    "seconds": 1e-4, "minutes": 0.01, "hours": 0.3, "days": 3, "weeks": 20, "months": 120, "years": 1000,
}  # fmt: skip


class Condition(BaseModel):
    """One condition. age: relative frequency by AGE_BANDS_YEARS, sex: female and male, the largest 1. Findings are in
    rows by how often they occur; `against`: with it the condition is much less likely. emergency_if: what makes a case
    more urgent than the typical one, whose urgency is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    name: Text
    lay: Text
    synonyms: tuple[Text, ...]
    icd10: Annotated[str, StringConstraints(pattern=r"^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,2})?$")]
    incidence: Incidence
    age: tuple[Share, Share, Share, Share, Share, Share]
    sex: tuple[Share, Share]
    always: tuple[FindingId, ...]
    usual: tuple[FindingId, ...]
    often: tuple[FindingId, ...]
    sometimes: tuple[FindingId, ...]
    rare: tuple[FindingId, ...]
    against: tuple[FindingId, ...]
    risk_strong: tuple[FindingId, ...]
    risk: tuple[FindingId, ...]
    onset: tuple[Span, ...] = Field(min_length=1)
    sudden: Share
    recurrent: Share
    urgency: Urgency
    emergency_if: tuple[FindingId, ...]
    description: Text
    care: tuple[Text, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Condition:
        named = [f for row in (*FREQUENCIES, *RISK_ODDS, "against") for f in getattr(self, row)]
        if twice := sorted({f for f in named if named.count(f) > 1}):
            raise ValueError(f"{self.id}: {', '.join(twice)} is in two of its rows")
        if max(self.age) != 1 or max(self.sex) != 1:
            raise ValueError(f"{self.id}: the largest of age and of sex must be 1")
        return self


def load_conditions(folder: Path, vocabulary: FindingVocabulary) -> tuple[Condition, ...]:
    """Those of all `*.toml` files of a folder, findings by their own ids. Raises ValueError naming file and condition
    for what does not fit, an id that is there twice, or a finding that the vocabulary does not know."""
    rows = (*FREQUENCIES, *RISK_ODDS, "against", "emergency_if")
    found: dict[str, Condition] = {}
    for path in sorted(folder.glob("*.toml")):
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["conditions"]:
            name = f"{path.name}: {table.get('id')}"
            for row in rows:
                ids = table.get(row, [])
                if unknown := [f for f in ids if vocabulary.resolve(f) is None]:
                    raise ValueError(f"{name}: {row} names {', '.join(unknown)}, which the vocabulary does not know")
                table[row] = list(dict.fromkeys(vocabulary.resolve(f) for f in ids))
            try:
                condition = Condition.model_validate(table)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            if condition.id in found:
                raise ValueError(f"{name}: there is another condition of that id")
            found[condition.id] = condition
    return tuple(found.values())
