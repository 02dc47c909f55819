"""The one vocabulary of clinical findings: what a person says, or what a general practitioner asks or sees.

A finding has an id (snake_case), plain words, phrases by which it is recognised in text, a question that asks for it,
and the more general findings that it implies ("sudden breathlessness" is breathlessness).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True)]
FindingId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=80)]
Kind = Literal["symptom", "quality", "history", "medicine", "exposure", "state", "sign"]


class ClinicalFinding(BaseModel):
    """One finding. kind: what it is; `quality` is the character, place, trigger or course of something else. sex: of
    whom alone it can be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: FindingId
    name: Text
    kind: Kind
    sex: Literal["female", "male"] | None = None
    is_a: tuple[FindingId, ...] = ()
    phrases: tuple[Text, ...] = Field(min_length=1)
    ask: Text


class FindingVocabulary:
    """Findings by id, what each implies, and other ids by which they are known. Raises ValueError where an id is not
    known or a finding implies itself."""

    def __init__(self, findings: Iterable[ClinicalFinding], aliases: Mapping[str, str] | None = None) -> None:
        self.findings: Mapping[str, ClinicalFinding] = {f.id: f for f in findings}
        self.aliases: Mapping[str, str] = dict(aliases or {})
        for alias, meant in self.aliases.items():
            if meant not in self.findings or alias in self.findings:
                raise ValueError(f"{alias}: is the same as {meant}, which must be a finding while {alias} is none")
        self._ancestors: dict[str, frozenset[str]] = {}
        for id_ in self.findings:
            self._close(id_, ())

    def _close(self, id_: str, below: tuple[str, ...]) -> frozenset[str]:
        if id_ in below:
            raise ValueError(f"{id_}: implies itself by {', '.join(below)}")
        if id_ not in self._ancestors:
            above: set[str] = set()
            for parent in self.findings[id_].is_a:
                if parent not in self.findings:
                    raise ValueError(f"{id_}: is_a names {parent!r}, which is no finding")
                above |= {parent, *self._close(parent, (*below, id_))}
            self._ancestors[id_] = frozenset(above)
        return self._ancestors[id_]

    def ancestors(self, id_: str) -> frozenset[str]:
        """All that a finding implies, without itself."""
        return self._ancestors[id_]

    def descendants(self, id_: str) -> frozenset[str]:
        """All that imply a finding, without itself."""
        return self._descendants.get(id_, frozenset())

    def with_implied(self, ids: Iterable[str]) -> frozenset[str]:
        """Findings that are present, with all that they imply."""
        return frozenset(above for id_ in ids for above in (id_, *self.ancestors(id_)))

    def with_implying(self, ids: Iterable[str]) -> frozenset[str]:
        """Findings that are absent, with all that would imply them."""
        return frozenset(below for id_ in ids for below in (id_, *self.descendants(id_)))

    @cached_property
    def _descendants(self) -> dict[str, frozenset[str]]:
        below: dict[str, set[str]] = {}
        for id_, above in self._ancestors.items():
            for ancestor in above:
                below.setdefault(ancestor, set()).add(id_)
        return {id_: frozenset(ids) for id_, ids in below.items()}

    def resolve(self, id_: str) -> str | None:
        """The finding meant by an id, its own or another it is known by; None for an unknown one."""
        return id_ if id_ in self.findings else self.aliases.get(id_)


def load_vocabulary(folder: Path) -> FindingVocabulary:
    """The findings of all `*.toml` files of a folder. A table with `same_as` alone is another id of that finding, and
    its words are phrases of it. Raises ValueError naming file and id for what does not fit."""
    tables: dict[str, tuple[str, dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.toml")):
        for id_, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if id_ in tables:
                raise ValueError(f"{path.name}: {id_} is there twice, first in {tables[id_][0]}")
            tables[id_] = (path.name, table)
    aliases = {id_: str(table["same_as"]) for id_, (_, table) in tables.items() if "same_as" in table}
    words: dict[str, list[str]] = {}
    for alias, meant in aliases.items():
        words.setdefault(meant, []).append(alias.replace("_", " "))
    findings = []
    for id_, (file, table) in tables.items():
        if id_ not in aliases:
            phrases = tuple(dict.fromkeys([*table.get("phrases", ()), *words.get(id_, ())]))
            try:
                findings.append(ClinicalFinding.model_validate({**table, "id": id_, "phrases": phrases}))
            except ValueError as error:
                raise ValueError(f"{file}: {id_}: {error}") from error
    return FindingVocabulary(findings, aliases)
