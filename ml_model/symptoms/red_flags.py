"""Rules by which single findings, or some together, must be seen soon whatever the cause: data, read and applied."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ml_model.symptoms.inference import CaseFindings
from ml_model.symptoms.vocabulary import FindingId, FindingVocabulary
from ml_model.tasks.triage_scale import LEVELS

Message = Annotated[str, StringConstraints(min_length=1, max_length=600, strip_whitespace=True)]


class RedFlagRule(BaseModel):
    """Applies where one of `any`, one of `any_too` and all of `all` are present and none of `none`, to an age from
    min_age_years to below max_age_years and a sex; empty rows ask for nothing. An age or sex that is not known does not
    keep a rule from applying, unless the rule is only for the young: then the age must be known. `least`: how many of
    `any` must be told, each in its own words; what they imply does not count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    level: Literal["emergency", "urgent", "soon"]
    any: tuple[FindingId, ...] = ()
    all: tuple[FindingId, ...] = ()
    any_too: tuple[FindingId, ...] = ()
    none: tuple[FindingId, ...] = ()
    sex: Literal["female", "male", ""] = ""
    min_age_years: float = Field(0.0, ge=0)
    max_age_years: float | None = Field(None, gt=0)
    least: int = Field(1, ge=1)
    message: Message

    def applies(self, present: frozenset[str], case: CaseFindings) -> bool:
        """present: findings with all that they imply."""
        if self.sex and case.sex not in (None, self.sex):
            return False
        if case.age_years is None:
            if self.max_age_years is not None:
                return False
        elif case.age_years < self.min_age_years or case.age_years >= (self.max_age_years or 200):
            return False
        asked = all(not row or present & set(row) for row in (self.any, self.any_too))
        if self.least > 1 and len(case.present & set(self.any)) < self.least:
            return False
        return asked and present >= set(self.all) and not present & set(self.none)


def load_red_flags(path: Path, vocabulary: FindingVocabulary) -> tuple[RedFlagRule, ...]:
    """Rules of a file, findings by their own ids. Raises ValueError naming the rule that names an unknown finding, asks
    for none, or is there twice."""
    rules: dict[str, RedFlagRule] = {}
    for table in tomllib.loads(path.read_text(encoding="utf-8"))["rules"]:
        for row in ("any", "all", "any_too", "none"):
            ids = table.get(row, [])
            if unknown := [f for f in ids if vocabulary.resolve(f) is None]:
                raise ValueError(
                    f"{path.name}: {table.get('id')}: {row} names {', '.join(unknown)}, which is no finding"
                )
            table[row] = [vocabulary.resolve(f) for f in ids]
        rule = RedFlagRule.model_validate(table)
        if rule.id in rules or not (rule.any or rule.all):
            raise ValueError(f"{path.name}: {rule.id}: is there twice, or asks for no finding")
        rules[rule.id] = rule
    return tuple(rules.values())


def red_flags(
    rules: Sequence[RedFlagRule], case: CaseFindings, vocabulary: FindingVocabulary
) -> tuple[RedFlagRule, ...]:
    """Those that apply to a case, the gravest first and otherwise in their order."""
    present = vocabulary.with_implied(case.present)
    named = (rule for rule in rules if not present.isdisjoint(rule.any or rule.all))  # most are not, and cost nothing
    found = [rule for rule in named if rule.applies(present, case)]
    return tuple(sorted(found, key=lambda rule: -LEVELS.index(rule.level)))
