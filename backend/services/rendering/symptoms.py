"""What the symptom checker, or the ranking of the table, says: fields of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.schemas.findings import IntervalAnswer, PredictionSetAnswer
from backend.schemas.symptoms import (
    DiseasePrediction,
    MatchedSymptomAnswer,
    QuestionAnswer,
    RankedDiseaseAnswer,
    RedFlagAnswer,
    SymptomAnswer,
    ToldAnswer,
    UnderstoodAnswer,
    UnrecognizedSymptom,
)
from backend.services.rendering import messages
from backend.services.rendering.responses import percent
from backend.services.rendering.triage import triage_answer
from ml_model.diagnosis.conformal import SET_COVERAGE
from ml_model.inference.bundle import Manifest
from ml_model.inference.measured_tabular import SymptomMetrics
from ml_model.inputs.tabular import DiseaseQuestion
from ml_model.symptoms.checker import RankedCondition, SymptomAssessment, SymptomChecker
from ml_model.symptoms.vocabulary import ClinicalFinding, FindingVocabulary
from ml_model.tabular.symptom_matcher import SymptomMatches
from ml_model.tabular.symptom_model import RankedDisease
from ml_model.tasks.registry import SymptomTask

MOST_SUGGESTED_FOR = 20  # symptoms that were not recognised: looking for what is near costs ten milliseconds each
TABLE_WARNS = "Ranked by a table of synthetic cases, which says nothing of how common a disease is."


def known_symptoms(vocabulary: FindingVocabulary, names: Mapping[str, str]) -> tuple[SymptomAnswer, ...]:
    """Sorted by name; ids of earlier versions stand for the finding that is meant by them. names: of earlier versions,
    which stay, by id."""
    known = [
        SymptomAnswer(id=f.id, name=names.get(f.id, f.name), synonyms=tuple(sorted(f.phrases)))
        for f in vocabulary.findings.values()
    ]
    for alias, meant in vocabulary.aliases.items():
        words = tuple(sorted(vocabulary.findings[meant].phrases))
        known.append(SymptomAnswer(id=alias, name=alias.replace("_", " "), synonyms=words))
    return tuple(sorted(known, key=lambda s: (s.name, s.id)))


def checker_fields(
    task: SymptomTask,
    checker: SymptomChecker,
    question: DiseaseQuestion,
    made: SymptomAssessment,
    names: Mapping[str, str],
    manifest: Manifest | None,
) -> dict[str, Any]:
    """Of an answer ranked by knowledge. names: of earlier versions, which stay, by id. manifest: of its bundle."""
    findings = checker.knowledge.vocabulary.findings
    ranked = tuple(_ranked(one, findings, names) for one in made.ranking)
    return {
        "prediction": _first(ranked),
        "top_predictions": ranked,
        "ranking": "knowledge",
        "symptoms_analyzed": tuple(names.get(f, findings[f].name) for f in sorted(made.case.present)),
        "symptoms_matched": tuple(
            MatchedSymptomAnswer(given=given, name=names.get(m.finding, findings[m.finding].name), score=m.score)
            for given, found in made.matched
            for m in found
            if m.present
        ),
        "symptoms_unrecognized": tuple(
            UnrecognizedSymptom(given=given, suggestions=checker.suggestions(given) if n < MOST_SUGGESTED_FOR else ())
            for n, given in enumerate(given for given, found in made.matched if not found)
        ),
        "recommendations": _recommendations(task, checker, made),
        "prediction_set": conditions_in_question(tuple(checker.names[id_] for id_ in made.in_question), manifest),
        "something_else": made.something_else,
        "abstain": bool(made.abstain_reasons),
        "abstain_reasons": made.abstain_reasons,
        "next_questions": tuple(QuestionAnswer(finding=q.finding, question=q.text) for q in made.questions),
        **told_fields(question.description, checker.knowledge.vocabulary, names, made),
    }


def conditions_in_question(names: tuple[str, ...], manifest: Manifest | None) -> PredictionSetAnswer:
    """The prediction set, with how often such sets held the right condition on vignettes."""
    metrics = manifest.metrics if manifest else None
    measured = metrics.checker if isinstance(metrics, SymptomMetrics) else None
    coverage = {"vignettes": IntervalAnswer(**dict(measured.set_coverage))} if names and measured else {}
    note = messages.VIGNETTE_SET_NOTE if names else messages.NO_SET_NOTE
    return PredictionSetAnswer(coverage=SET_COVERAGE, measured=coverage, classes=names, note=note)


def told_fields(
    description: str, vocabulary: FindingVocabulary, names: Mapping[str, str], made: SymptomAssessment
) -> dict[str, Any]:
    """How soon it must be seen and what was understood, whoever ranks. names: as of `checker_fields`."""
    triage, understood = made.triage, made.understood
    return {
        "triage": triage_answer(triage),
        "severity": triage.severity,
        "red_flags": tuple(RedFlagAnswer(id=f.id, level=f.level, message=f.message) for f in made.flags),
        "understood": tuple(
            UnderstoodAnswer(
                text=m.text, start=m.start, end=m.end, finding=m.finding,
                name=names.get(m.finding, vocabulary.findings[m.finding].name), present=m.present,
                history=m.history or vocabulary.findings[m.finding].kind == "history",
            )
            for m in understood.mentions
        ),
        "not_understood": tuple(
            ToldAnswer(text=description[start:end], start=start, end=end) for start, end in understood.not_understood
        ),
        "age_years": made.case.age_years,
        "sex": made.case.sex,
    }  # fmt: skip


def table_fields(
    task: SymptomTask, matches: SymptomMatches, ranking: Sequence[RankedDisease], made: SymptomAssessment,
    told: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Of an answer ranked by the table or by a user's model; no better than its table, it always abstains. told: from
    `told_fields`."""
    ranked = tuple(RankedDiseaseAnswer(**vars(disease)) for disease in ranking)
    names = set(matches.names)
    urgent = [flag.message for flag in task.red_flags if names & set(flag.symptoms)]
    short = [task.few_symptoms_note] if len(names) < task.few_symptoms else []
    said = [made.triage.text, *(flag.message for flag in made.flags), *urgent, *short, *task.recommendations]
    return {
        "prediction": _first(ranked),
        "top_predictions": ranked,
        "ranking": "table",
        "symptoms_analyzed": matches.names,
        "symptoms_matched": tuple(MatchedSymptomAnswer(**vars(matched)) for matched in matches.matched),
        "symptoms_unrecognized": tuple(UnrecognizedSymptom(**vars(unknown)) for unknown in matches.unrecognised),
        "recommendations": tuple(dict.fromkeys(said)),
        "prediction_set": conditions_in_question((), None),
        "something_else": None,
        "abstain": True,
        "abstain_reasons": (TABLE_WARNS,),
        "next_questions": (),
        **told,
    }


def _first(ranked: Sequence[RankedDiseaseAnswer]) -> DiseasePrediction | None:
    if not ranked:
        return None
    best = ranked[0]
    return DiseasePrediction(
        disease=best.disease, confidence=best.probability, confidence_percent=percent(best.probability)
    )


def _ranked(
    one: RankedCondition, findings: Mapping[str, ClinicalFinding], names: Mapping[str, str]
) -> RankedDiseaseAnswer:
    return RankedDiseaseAnswer(
        disease=one.condition.name,
        probability=one.probability,
        description=one.condition.description,
        precautions=one.condition.care,
        lay_name=one.condition.lay,
        icd10=one.condition.icd10,
        speaks_for=tuple(names.get(f, findings[f].name) for f in one.speaks_for),
        speaks_against=tuple(names.get(f, findings[f].name) for f in one.speaks_against),
    )


def _recommendations(task: SymptomTask, checker: SymptomChecker, made: SymptomAssessment) -> tuple[str, ...]:
    if made.self_harm:
        return checker.knowledge.self_harm.answer.actions
    short = [task.few_symptoms_note] if len(made.case.present) < task.few_symptoms else []
    return tuple(dict.fromkeys([made.triage.text, *(f.message for f in made.flags), *short, *task.recommendations]))
