"""What answers for symptoms: the checker, and beside it the ranking learnt from the synthetic table."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle
from ml_model.symptoms.checker import Decisions, SymptomChecker
from ml_model.symptoms.inference import Fit
from ml_model.symptoms.knowledge import SymptomKnowledge, knowledge_sha256, load_knowledge
from ml_model.symptoms.urgency import Urgencies
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import TASKS_DIR

CHECKER_FILE = "checker.json"
P = ParamSpec("P")
R = TypeVar("R")


_BUILDING = threading.RLock()  # it takes seconds, and once is enough


def _built_once(build: Callable[P, R]) -> Callable[P, R]:
    """What a function gives, made by the first who asks while others wait."""
    cached: Callable[..., R] = functools.cache(build)

    @functools.wraps(build)
    def ask(*given: P.args, **named: P.kwargs) -> R:
        with _BUILDING:
            return cached(*given, **named)

    return ask


@_built_once
def shipped_knowledge() -> SymptomKnowledge:
    """That of this package, read once."""
    return load_knowledge(TASKS_DIR)


@_built_once
def shipped_checker(fit: Fit, decisions: Decisions) -> SymptomChecker:
    """Over the knowledge of this package."""
    return SymptomChecker(shipped_knowledge(), fit, decisions)


def rules_alone() -> SymptomChecker:
    """Reads words, applies red flags and hears self-harm where no bundle has a checker; its ranking is not fitted and
    not to be shown."""
    return shipped_checker(Fit(), Decisions())


@dataclass(frozen=True)
class SymptomEngine:
    """choices: of the checker; None where the bundle was made without one."""

    table: SymptomModel
    choices: tuple[Fit, Decisions] | None

    @property
    def checker(self) -> SymptomChecker | None:
        """Built when it is first asked for, which takes seconds; None where the bundle was made without one."""
        return shipped_checker(*self.choices) if self.choices else None

    @functools.cached_property
    def earlier_names(self) -> Mapping[str, str]:
        """What the symptoms of the table are called, by id."""
        return {symptom.id: symptom.name for symptom in self.table.symptoms}

    def prepare(self) -> None:
        """Build what the first request would wait for."""
        if self.choices:
            shipped_checker(*self.choices)

    @classmethod
    def load(cls, bundle: Bundle) -> SymptomEngine:
        """Read a verified bundle. Raises BundleInvalid where its parts do not fit together, or where its checker was
        fitted to other knowledge than this package has."""
        table = SymptomModel.load(bundle)
        if CHECKER_FILE not in bundle.manifest.files:
            return cls(table, None)
        stored = json.loads(bundle.file(CHECKER_FILE).read_text(encoding="utf-8"))
        here = knowledge_sha256(TASKS_DIR)
        if stored["knowledge_sha256"] != here:
            raise BundleInvalid(
                f"{bundle.path.name}: {CHECKER_FILE} was fitted to knowledge of SHA-256 {stored['knowledge_sha256']}, "
                f"here it is {here}; fit it again (docs/symptoms.md)"
            )
        return cls(table, read_choices(stored))


def read_choices(stored: Mapping[str, Any]) -> tuple[Fit, Decisions]:
    """What was chosen on vignettes, as it is stored."""
    decided = dict(stored["decisions"])
    return Fit(**stored["fit"]), Decisions(**{**decided, "urgencies": Urgencies(**decided["urgencies"])})
