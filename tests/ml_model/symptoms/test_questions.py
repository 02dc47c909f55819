"""What is asked next: the answer that is expected to tell most, worked out by hand where there are two conditions."""

from __future__ import annotations

import numpy as np
import pytest
from made_knowledge import LEAK, PLAIN, case, condition, made_vocabulary

from ml_model.symptoms.inference import Sex, SymptomNetwork
from ml_model.symptoms.questions import MOST_QUESTIONS, Interview, Question
from ml_model.symptoms.vocabulary import FindingVocabulary

SEXES: tuple[Sex | None, ...] = (None, "female", "male")


def bits(*shares: float) -> float:
    return float(-sum(p * np.log2(p) for p in shares))


def asked(network: SymptomNetwork, *present: str, known: frozenset[str] = frozenset()) -> tuple[Question, ...]:
    return Interview(network).next_questions(network.posterior(case(*present)), known)


VOCABULARY = made_vocabulary("fever", "rash", "cough", "dry_cough", "murmur", parents={"dry_cough": "cough"},
                             murmur="sign")  # fmt: skip


def test_expected_information_is_that_of_the_answer_about_the_condition() -> None:
    made = [condition("measles", always=("rash",)), condition("flu", often=("fever",))]
    network = SymptomNetwork(VOCABULARY, made, PLAIN)
    found = {q.finding: q for q in asked(network)}
    # Both are as common: information is that of the answer, less what is open of it where the condition is known.
    rash, none = 0.9505, LEAK
    expected = bits((rash + none) / 2, 1 - (rash + none) / 2) - (bits(rash, 1 - rash) + bits(none, 1 - none)) / 2
    assert found["rash"].expected_bits == pytest.approx(expected, abs=1e-4)
    fever = 0.505
    expected = bits((fever + none) / 2, 1 - (fever + none) / 2) - (bits(fever, 1 - fever) + bits(none, 1 - none)) / 2
    assert found["fever"].expected_bits == pytest.approx(expected, abs=1e-4)
    assert list(found) == ["rash", "fever"], "the most telling first, and nothing that hardly anybody has"
    assert found["rash"].text == "Is there rash?"


def test_a_change_of_urgency_counts_beside_the_ranking() -> None:
    calm = [condition("a", usual=("rash",)), condition("b", usual=("fever",)), condition("c")]
    grave = [calm[0], condition("b", usual=("fever",), urgency="emergency"), calm[2]]
    order = [[q.finding for q in asked(SymptomNetwork(VOCABULARY, made, PLAIN))] for made in (calm, grave)]
    assert order == [["fever", "rash"], ["fever", "rash"]]
    grave_first = [condition("a", usual=("rash",), urgency="emergency"), *calm[1:]]
    assert [q.finding for q in asked(SymptomNetwork(VOCABULARY, grave_first, PLAIN))] == ["rash", "fever"]


def test_nothing_settled_is_asked_for_and_one_of_each_family_only() -> None:
    made = [
        condition("croup", always=("dry_cough",), usual=("murmur",)),
        condition("bronchitis", often=("cough",)),
        condition("flu", usual=("fever",)),
    ]
    network = SymptomNetwork(VOCABULARY, made, PLAIN)
    found = [q.finding for q in asked(network)]
    assert len({"cough", "dry_cough"} & set(found)) == 1
    assert "murmur" not in found, "a sign is seen, not told"
    settled = asked(network, known=frozenset({"cough", "dry_cough"}))
    assert [q.finding for q in settled] == ["fever"]
    assert asked(network, known=frozenset({"cough", "dry_cough", "fever"})) == ()


def test_at_most_so_many_and_none_where_nothing_is_open() -> None:
    ids = [f"f{n}" for n in range(MOST_QUESTIONS + 2)]
    vocabulary = made_vocabulary(*ids)
    network = SymptomNetwork(vocabulary, [condition(f"c{n}", usual=(id_,)) for n, id_ in enumerate(ids)], PLAIN)
    assert len(asked(network)) == MOST_QUESTIONS
    men = SymptomNetwork(vocabulary, [condition("c", sex=(0, 1), usual=("f0",))], PLAIN)
    assert Interview(men).next_questions(men.posterior(case("f0", sex="female")), frozenset()) == ()


def test_nobody_is_asked_for_what_the_other_sex_alone_can_have() -> None:
    made = [
        f.model_copy(update={"sex": "female"} if f.id == "f0" else {})
        for f in made_vocabulary("f0", "f1").findings.values()
    ]
    network = SymptomNetwork(
        FindingVocabulary(made), [condition("c", usual=("f0",)), condition("d", usual=("f1",))], PLAIN
    )
    posterior = network.posterior(case())
    answer = {sex: {q.finding for q in Interview(network).next_questions(posterior, frozenset(), sex)} for sex in SEXES}
    assert answer == {None: {"f0", "f1"}, "female": {"f0", "f1"}, "male": {"f1"}}


def test_of_two_kinds_of_one_finding_only_one_is_asked_for() -> None:
    kinds = {"dry_cough": "cough", "wet_cough": "cough"}
    vocabulary = made_vocabulary("cough", "dry_cough", "wet_cough", "fever", parents=kinds)
    made = [
        condition("croup", always=("dry_cough",)),
        condition("bronchitis", usual=("wet_cough",)),
        condition("flu", often=("fever",)),
    ]
    found = asked(SymptomNetwork(vocabulary, made, PLAIN), known=frozenset({"cough"}))
    assert [q.finding for q in found] == ["dry_cough", "fever"]
