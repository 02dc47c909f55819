"""One case told in words: what was understood, what it may be, how soon it must be seen, what to ask next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from rapidfuzz import fuzz, process

from ml_model.inputs.tabular import DiseaseQuestion
from ml_model.symptoms.conditions import Condition
from ml_model.symptoms.inference import CaseFindings, Fit, Posterior, Sex, SymptomNetwork
from ml_model.symptoms.knowledge import SymptomKnowledge
from ml_model.symptoms.questions import Interview, Question
from ml_model.symptoms.red_flags import RedFlagRule, red_flags
from ml_model.symptoms.self_harm.words import words_of as plain_words
from ml_model.symptoms.sentences import few_sentences
from ml_model.symptoms.understanding import PASSING, Mention, TextReader, Understanding
from ml_model.symptoms.urgency import ConditionLevels, SymptomTriage, SymptomTriageReason, Urgencies, symptom_triage
from ml_model.symptoms.vocabulary import FindingVocabulary

Given = Literal["yes", "no", "unsure"]
MAX_SUGGESTIONS, SUGGESTION_CUTOFF = 3, 78.0
SELF_HARM_FINDINGS = frozenset({"suicidal_thoughts", "self_harm"})
_NOTHING_PRESENT = "Nothing that is there was told, only what is not; tell what troubles you."


@dataclass(frozen=True)
class Decisions:
    """What was chosen on vignettes beside the network's `Fit`. set_mass: probability that a prediction set reaches.
    abstain_below: of the first condition, beneath which none is named."""

    set_mass: float = 0.9
    abstain_below: float = 0.12
    urgencies: Urgencies = Urgencies()


@dataclass(frozen=True)
class Words:
    """What is asked: texts as sent, phrases of symptoms each as sent, answers to earlier questions by finding."""

    description: str = ""
    symptoms: tuple[str, ...] = ()
    answers: Mapping[str, Given] | None = None
    age_years: float | None = None
    sex: Sex | None = None


def words_of(question: DiseaseQuestion) -> Words:
    """What a request asks."""
    return Words(question.description, tuple(question.symptoms), question.answers, question.age, question.sex)


@dataclass(frozen=True)
class RankedCondition:
    """speaks_for, speaks_against: finding ids, the strongest first; absent ones are among those of the case."""

    condition: Condition
    probability: float
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]


@dataclass(frozen=True)
class SymptomAssessment:
    """What is made of a case. understood: of the description. matched: of each symptom as sent, what it was read as,
    perhaps nothing. ranking: most probable first, empty where nothing is ranked. in_question: ids of the prediction
    set. flags: red flags that apply. self_harm: thoughts of suicide or self-harm were told; then nothing is ranked."""

    case: CaseFindings
    understood: Understanding
    matched: tuple[tuple[str, tuple[Mention, ...]], ...]
    ranking: tuple[RankedCondition, ...]
    something_else: float
    in_question: tuple[str, ...]
    abstain_reasons: tuple[str, ...]
    flags: tuple[RedFlagRule, ...]
    triage: SymptomTriage
    questions: tuple[Question, ...]
    self_harm: bool = False

    @property
    def recognised(self) -> bool:
        """Whether anything of what was sent was understood."""
        return self.self_harm or bool(self.case.present or self.case.absent or self.flags)


@dataclass(frozen=True)
class CaseDecision:
    """Of what was understood: see `SymptomAssessment`."""

    posterior: Posterior
    in_question: tuple[str, ...]
    abstain_reasons: tuple[str, ...]
    flags: tuple[RedFlagRule, ...]
    triage: SymptomTriage


class SymptomChecker:
    """Immutable; safe to share between threads."""

    def __init__(self, knowledge: SymptomKnowledge, fit: Fit, decisions: Decisions) -> None:
        self.knowledge, self.decisions = knowledge, decisions
        self.network = SymptomNetwork(knowledge.vocabulary, knowledge.conditions, fit)
        self._levels = ConditionLevels(knowledge.conditions)
        self.reader = TextReader(knowledge.vocabulary)
        self.interview = Interview(self.network)
        self.names = {c.id: c.name for c in knowledge.conditions}
        self._ids = np.array(list(self.names), object)
        self._phrases = {
            phrase: finding.name for finding in knowledge.vocabulary.findings.values() for phrase in finding.phrases
        }

    def assess(self, words: Words, top_k: int = 5) -> SymptomAssessment:
        """Raises KeyError for an answer to an unknown finding."""
        understood = self._without_thoughts_past(self.reader.read(words.description), words.description)
        matched = tuple((phrase, self._read_symptom(phrase)) for phrase in words.symptoms)
        said = [plain_words(text) for text in (words.description, *words.symptoms)]
        case = replace(
            case_findings(words, understood, [m for _, found in matched for m in found], self.knowledge),
            sounds_grave=any(few_sentences(text) and self.knowledge.danger.found(text) for text in said),
        )
        self_harm = self.knowledge.self_harm
        told = [self_harm.mended(text) for text in said]
        if case.present & SELF_HARM_FINDINGS or any(map(self_harm.found_in, told)):
            return self._help(case, understood, matched)
        decided = self.decide(case)
        # By sentences as a whole it is less certain: the help for another emergency comes before.
        if not any(flag.level == "emergency" for flag in decided.flags) and any(map(self_harm.heard_in, told)):
            return self._help(case, understood, matched)
        posterior, ranked = decided.posterior, bool(case.present)
        settled = _settled(case, self.knowledge.vocabulary, words.answers or {})
        return SymptomAssessment(
            case,
            understood,
            matched,
            self._ranking(posterior, top_k) if ranked else (),
            posterior.something_else if ranked else 1.0,
            decided.in_question,
            decided.abstain_reasons,
            decided.flags,
            decided.triage,
            self.interview.next_questions(posterior, settled, case.sex) if ranked else (),
        )

    def decide(self, case: CaseFindings) -> CaseDecision:
        """What is made of what was understood."""
        vocabulary, network = self.knowledge.vocabulary, self.network
        flags = red_flags(self.knowledge.red_flags, case, vocabulary)
        posterior, ranked = network.posterior(case), bool(case.present)
        in_question = self._in_question(posterior) if ranked else ()
        below = self.decisions.abstain_below
        reasons = abstain_reasons(posterior, below, len(in_question)) if ranked else (_NOTHING_PRESENT,)
        levels = self._levels(vocabulary.with_implied(case.present))
        triage = symptom_triage(
            flags, network.conditions, posterior.probabilities, levels, self.decisions.urgencies,
            ranked=ranked, abstain_reasons=reasons, sounds_grave=case.sounds_grave,
        )  # fmt: skip
        return CaseDecision(posterior, in_question, reasons, flags, triage)

    def suggestions(self, phrase: str) -> tuple[str, ...]:
        """Names of findings whose words are like those of a phrase, nearest first, perhaps none."""
        found = process.extract(
            phrase.lower(), self._phrases.keys(), scorer=fuzz.WRatio, score_cutoff=SUGGESTION_CUTOFF, limit=8
        )
        return tuple(dict.fromkeys(self._phrases[near] for near, _, _ in found))[:MAX_SUGGESTIONS]

    def _read_symptom(self, phrase: str) -> tuple[Mention, ...]:
        """A symptom as it was sent: an id, or words."""
        finding = self.knowledge.vocabulary.resolve("_".join(phrase.lower().split()))
        if finding is not None:
            return (Mention(phrase, 0, len(phrase), finding, present=True, history=False, score=100.0),)
        return self.reader.read(phrase).mentions

    def _without_thoughts_past(self, understood: Understanding, text: str) -> Understanding:
        """What was understood, thoughts of self-harm that are told as long past, or only asked about, as history."""
        if SELF_HARM_FINDINGS.isdisjoint(m.finding for m in understood.mentions):
            return understood
        past = self.knowledge.self_harm.not_now(text)
        mentions = tuple(
            replace(m, history=True)
            if m.finding in SELF_HARM_FINDINGS and any(a <= m.start and m.end <= b for a, b in past)
            else m
            for m in understood.mentions
        )
        return replace(understood, mentions=mentions)

    def _help(
        self, case: CaseFindings, understood: Understanding, matched: tuple[tuple[str, tuple[Mention, ...]], ...]
    ) -> SymptomAssessment:
        """Nothing is ranked and nothing asked: what helps now is somebody to talk to."""
        answer = self.knowledge.self_harm.answer
        reason = SymptomTriageReason("self_harm", "emergency", answer.message)
        triage = SymptomTriage("emergency", (reason,), " ".join(answer.actions[:2]))
        return SymptomAssessment(case, understood, matched, (), 1.0, (), (), (), triage, (), self_harm=True)

    def _in_question(self, posterior: Posterior) -> tuple[str, ...]:
        """Ids of the most probable conditions that together, with something else, reach the mass of a set."""
        needed = self.decisions.set_mass * (1 - posterior.something_else)
        count = int((np.cumsum(posterior.probabilities[posterior.order]) < needed).sum()) + 1
        return tuple(self._ids[posterior.order[:count]])

    def _ranking(self, posterior: Posterior, top_k: int) -> tuple[RankedCondition, ...]:
        """The most probable conditions with what speaks for and against each."""
        ranked = []
        for row in posterior.order[:top_k]:
            evidence = posterior.evidence[:, row]
            by_weight = np.argsort(-evidence, kind="stable")
            ranked.append(
                RankedCondition(
                    self.network.conditions[int(row)],
                    float(posterior.probabilities[row]),
                    tuple(posterior.findings[int(n)] for n in by_weight if evidence[n] > 0.3),
                    tuple(posterior.findings[int(n)] for n in by_weight[::-1] if evidence[n] < -0.3),
                )
            )
        return tuple(ranked)


def abstain_reasons(posterior: Posterior, abstain_below: float, in_question: int) -> tuple[str, ...]:
    """Why no condition is named; none where one stands out. in_question: conditions of the prediction set."""
    best, reasons = float(posterior.probabilities.max()), []
    if best < abstain_below:
        reasons.append(f"What was told fits {in_question} conditions; none of them stands out.")
    if posterior.something_else > best:
        reasons.append("Something that is not among the known conditions fits better than any of them.")
    return tuple(reasons)


def case_findings(
    words: Words, understood: Understanding, further: Sequence[Mention], knowledge: SymptomKnowledge
) -> CaseFindings:
    """Everything that was said, put together: answers count before words, what is present before what is absent."""
    mentions = [m for m in (*understood.mentions, *further) if not m.history or _is_background(m, knowledge)]
    present = {m.finding for m in mentions if m.present}
    absent = {m.finding for m in mentions if not m.present}
    for id_, answer in (words.answers or {}).items():
        finding = knowledge.vocabulary.resolve(id_)
        if finding is None:
            raise KeyError(id_)
        present.discard(finding)
        absent.discard(finding)
        if answer == "yes":
            absent -= knowledge.vocabulary.ancestors(finding)
            present.add(finding)
        elif answer == "no":
            present -= knowledge.vocabulary.descendants(finding)
            absent.add(finding)
    return CaseFindings(
        frozenset(present),
        frozenset(absent - present),
        words.age_years if words.age_years is not None else understood.age_years,
        words.sex or understood.sex,
        understood.duration_days,
        understood.onset_sudden,
        understood.recurrent,
    )


def _is_background(mention: Mention, knowledge: SymptomKnowledge) -> bool:
    lasting = knowledge.vocabulary.findings[mention.finding].kind in ("history", "medicine", "exposure", "state")
    return lasting and not mention.finding.startswith(PASSING)


def _settled(case: CaseFindings, vocabulary: FindingVocabulary, answers: Mapping[str, Given]) -> frozenset[str]:
    """What need not be asked: what is present with all it implies, what is absent with all that implies it, and what
    was asked before and could not be told."""
    return frozenset(
        {vocabulary.resolve(id_) or id_ for id_ in answers}
        | vocabulary.with_implied(case.present)
        | vocabulary.with_implying(case.absent)
    )
