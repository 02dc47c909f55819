"""Answers that are computed from symptoms or from measured risk factors."""

from __future__ import annotations

from typing import TypeVar

from backend.schemas.common import ProvenanceAnswer
from backend.schemas.tabular import (
    DiseaseAnswer,
    DiseasePrediction,
    MatchedSymptomAnswer,
    MissingFactorAnswer,
    ProbabilityInterval,
    RankedDiseaseAnswer,
    RiskAnswer,
    RiskFactorAnswer,
    RiskPrediction,
    SymptomAnswer,
    SymptomsAnswer,
    UnrecognizedSymptom,
)
from backend.services.loading.bundles import LoadedModel
from backend.services.loading.models import ModelStore
from backend.services.loading.user_symptoms import UserSymptomModel
from backend.services.rendering import demo_answers, messages
from backend.services.rendering.responses import model_answer, percent, require_model
from backend.services.rendering.triage import triage_answer
from backend.telemetry import RequestContext
from ml_model.errors import ModelUnavailable, NothingRecognised
from ml_model.inference.provenance import body_preprocessing_sha256
from ml_model.inputs.file_type import input_sha256
from ml_model.inputs.json_body import json_object
from ml_model.inputs.tabular import DiseaseQuestion, risk_values
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tabular.symptom_model import SymptomModel, recommendations
from ml_model.tasks.registry import RiskTask, SymptomTask

T = TypeVar("T", SymptomTask, RiskTask)
TOP_DISEASES = 5


class TabularDiagnosis:
    """Answers for the symptom task and the risk task of the registry."""

    def __init__(self, models: ModelStore, demo_mode: bool) -> None:
        self._models = models
        self._demo_mode = demo_mode

    def task(self, kind: type[T]) -> T:
        """The registry's task of that kind. Raises ModelUnavailable when there is none."""
        for task in self._models.tasks.values():
            if isinstance(task, kind):
                return task
        raise ModelUnavailable("this service has no task of that kind; add its task file and start it again")

    def symptoms(self) -> SymptomsAnswer:
        """The vocabulary, sorted; without a model that of the task file."""
        task = self.task(SymptomTask)
        loaded = self._models.get(task.id)
        require_model(loaded, task.id, self._demo_mode)
        if loaded is None:
            known = demo_answers.symptoms(task)
        else:
            engine = _symptom_engine(loaded)
            known = tuple(SymptomAnswer(id=s.id, name=s.name, synonyms=tuple(s.synonyms)) for s in engine.symptoms)
        return SymptomsAnswer(symptoms=known, count=len(known))

    def predict_disease(self, question: DiseaseQuestion, sent: bytes, context: RequestContext) -> DiseaseAnswer:
        """Diseases that fit; `sent` is the body that the question was read from.

        Raises NothingRecognised when no symptom is understood.
        """
        task = self.task(SymptomTask)
        loaded = self._models.get(task.id)
        require_model(loaded, task.id, self._demo_mode)
        if loaded is None:
            return demo_answers.disease_answer(task, question, _provenance(task, sent, None), context)
        engine = _symptom_engine(loaded)
        matches = engine.match(question.symptoms)
        if not matches.matched:
            hints = sorted({s for u in matches.unrecognised for s in u.suggestions})[:5]
            nearest = f"; nearest known: {', '.join(hints)}" if hints else ""
            raise NothingRecognised(f"none of {len(question.symptoms)} symptoms is known{nearest}; see GET /symptoms")
        names = matches.names
        ranking = engine.rank(names, age_years=question.age, sex=question.sex, top_k=TOP_DISEASES)
        best = ranking[0]
        warning = self._models.unused_user_file(task.id)
        return DiseaseAnswer(
            **({"warning": warning} if warning else {}),
            success=True,
            prediction=DiseasePrediction(
                disease=best.disease, confidence=best.probability, confidence_percent=percent(best.probability)
            ),
            top_predictions=tuple(RankedDiseaseAnswer(**vars(disease)) for disease in ranking),
            symptoms_analyzed=names,
            symptoms_matched=tuple(MatchedSymptomAnswer(**vars(matched)) for matched in matches.matched),
            symptoms_unrecognized=tuple(UnrecognizedSymptom(**vars(unknown)) for unknown in matches.unrecognised),
            recommendations=recommendations(task, names),
            model=model_answer(task.id, loaded),
            provenance=_provenance(task, sent, loaded),
            demo_mode=False,
            request_id=context.request_id,
            processing_ms=context.elapsed_ms(),
            disclaimer=messages.DISCLAIMER,
        )

    def assess_risk(self, sent: bytes, context: RequestContext) -> RiskAnswer:
        """Risk from a JSON object of factors, as it was sent. Raises the errors of `json_object` and `risk_values`."""
        task = self.task(RiskTask)
        values = risk_values(task, json_object(sent))
        loaded = self._models.get(task.id)
        require_model(loaded, task.id, self._demo_mode)
        if loaded is None:
            return demo_answers.risk_answer(task, values, _provenance(task, sent, None), context)
        engine = loaded.engine
        assert isinstance(engine, HeartRiskModel)  # noqa: S101 - the task says which  # nosec B101
        found = engine.assess(values)
        unsure = found.uncertainty
        return RiskAnswer(
            success=True,
            prediction=RiskPrediction(
                condition=found.condition,
                risk_level=found.risk_level,
                probability=found.probability,
                interval=ProbabilityInterval(low=unsure.low, high=unsure.high),
                confidence_percent=percent(found.probability),
                abstain=found.withheld is not None,
                abstain_reasons=() if found.withheld is None else (found.withheld,),
            ),
            risk_factors={f.name: RiskFactorAnswer.model_validate(vars(f)) for f in found.factors},
            baseline_log_odds=found.baseline_log_odds,
            imputed_log_odds=found.imputed_log_odds,
            severity=found.triage.severity,
            recommendations=found.recommendations,
            triage=triage_answer(found.triage),
            missing=found.missing,
            information=unsure.information,
            missing_factors=tuple(MissingFactorAnswer(**vars(factor)) for factor in unsure.missing),
            model=model_answer(task.id, loaded),
            provenance=_provenance(task, sent, loaded),
            demo_mode=False,
            request_id=context.request_id,
            processing_ms=context.elapsed_ms(),
            disclaimer=messages.DISCLAIMER,
        )


def _provenance(task: SymptomTask | RiskTask, sent: bytes, loaded: LoadedModel | None) -> ProvenanceAnswer:
    engine = "scikit-learn" if loaded and isinstance(loaded.engine, UserSymptomModel) else "numpy"
    return ProvenanceAnswer(
        input_sha256=input_sha256([sent]),
        preprocessing_sha256=body_preprocessing_sha256(task, loaded.bundle.manifest.files if loaded else {}),
        engine=engine if loaded else None,
        request={},
    )


def _symptom_engine(loaded: LoadedModel) -> SymptomModel | UserSymptomModel:
    assert isinstance(loaded.engine, SymptomModel | UserSymptomModel)  # noqa: S101 - the task says which  # nosec B101
    return loaded.engine
