"""Posteriors of networks so small that they are worked out here by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_knowledge import LEAK, PLAIN, case, condition, made_vocabulary

from ml_model.symptoms.conditions import FREQUENCIES, INCIDENCES, Condition
from ml_model.symptoms.inference import CaseFindings, Fit, Posterior, SymptomNetwork

COMMON, UNCOMMON = INCIDENCES["common"], INCIDENCES["uncommon"]
COUGH = made_vocabulary("cough", "dry_cough", "fever", "history_asthma", parents={"dry_cough": "cough"},
                        history_asthma="history")  # fmt: skip


def asked(conditions: list[Condition], told: CaseFindings, fit: Fit = PLAIN) -> Posterior:
    return SymptomNetwork(COUGH, conditions, fit).posterior(told)


def noisy_or(listed: float, leak: float = LEAK) -> float:
    return 1 - (1 - leak) * (1 - listed)


def shares(*weights: float) -> list[float]:
    """Of the conditions; the last weight is that of something else."""
    return [w / sum(weights) for w in weights[:-1]]


ONE_TOLD = 1 - np.exp(-1 / 4)  # of what is chosen on long stories counts where one finding is present
COLD = condition("cold", often=("cough",))
PNEUMONIA = condition("pneumonia", incidence="uncommon", always=("cough",))


def test_frequency_leak_and_how_common_a_condition_is_come_together() -> None:
    found = asked([COLD, PNEUMONIA], case("cough"))
    # 0.006 x 0.505 against 0.0006 x 0.9505; something else is as common as a common condition and has the leak.
    assert found.probabilities == pytest.approx(shares(0.006 * 0.505, 0.0006 * 0.9505, 0.006 * 0.01))
    assert found.something_else == pytest.approx(0.006 * 0.01 / (0.006 * 0.505 + 0.0006 * 0.9505 + 0.006 * 0.01))
    assert found.findings == ("cough",)
    assert found.evidence == pytest.approx(np.log([[50.5, 95.05]]))


def test_what_is_absent_speaks_against_who_usually_has_it() -> None:
    found = asked([COLD, PNEUMONIA], case(absent=["cough"]))
    assert found.probabilities == pytest.approx(shares(COMMON * 0.495, UNCOMMON * 0.0495, COMMON * 0.99))
    half = asked([COLD, PNEUMONIA], case(absent=["cough"]), replace(PLAIN, absent=0.5))
    assert half.probabilities == pytest.approx(
        shares(COMMON * (0.495 / 0.99) ** 0.5, UNCOMMON * (0.0495 / 0.99) ** 0.5, COMMON)
    )


def test_what_is_not_mentioned_counts_in_part() -> None:
    fit = replace(PLAIN, unmentioned=0.5, mention=0.8)
    found = asked([COLD, PNEUMONIA], case("fever"), fit)
    cold, pneumonia = (((1 - 0.8 * p) / (1 - 0.8 * LEAK)) ** (0.5 * ONE_TOLD) for p in (0.505, 0.9505))
    assert found.probabilities == pytest.approx(shares(COMMON * cold, UNCOMMON * pneumonia, COMMON))


def test_histories_are_mentioned_more_seldom_and_weigh_a_share() -> None:
    asthma = condition("asthma", usual=("history_asthma",))
    fit = replace(PLAIN, unmentioned=1, quality_share=0.25)
    found = asked([asthma], case("fever"), fit)
    leak = 0.03  # a history is there by chance at least so often
    expected = ((1 - noisy_or(0.75, leak)) / (1 - leak)) ** (0.25 * ONE_TOLD)
    assert found.probabilities == pytest.approx(shares(expected, 1))
    told = asked([asthma], case("history_asthma"), replace(PLAIN, quality=0.5))
    assert told.probabilities == pytest.approx(shares((noisy_or(0.75, leak) / leak) ** 0.5, 1))


def test_only_the_most_specific_finding_counts_and_only_the_most_general_absence() -> None:
    conditions = [COLD, condition("croup", usual=("dry_cough",))]
    assert asked(conditions, case("cough", "dry_cough")).findings == ("dry_cough",)
    assert asked(conditions, case("cough", "dry_cough")).probabilities == pytest.approx(
        asked(conditions, case("dry_cough")).probabilities
    )
    none = asked(conditions, case("fever", absent=["cough", "dry_cough"]))
    assert none.findings == ("fever", "cough")
    assert none.probabilities == pytest.approx(asked(conditions, case("fever", absent=["cough"])).probabilities)


def test_a_finding_implies_the_more_general_one_and_inherits_from_it() -> None:
    croup = condition("croup", usual=("dry_cough",))
    general = asked([COLD, croup], case("cough"))
    assert general.evidence[0] == pytest.approx(np.log([0.505 / LEAK, noisy_or(0.75) / LEAK]))
    # Over both, a dry cough is 0.375 on the mean and a cough 0.625: of a cold's cough, 0.6 is owed to a dry one.
    specific = asked([COLD, croup], case("dry_cough"), replace(PLAIN, inherited=0.5))
    assert specific.evidence[0, 0] == pytest.approx(np.log(noisy_or(0.5 * 0.6 * 0.5) / LEAK))
    assert asked([COLD, croup], case("dry_cough")).evidence[0, 0] == pytest.approx(0), "nothing is inherited"


def test_what_argues_against_and_what_raises_the_odds() -> None:
    against = condition("flu", against=("cough",))
    assert asked([against], case("cough")).evidence[0, 0] == pytest.approx(np.log(0.1))
    risk = condition("wheeze", risk_strong=("history_asthma",))
    odds = 8 * 0.03 / 0.97
    assert asked([risk], case("history_asthma")).evidence[0, 0] == pytest.approx(np.log(odds / (1 + odds) / 0.03))


def test_age_lies_between_the_middles_of_its_bands() -> None:
    growing = condition("growing", age=(1, 0.2, 0.6, 0.4, 0.1, 0))
    middles = [np.sqrt((a + 0.5) * (b + 0.5)) for a, b in ((0, 2), (2, 12), (12, 18), (18, 40), (40, 65), (65, 95))]
    between = ((np.sqrt(middles[1]) + np.sqrt(middles[2])) / 2) ** 2 - 0.5

    def frequency(age_years: float) -> float:
        found = asked([growing, condition("steady")], case("fever", age_years=age_years)).probabilities
        return float(found[0] / found[1])

    assert frequency(0) == pytest.approx(1)
    assert frequency(middles[1] - 0.5) == pytest.approx(0.2)
    assert frequency(between) == pytest.approx(0.4)
    assert frequency(120) == pytest.approx(0.02), "hardly ever is not never"


def test_nobody_has_what_their_sex_rules_out() -> None:
    torsion = condition("torsion", sex=(0, 1), always=("cough",), incidence="very_common")
    told = asked([torsion, COLD], case("cough", sex="female"), replace(PLAIN, prior_power=0.2, temperature=3))
    assert told.probabilities[0] == 0
    assert told.probabilities.sum() + told.something_else == pytest.approx(1)
    assert asked([torsion], case("cough", sex="female")).something_else == 1
    unknown = asked([torsion, COLD], case("fever"))
    # About half of everybody, where the sex is not known.
    half = INCIDENCES["very_common"] / COMMON / 2
    assert unknown.probabilities[0] / unknown.probabilities[1] == pytest.approx(half, rel=0.03)


def test_something_else_grows_with_what_no_condition_explains() -> None:
    explained = asked([COLD, PNEUMONIA], case("cough")).something_else
    not_explained = asked([COLD, PNEUMONIA], case("fever")).something_else
    assert explained < 0.02 < 0.4 < not_explained
    assert asked([COLD], case("fever"), replace(PLAIN, other=-3)).something_else == pytest.approx(
        np.exp(-3) / (1 + np.exp(-3))
    )


def test_powers_of_the_prior_and_the_temperature() -> None:
    found = asked([COLD, PNEUMONIA], case("cough"), replace(PLAIN, prior_power=0.5, temperature=2))
    power, temperature = 1 - 0.5 * ONE_TOLD, 1 + ONE_TOLD
    weights = (COMMON**power * 0.505, UNCOMMON**power * 0.9505, COMMON**power * 0.01)
    assert found.probabilities == pytest.approx(shares(*(w ** (1 / temperature) for w in weights)))


def test_what_is_misread_bounds_how_much_one_finding_says() -> None:
    found = asked([COLD], case("dry_cough"), replace(PLAIN, misread=0.05))
    assert found.evidence[0, 0] == pytest.approx(0)
    never = asked([condition("flu", against=("cough",))], case("cough"), replace(PLAIN, misread=0.05))
    assert never.evidence[0, 0] == pytest.approx(np.log(0.95 * 0.1 + 0.05))


def test_time_s_course_favours_what_begins_and_lasts_so() -> None:
    sudden = condition("sudden", onset=("minutes",), sudden=0.9, recurrent=0.1)
    slow = condition("slow", onset=("years",), sudden=0.1, recurrent=0.8)
    fit = replace(PLAIN, course=1)

    def odds(**told: float | bool) -> float:
        found = asked([sudden, slow], CaseFindings(frozenset({"fever"}), **told), fit).probabilities  # type: ignore[arg-type]
        return float(found[0] / found[1])

    assert odds() == pytest.approx(1)
    assert odds(sudden=True) == pytest.approx(9)
    assert odds(sudden=False) == pytest.approx(1 / 9)
    assert odds(recurrent=True) == pytest.approx(1 / 8)
    near = np.exp(-0.5 * (5 / 0.9) ** 2)  # a hundredth of a day is five decades from 1,000 days
    assert odds(duration_days=0.01) == pytest.approx(1.08 / (0.08 + near))


def test_an_unknown_finding_is_an_error() -> None:
    with pytest.raises(KeyError):
        asked([COLD], case("no_such_finding"))


def test_the_words_for_how_often_are_in_order() -> None:
    for table in (FREQUENCIES, INCIDENCES):
        assert list(table.values()) == sorted(table.values(), reverse=True)
