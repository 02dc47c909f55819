"""Answers that are computed from what somebody tells: symptoms, or a description in free text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.schemas.common import ProvenanceAnswer
from backend.schemas.symptoms import DiseaseAnswer, SymptomAnswer, SymptomsAnswer
from backend.services.loading.bundles import LoadedModel
from backend.services.loading.models import ModelStore
from backend.services.loading.user_symptoms import UserSymptomModel
from backend.services.rendering import demo_answers, messages
from backend.services.rendering.responses import body_provenance, model_answer, require_model
from backend.services.rendering.symptoms import checker_fields, known_symptoms, table_fields, told_fields
from backend.telemetry import RequestContext
from ml_model.errors import InvalidValue, NothingRecognised
from ml_model.inputs.tabular import DiseaseQuestion
from ml_model.symptoms.checker import SymptomAssessment, SymptomChecker, Words, words_of
from ml_model.symptoms.engine import SymptomEngine, rules_alone, shipped_knowledge
from ml_model.tabular.symptom_matcher import SymptomMatches
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import SymptomTask

TOP_DISEASES = 5


class SymptomDiagnosis:
    """Answers for the symptom task of the registry."""

    def __init__(self, models: ModelStore, demo_mode: bool) -> None:
        self._models = models
        self._demo_mode = demo_mode

    @property
    def task(self) -> SymptomTask:
        """That of the registry. Raises ModelUnavailable where there is none."""
        return self._models.task_of_kind(SymptomTask)

    def symptoms(self) -> SymptomsAnswer:
        """What is understood, sorted by name: the vocabulary, or what a user's model was trained on."""
        loaded = self._models.get(self.task.id)
        require_model(loaded, self.task.id, self._demo_mode)
        if loaded and isinstance(loaded.engine, UserSymptomModel):
            of_user = loaded.engine.symptoms
            known = tuple(SymptomAnswer(id=s.id, name=s.name, synonyms=tuple(s.synonyms)) for s in of_user)
        else:
            known = known_symptoms(shipped_knowledge().vocabulary, _earlier_names(loaded.engine if loaded else None))
        return SymptomsAnswer(symptoms=known, count=len(known))

    def predict_disease(self, question: DiseaseQuestion, sent: bytes, context: RequestContext) -> DiseaseAnswer:
        """Diseases that fit; `sent` is the body that the question was read from.

        Raises NothingRecognised where nothing is understood, InvalidValue for an answer to an unknown finding,
        ModelUnavailable where there is no model and no example may be shown.
        """
        task = self.task
        loaded = self._models.get(task.id)
        engine = loaded.engine if loaded else None
        checker = engine.checker if isinstance(engine, SymptomEngine) else None
        made = (checker or rules_alone()).assess(_asked(question), TOP_DISEASES)
        if not made.self_harm:  # which is answered with help, model or none
            require_model(loaded, task.id, self._demo_mode)
        if loaded is None and not made.self_harm:
            told = told_fields(question.description, shipped_knowledge().vocabulary, {}, made)
            return demo_answers.disease_answer(task, question, _provenance(task, sent, None), context, told)
        if made.self_harm or (checker and question.ranking == "knowledge"):
            fields = _checked(task, checker or rules_alone(), question, made, loaded)
        else:
            fields = _from_table(task, engine, question, made)
        if warning := self._models.unused_user_file(task.id):
            fields["warning"] = warning
        return DiseaseAnswer(
            success=True,
            **fields,
            model=model_answer(task.id, loaded),
            provenance=_provenance(task, sent, loaded),
            demo_mode=False,
            request_id=context.request_id,
            processing_ms=context.elapsed_ms(),
            disclaimer=messages.DISCLAIMER,
        )


def _asked(question: DiseaseQuestion) -> Words:
    vocabulary = shipped_knowledge().vocabulary
    if unknown := [finding for finding in question.answers if vocabulary.resolve(finding) is None]:
        raise InvalidValue(f"answers: {unknown[0]!r:.80} is no finding; ids are listed under GET /symptoms")
    return words_of(question)


def _earlier_names(engine: object) -> Mapping[str, str]:
    """By id: what the symptoms of the table are called, as clients know them."""
    return engine.earlier_names if isinstance(engine, SymptomEngine) else {}


def _checked(
    task: SymptomTask,
    checker: SymptomChecker,
    question: DiseaseQuestion,
    made: SymptomAssessment,
    loaded: LoadedModel | None,
) -> dict[str, Any]:
    if not made.recognised:
        hints = sorted({hint for given in question.symptoms[:5] for hint in checker.suggestions(given)})[:5]
        raise _nothing("what was sent", tuple(hints))
    names = _earlier_names(loaded.engine if loaded else None)
    return checker_fields(task, checker, question, made, names, loaded.bundle.manifest if loaded else None)


def _from_table(task: SymptomTask, engine: Any, question: DiseaseQuestion, made: SymptomAssessment) -> dict[str, Any]:
    """The ranking learnt from the table, or of a user's model, which read names of symptoms only."""
    ranker: SymptomModel | UserSymptomModel = engine.table if isinstance(engine, SymptomEngine) else engine
    if not question.symptoms:
        raise NothingRecognised("a table ranks `symptoms` alone; send some, or leave `ranking` out")
    matches: SymptomMatches = ranker.match(question.symptoms)
    if not matches.matched:
        hints = tuple(sorted({s for u in matches.unrecognised for s in u.suggestions})[:5])
        raise _nothing(f"{len(question.symptoms)} symptoms", hints)
    age, sex = question.age, question.sex
    ranking = ranker.rank(matches.names, age_years=age, sex=sex, top_k=TOP_DISEASES)
    told = told_fields(question.description, shipped_knowledge().vocabulary, _earlier_names(engine), made)
    return table_fields(task, matches, ranking, made, told)


def _nothing(what: str, hints: tuple[str, ...]) -> NothingRecognised:
    nearest = f"; nearest known: {', '.join(hints)}" if hints else ""
    return NothingRecognised(f"none of {what} is known as a symptom{nearest}; see GET /symptoms")


def _provenance(task: SymptomTask, sent: bytes, loaded: LoadedModel | None) -> ProvenanceAnswer:
    engine = "scikit-learn" if loaded and isinstance(loaded.engine, UserSymptomModel) else "numpy"
    return body_provenance(task, sent, loaded, engine)
