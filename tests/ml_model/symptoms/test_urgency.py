"""How soon: never calmer than a red flag, nor than what the conditions in question reach together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_knowledge import condition

from ml_model.symptoms.conditions import Condition
from ml_model.symptoms.red_flags import RedFlagRule
from ml_model.symptoms.urgency import (
    LEVEL_OF,
    TO_DO,
    ConditionLevels,
    SymptomTriage,
    Urgencies,
    level_masses,
    symptom_triage,
)
from ml_model.tasks.triage_scale import LEVELS, severity_of

WORDS = list(LEVEL_OF)
LIMITS = Urgencies(emergency=0.2, urgent=0.3, soon=0.4, routine=0.5)


def flag(level: str) -> RedFlagRule:
    return RedFlagRule.model_validate({"id": level, "level": level, "any": ("x",), "message": f"{level}!"})


def triage(
    shares: dict[str, float],
    *flags: str,
    present: frozenset[str] = frozenset(),
    ranked: bool = True,
    abstains: tuple[str, ...] = (),
    **more: Condition,
) -> SymptomTriage:
    """shares: probability of a condition of each urgency."""
    made = [more.get(urgency) or condition(urgency.replace("_", "-"), urgency=urgency) for urgency in shares]
    probabilities = np.array(list(shares.values()))
    return symptom_triage([flag(f) for f in flags], made, probabilities, ConditionLevels(made)(present), LIMITS,
                          ranked=ranked, abstain_reasons=abstains)  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "level"),
    [
        ({"self_care": 0.9, "emergency": 0.1}, "none"),
        ({"self_care": 0.8, "emergency": 0.2}, "emergency"),
        ({"self_care": 0.7, "urgent": 0.15, "emergency": 0.15}, "urgent"),  # together 0.3
        ({"self_care": 0.6, "soon": 0.15, "urgent": 0.1, "emergency": 0.15}, "soon"),
        ({"self_care": 0.5, "routine": 0.5}, "routine"),
        ({"self_care": 0.51, "routine": 0.49}, "none"),
    ],
)
def test_a_level_is_reached_by_its_conditions_and_graver_ones_together(shares: dict[str, float], level: str) -> None:
    found = triage(shares)
    assert (found.level, found.text, found.severity) == (level, TO_DO[level], severity_of(level))
    assert {r.code for r in found.reasons} == {"in_question", "named"}
    levels = ConditionLevels([condition(u.replace("_", "-"), urgency=u) for u in shares])(frozenset())
    masses = level_masses(np.array([*shares.values()]), levels)
    assert masses[0] == pytest.approx(1)
    assert (np.diff(masses) <= 0).all()


def test_no_answer_is_calmer_than_the_condition_that_it_names() -> None:
    found = triage({"emergency": 0.19, "self_care": 0.18})
    assert (found.level, found.reasons[0].code) == ("emergency", "named")
    assert found.reasons[0].text == "Emergency is the most probable condition."


def test_where_none_is_named_a_case_is_seen_soon() -> None:
    found = triage({"self_care": 0.1, "routine": 0.05}, abstains=("None stands out.",))
    assert (found.level, found.reasons[0].code, found.reasons[0].text) == ("soon", "abstained", "None stands out.")


def test_the_reason_names_who_is_in_question() -> None:
    found = triage({"emergency": 0.3, "self_care": 0.69, "urgent": 0.01})
    assert found.reasons[0].text == "Still in question: Emergency."
    assert triage({"self_care": 1.0}).reasons[0].text == "Nothing graver stands out."


def test_what_makes_a_condition_worse_raises_it_by_one_level() -> None:
    worse = condition("soon", urgency="soon", emergency_if=("confusion",))
    assert triage({"soon": 1.0}, soon=worse).level == "soon"
    assert triage({"soon": 1.0}, present=frozenset({"confusion"}), soon=worse).level == "urgent"
    gravest = condition("emergency", urgency="emergency", emergency_if=("confusion",))
    assert triage({"emergency": 1.0}, present=frozenset({"confusion"}), emergency=gravest).level == "emergency"


def test_a_red_flag_answers_where_nothing_is_ranked() -> None:
    found = triage({"self_care": 1.0}, "urgent", ranked=False)
    assert (found.level, [r.code for r in found.reasons]) == ("urgent", ["red_flag"])
    unknown = triage({"self_care": 1.0}, ranked=False)
    assert (unknown.level, unknown.reasons[0].code) == ("soon", "not_known")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
    st.lists(st.sampled_from(["soon", "urgent", "emergency"]), max_size=3),
)
def test_it_is_the_gravest_of_its_reasons_and_never_calmer_than_a_flag(weights: list[float], flags: list[str]) -> None:
    shares = {urgency: w / sum(weights) for urgency, w in zip(WORDS, weights, strict=True)}
    found, without = triage(shares, *flags), triage(shares)
    order = [LEVELS.index(reason.level) for reason in found.reasons]
    assert order == sorted(order, reverse=True)
    assert found.level == found.reasons[0].level
    assert LEVELS.index(found.level) == max([LEVELS.index(without.level), *map(LEVELS.index, flags)])
    mass = sum(share for urgency, share in shares.items() if LEVELS.index(LEVEL_OF[urgency]) > order[0])
    assert mass < 0.5, "no more than the limit of what is graver is left in question"
