"""What holds of every network and every case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_knowledge import PLAIN, condition, made_vocabulary

from ml_model.symptoms.conditions import FREQUENCIES, INCIDENCES, SPANS_DAYS, Condition
from ml_model.symptoms.inference import CaseFindings, Fit, SymptomNetwork

FINDINGS = ("fever", "cough", "dry_cough", "rash", "worse_at_night", "history_asthma")
VOCABULARY = made_vocabulary(
    *FINDINGS, parents={"dry_cough": "cough"}, worse_at_night="quality", history_asthma="history"
)
FEW = settings(max_examples=60, deadline=None)
ROWS = (*FREQUENCIES, "against", "risk", "none")
SHARES = st.sampled_from([0.0, 0.2, 1.0])


@st.composite
def conditions_(draw: st.DrawFn) -> list[Condition]:
    made = []
    for number in range(draw(st.integers(1, 4))):
        row_of = {id_: draw(st.sampled_from(ROWS)) for id_ in FINDINGS}
        rows = {row: tuple(f for f, own in row_of.items() if own == row) for row in ROWS[:-1]}
        made.append(
            condition(
                f"c{number}",
                **rows,
                incidence=draw(st.sampled_from(list(INCIDENCES))),
                age=(1.0, *draw(st.tuples(*[SHARES] * 5))),
                sex=draw(st.sampled_from([(1.0, 1.0), (1.0, 0.0), (0.3, 1.0)])),
                onset=(draw(st.sampled_from(list(SPANS_DAYS))),),
            )
        )
    return made


FITS = st.builds(
    Fit,
    prior_power=st.sampled_from([0.2, 1.0]),
    unmentioned=st.sampled_from([0.0, 0.5]),
    temperature=st.sampled_from([1.0, 2.4]),
    leak=st.sampled_from([0.001, 0.05]),
    leak_share=st.sampled_from([0.0, 1.0]),
    inherited=st.sampled_from([0.0, 0.9]),
)
CASES = st.builds(
    CaseFindings,
    present=st.frozensets(st.sampled_from(FINDINGS)),
    absent=st.frozensets(st.sampled_from(FINDINGS)),
    age_years=st.none() | st.floats(0, 120),
    sex=st.sampled_from([None, "female", "male"]),
    duration_days=st.none() | st.floats(0, 40_000),
    sudden=st.sampled_from([None, True, False]),
    recurrent=st.sampled_from([None, True, False]),
)


@FEW
@given(made=conditions_(), fit=FITS, told=CASES)
def test_probabilities_are_of_everything_there_is(made: list[Condition], fit: Fit, told: CaseFindings) -> None:
    found = SymptomNetwork(VOCABULARY, made, fit).posterior(told)
    assert found.probabilities.sum() + found.something_else == pytest.approx(1)
    assert ((found.probabilities >= 0) & (found.probabilities <= 1)).all()
    assert found.evidence.shape == (len(found.findings), len(made))
    assert np.isfinite(found.evidence).all()


@FEW
@given(made=conditions_(), fit=FITS, told=CASES, order=st.permutations(range(4)), findings=st.permutations(FINDINGS))
def test_neither_order_of_findings_nor_of_conditions_matters(
    made: list[Condition], fit: Fit, told: CaseFindings, order: list[int], findings: list[str]
) -> None:
    rows = [n for n in order if n < len(made)]
    plain = SymptomNetwork(VOCABULARY, made, fit).posterior(told)
    other = made_vocabulary(
        *findings, parents={"dry_cough": "cough"}, worse_at_night="quality", history_asthma="history"
    )
    shuffled = SymptomNetwork(other, [made[n] for n in rows], fit).posterior(told)
    assert shuffled.probabilities == pytest.approx(plain.probabilities[rows])
    assert shuffled.findings == plain.findings


@FEW
@given(fit=FITS, told=CASES, kind=st.sampled_from(["symptom", "quality", "history", "sign"]), misread=st.booleans())
def test_a_finding_that_one_always_has_never_lowers_it_against_one_that_never_has_it(
    fit: Fit, told: CaseFindings, kind: str, misread: bool
) -> None:
    vocabulary = made_vocabulary(*FINDINGS[:-1], "history_asthma", "told", told=kind)
    always, never = condition("always", always=("told",), usual=("fever",)), condition("never", often=("cough",))
    network = SymptomNetwork(vocabulary, [always, never], replace(fit, misread=0.05 if misread else 0.0))
    without = network.posterior(told).probabilities
    beside = network.posterior(replace(told, present=told.present | {"told"})).probabilities
    assert beside[0] / beside[1] >= without[0] / without[1] * (1 - 1e-9)
    denied = network.posterior(replace(told, absent=told.absent | {"told"})).probabilities
    assert denied[0] / denied[1] <= without[0] / without[1] * (1 + 1e-9)


@FEW
@given(made=conditions_(), told=CASES)
def test_a_more_specific_finding_settles_the_more_general_one(made: list[Condition], told: CaseFindings) -> None:
    network = SymptomNetwork(VOCABULARY, made, PLAIN)
    dry = replace(told, present=told.present | {"dry_cough"}, absent=frozenset())
    both = replace(dry, present=dry.present | {"cough"})
    assert network.posterior(both).probabilities == pytest.approx(network.posterior(dry).probabilities)
