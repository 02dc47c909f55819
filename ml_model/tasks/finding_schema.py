"""Parts of the task files that say what must not be missed, how soon it must be acted on, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ml_model.tasks.coding import Concept
from ml_model.tasks.image_schema import Colour, Frozen, PlainName, Text


class Advice(Frozen):
    """What is said and done in place of a class's own text: of what is still open, or where nothing can be said."""

    title: Text
    message: Text
    actions: tuple[Text, ...] = Field(min_length=1)
    timeline: Text
    action: Text
    color: Colour


class FindingRule(Frozen):
    """Classes that together must not be missed. Their summed probability is the finding's.

    name: as in a sentence ("... not ruled out"). min_sensitivity: share of its cases that must not be ruled out.
    never_ruled_out: why its data cannot support a rule-out; None where they can. tumour: whether it means one, or its
    precursor. suspected: one sentence beside the
    text of its most probable class, whose severity says how soon it is acted on. open_level, open: how soon, and what
    is said and done, while it is neither ruled out nor suspected. In a multi-label task `classes` is one class.
    """

    code: PlainName
    name: Text
    concept: Concept | None = None
    classes: tuple[PlainName, ...] = Field(min_length=1)
    min_sensitivity: float = Field(gt=0, lt=1)
    never_ruled_out: Text | None = None
    tumour: bool = False
    suspected: Text
    open_level: Literal["soon", "urgent"] = "soon"
    open: Advice


def check_findings(findings: Sequence[FindingRule], codes: Sequence[str], multi_label: bool) -> None:
    """Raises ValueError where the findings of a task do not fit its classes, or each other."""
    seen: set[str] = set()
    for rule in findings:
        if unknown := set(rule.classes) - set(codes):
            raise ValueError(f"findings.{rule.code}: no class has the code {', '.join(sorted(unknown))}")
        if twice := seen & set(rule.classes):
            raise ValueError(f"findings.{rule.code}: {', '.join(sorted(twice))} is in another finding too")
        if multi_label and len(rule.classes) > 1:
            raise ValueError(f"findings.{rule.code}: one class only in a multi_label task")
        seen |= set(rule.classes)
    if len({rule.code for rule in findings}) < len(findings):
        raise ValueError("findings: two have the same code")
    if findings and seen == set(codes):
        raise ValueError("findings: every class is in one; leave one that is named when all are ruled out")


class Unsettled(Frozen):
    """What stands in place of a stage and of treatments where the named class is not settled."""

    staging: Text
    treatment: Text
