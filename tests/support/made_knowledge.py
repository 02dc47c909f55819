"""A made vocabulary and made conditions, small enough to work out on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ml_model.symptoms.conditions import Condition
from ml_model.symptoms.inference import CaseFindings, Fit
from ml_model.symptoms.knowledge import SymptomKnowledge
from ml_model.symptoms.red_flags import RedFlagRule
from ml_model.symptoms.self_harm.reader import SelfHarmAnswer, SelfHarmReader
from ml_model.symptoms.sentences import PLACES, SentenceModel
from ml_model.symptoms.vocabulary import ClinicalFinding, FindingVocabulary

# Every term of the formula at its plainest: no tempering, nothing of what is not mentioned, nothing misread.
PLAIN = Fit(
    prior_power=1, unmentioned=0, quality_share=1, mention=1, temperature=1, other=0, leak=0.01, leak_share=0,
    course=0, inherited=0, absent=1, misread=0, quality=1,
)  # fmt: skip
LEAK = 0.01
ROWS = ("always", "usual", "often", "sometimes", "rare", "against", "risk_strong", "risk", "emergency_if")


def finding(id_: str, *, kind: str = "symptom", is_a: tuple[str, ...] = ()) -> ClinicalFinding:
    name = id_.replace("_", " ")
    return ClinicalFinding.model_validate(
        {"id": id_, "name": name, "kind": kind, "is_a": is_a, "phrases": (name,), "ask": f"Is there {name}?"}
    )


def made_vocabulary(*ids: str, parents: Mapping[str, str] | None = None, **kinds: str) -> FindingVocabulary:
    """parents: of a finding, the more general one. kinds: of findings that are no symptom."""
    above = parents or {}
    return FindingVocabulary(
        finding(id_, kind=kinds.get(id_, "symptom"), is_a=(above[id_],) if id_ in above else ()) for id_ in ids
    )


def condition(id_: str, **given: Any) -> Condition:
    """Common, of all ages and both sexes, soon to be seen, without findings but for what is given."""
    plain: dict[str, Any] = {
        "id": id_, "name": id_.capitalize(), "lay": id_, "synonyms": (), "icd10": "R69", "incidence": "common",
        "age": (1, 1, 1, 1, 1, 1), "sex": (1, 1), **dict.fromkeys(ROWS, ()), "onset": ("days",), "sudden": 0.2,
        "recurrent": 0.2, "urgency": "soon", "description": f"What {id_} is.", "care": ("See somebody.",),
    }  # fmt: skip
    return Condition.model_validate({**plain, **given})


def case(*present: str, absent: Iterable[str] = (), **given: Any) -> CaseFindings:
    return CaseFindings(frozenset(present), frozenset(absent), **given)


def made_knowledge(
    vocabulary: FindingVocabulary, conditions: Iterable[Condition], rules: Iterable[RedFlagRule] = ()
) -> SymptomKnowledge:
    answer = SelfHarmAnswer("You are not alone", "Thank you for telling.", ("Call now.", "Stay with someone."))
    reader = SelfHarmReader(["want to die"], [], [], answer)
    deaf = SentenceModel(np.zeros(PLACES, np.float32), 1.0)
    return SymptomKnowledge(vocabulary, tuple(conditions), tuple(rules), reader, deaf, "0" * 64)
