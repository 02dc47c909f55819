"""The checker as it is shipped: what is made of words, answers and help, whatever was fitted."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from made_knowledge import PLAIN, condition, made_knowledge, made_vocabulary

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle
from ml_model.symptoms.checker import Decisions, SymptomAssessment, SymptomChecker, Words
from ml_model.symptoms.engine import CHECKER_FILE, SymptomEngine, read_choices, shipped_knowledge
from ml_model.symptoms.questions import MOST_QUESTIONS
from ml_model.tasks.triage_scale import LEVELS

HEAVY = "crushing chest pain spreading to my left arm, sweating"
COMMON_VIRAL = {"viral-illness", "influenza", "covid-19", "common-cold", "viral-pharyngitis", "acute-bronchitis"}
VAGUE = [
    ("fatigue", "headache", "dizziness"),
    ("fever", "headache", "fatigue"),
    ("nausea", "fatigue", "loss_of_appetite"),
    ("back_pain", "fatigue", "insomnia"),
    ("itching_of_skin", "fatigue", "weight_gain"),
]


def told(checker: SymptomChecker, description: str = "", **given: Any) -> SymptomAssessment:
    return checker.assess(Words(description, **given))


@pytest.mark.parametrize(
    "words",
    [
        Words(f"{HEAVY}. I want to die."),
        Words(HEAVY, symptoms=("cough", "i want to kill myself")),
        Words(HEAVY, answers={"suicidal_thoughts": "yes"}),
        Words("", symptoms=("suicidal_thoughts",)),
    ],
    ids=["description", "symptom", "answer", "id"],
)
def test_thoughts_of_dying_come_first_and_nothing_is_ranked(shipped_checker: SymptomChecker, words: Words) -> None:
    made = shipped_checker.assess(words)
    assert made.self_harm
    assert made.recognised
    assert (made.ranking, made.in_question, made.questions, made.flags) == ((), (), (), ())
    assert (made.triage.level, made.triage.reasons[0].code) == ("emergency", "self_harm")
    answer = shipped_checker.knowledge.self_harm.answer
    assert made.triage.reasons[0].text == answer.message
    assert answer.actions[0] in made.triage.text


def test_whoever_denies_it_is_answered_as_anybody_else(shipped_checker: SymptomChecker) -> None:
    made = told(shipped_checker, "I have a cough", answers={"suicidal_thoughts": "no"})
    assert not made.self_harm
    assert made.ranking


def test_answers_count_before_words(shipped_checker: SymptomChecker) -> None:
    words = "I have a dry cough and a fever, no rash"
    said = told(shipped_checker, words).case
    assert {"dry_cough", "fever"} <= said.present
    assert "skin_rash" in said.absent
    answered = told(shipped_checker, words, answers={"fever": "no", "skin_rash": "yes"}).case
    assert "fever" in answered.absent - answered.present
    assert "skin_rash" in answered.present - answered.absent
    unsure = told(shipped_checker, words, answers={"fever": "unsure"}).case
    assert "fever" not in unsure.present | unsure.absent


def test_an_answer_settles_what_it_implies(shipped_checker: SymptomChecker) -> None:
    no_cough = told(shipped_checker, "I have a dry cough and a fever", answers={"cough": "no"}).case
    assert not {"cough", "dry_cough"} & no_cough.present
    dry = told(shipped_checker, "fever but no cough", answers={"dry_cough": "yes"}).case
    assert "dry_cough" in dry.present
    assert "cough" not in dry.absent


def test_ids_of_earlier_versions_are_answered_and_unknown_ones_are_an_error(shipped_checker: SymptomChecker) -> None:
    alias, meant = next(iter(shipped_checker.knowledge.vocabulary.aliases.items()))
    assert meant in told(shipped_checker, answers={alias: "yes"}).case.present
    with pytest.raises(KeyError, match="no_such"):
        told(shipped_checker, answers={"no_such": "yes"})


def test_age_and_sex_as_given_count_before_those_in_the_text(shipped_checker: SymptomChecker) -> None:
    text = "I am a 30 year old woman with a cough"
    assert (told(shipped_checker, text).case.age_years, told(shipped_checker, text).case.sex) == (30, "female")
    given = told(shipped_checker, text, age_years=71.0, sex="male").case
    assert (given.age_years, given.sex) == (71, "male")


@pytest.mark.parametrize("symptoms", VAGUE, ids=" ".join)
@pytest.mark.parametrize("age_years", [None, 8.0, 80.0])
def test_three_vague_symptoms_never_make_a_diagnosis(
    shipped_checker: SymptomChecker, symptoms: tuple[str, ...], age_years: float | None
) -> None:
    made = told(shipped_checker, symptoms=symptoms, age_years=age_years)
    assert made.case.present == set(symptoms)
    assert made.ranking[0].probability < 0.9
    assert len(made.in_question) > 1


def test_fever_headache_and_tiredness_are_a_common_viral_illness_and_age_counts(
    shipped_checker: SymptomChecker,
) -> None:
    by_age = {age: told(shipped_checker, symptoms=VAGUE[1], age_years=age) for age in (None, 8.0, 80.0)}
    for made in by_age.values():
        assert made.ranking[0].condition.id in COMMON_VIRAL
        assert all(one.probability <= 0.5 for one in made.ranking)
    child, old = ([one.condition.id for one in by_age[age].ranking] for age in (8.0, 80.0))
    assert child != old


def test_the_ranking_is_the_posterior_and_says_what_speaks_for_it(shipped_checker: SymptomChecker) -> None:
    made = told(shipped_checker, "burning when I pee, going all the time, no fever", sex="female", age_years=30.0)
    posterior = shipped_checker.network.posterior(made.case)
    p = posterior.probabilities
    assert [one.probability for one in made.ranking] == sorted(p.tolist(), reverse=True)[:5]
    assert made.something_else == posterior.something_else
    assert all({*one.speaks_for, *one.speaks_against} <= set(posterior.findings) for one in made.ranking)
    assert all(not set(one.speaks_for) & set(one.speaks_against) for one in made.ranking)
    assert made.ranking[0].speaks_for
    known = made.case.present | made.case.absent
    assert len(made.questions) == MOST_QUESTIONS
    assert not {q.finding for q in made.questions} & known


def test_a_set_reaches_its_mass_and_no_more_than_it_must(shipped_checker: SymptomChecker) -> None:
    made = told(shipped_checker, "burning when I pee and cloudy urine", sex="female")
    posterior = shipped_checker.network.posterior(made.case)
    row = {c.id: n for n, c in enumerate(shipped_checker.network.conditions)}
    shares = [float(posterior.probabilities[row[id_]]) for id_ in made.in_question]
    needed = shipped_checker.decisions.set_mass * (1 - posterior.something_else)
    assert sum(shares) >= needed - 1e-9 > sum(shares[:-1])
    assert shares == sorted(shares, reverse=True)


def test_what_is_only_denied_ranks_nothing_but_is_understood(shipped_checker: SymptomChecker) -> None:
    made = told(shipped_checker, "no fever")
    assert (made.ranking, made.in_question, made.something_else) == ((), (), 1.0)
    assert made.recognised
    assert "tell what troubles you" in made.abstain_reasons[0]
    assert not told(shipped_checker, "qwxyz").recognised


def test_red_flags_are_the_floor_of_urgency(shipped_checker: SymptomChecker) -> None:
    made = told(shipped_checker, HEAVY)
    assert made.flags
    assert made.triage.level == "emergency"
    levels = [LEVELS.index(flag.level) for flag in made.flags]
    assert levels == sorted(levels, reverse=True)


def test_symptoms_are_ids_names_or_words(shipped_checker: SymptomChecker) -> None:
    made = told(shipped_checker, symptoms=("loss_of_smell", "Loss of smell", "cant smell anything", "qwxyz"))
    read = {given: [m.finding for m in found] for given, found in made.matched}
    assert read["loss_of_smell"] == read["Loss of smell"] == ["loss_of_smell"]
    assert "loss_of_smell" in read["cant smell anything"]
    assert read["qwxyz"] == []
    assert shipped_checker.suggestions("hedache")
    assert shipped_checker.suggestions("qwxyz" * 20) == ()


MADE = made_vocabulary("fever", "rash")
PAIR = [condition("flu", usual=("fever",)), condition("measles", usual=("rash",))]


def test_nothing_is_named_where_none_stands_out() -> None:
    knowledge = made_knowledge(MADE, PAIR)
    plain = SymptomChecker(knowledge, PLAIN, Decisions(set_mass=0.9, abstain_below=0.5))
    assert plain.assess(Words(symptoms=("fever",))).abstain_reasons == ()
    both = plain.assess(Words(symptoms=("fever", "rash")))
    assert both.abstain_reasons == ("What was told fits 2 conditions; none of them stands out.",)
    other = SymptomChecker(knowledge, replace(PLAIN, other=9), Decisions())
    assert "Something that is not among the known" in other.assess(Words(symptoms=("fever",))).abstain_reasons[-1]


def test_choices_are_stored_and_read_again_and_belong_to_their_knowledge(
    disease_bundle: Bundle, shipped_checker: SymptomChecker
) -> None:
    stored = json.loads(disease_bundle.file(CHECKER_FILE).read_text(encoding="utf-8"))
    fit, decisions = read_choices(stored)
    assert (asdict(fit), asdict(decisions)) == (stored["fit"], stored["decisions"])
    assert stored["knowledge_sha256"] == shipped_knowledge().sha256
    assert (shipped_checker.network.fit, shipped_checker.decisions) == (fit, decisions)


def test_a_checker_of_other_knowledge_is_not_served(disease_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_model.symptoms.engine.knowledge_sha256", lambda folder: "f" * 64)
    with pytest.raises(BundleInvalid, match="fit it again"):
        SymptomEngine.load(disease_bundle)
