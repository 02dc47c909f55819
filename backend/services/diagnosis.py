"""From an uploaded picture to an answer: decode, check, predict, interpret, and put it into the answer's shape."""

from __future__ import annotations

import base64
import dataclasses

import numpy as np
from numpy.typing import NDArray

from backend.errors import InvalidValue
from backend.parsing import MAX_UPLOAD_BYTES, shown
from backend.schemas import (
    AnalyzeAnswer,
    AnalyzeQuery,
    ExplanationAnswer,
    InputCheckAnswer,
    LabelAnswer,
    ModelAnswer,
    PredictionAnswer,
    PredictionSetAnswer,
    RankedAnswer,
    RecommendationAnswer,
    StagingAnswer,
    UrgencyAnswer,
)
from backend.services import texts
from backend.services.context import RequestContext
from backend.services.heatmaps import Heatmap, HeatmapStore, overlay_png, peak_region
from backend.services.loading import LoadedModel, ModelStore
from ml_model.errors import ModelUnavailable
from ml_model.gate import check as check_input
from ml_model.inputs.image import ImageLimits, LoadedImage, load_image
from ml_model.interpret import Diagnosis, interpret
from ml_model.population import Judgement, KnownFacts, judge
from ml_model.runtime import Predictor
from ml_model.spec import ImageTask

LIMITS = ImageLimits(max_bytes=MAX_UPLOAD_BYTES)
SET_COVERAGE = 0.9


def percent(probability: float) -> str:
    """0.8899 -> "89.0%"."""
    return f"{100 * probability:.1f}%"


def model_answer(task_id: str, loaded: LoadedModel | None, judged: Judgement | None = None) -> ModelAnswer:
    """The `model` part of an answer; all null in demo mode."""
    manifest = loaded.bundle.manifest if loaded else None
    settled = judged or manifest
    point = settled.operating_point if settled else None
    return ModelAnswer.model_validate(
        {
            "task": task_id,
            "version": manifest.version if manifest else None,
            "sha256": loaded.bundle.sha256 if loaded else None,
            "trained_on": manifest.trained_on if manifest else None,
            "operating_point": point.model_dump() if point else None,
            "population": judged.population if judged else None,
            "population_told_by": judged.told_by if judged else None,
            "view": judged.view if judged else None,
            "evidence": settled.evidence if settled else "insufficient",
        }
    )


def _known(query: AnalyzeQuery, image: LoadedImage) -> KnownFacts:
    """What the request says of the picture; what it leaves open, a DICOM file's header may say."""
    age_in_file = image.dicom.patient_age_years if image.dicom else None
    view = query.view or (image.dicom.view_position if image.dicom else None)
    if query.age_years is None and age_in_file is not None:
        return KnownFacts(age_in_file, view, age_from="dicom")
    return KnownFacts(query.age_years, view)


def require_model(loaded: LoadedModel | None, task_id: str, demo_mode: bool) -> None:
    """Raises ModelUnavailable when there is no model and no example may stand in for it."""
    if loaded is None and not demo_mode:
        raise ModelUnavailable(
            f"no model is loaded for {task_id} and demo mode is off; train the task or set DEMO_MODE=on for an example"
        )


class ImageDiagnosis:
    """Answers for the tasks that take a picture."""

    def __init__(self, models: ModelStore, heatmaps: HeatmapStore, demo_mode: bool) -> None:
        self._models = models
        self._heatmaps = heatmaps
        self._demo_mode = demo_mode

    def analyze(self, task: ImageTask, data: bytes, query: AnalyzeQuery, context: RequestContext) -> AnalyzeAnswer:
        """One picture. Raises the errors of `load_image` and `gate.check`, InvalidValue and ModelUnavailable."""
        target = self._checked_target(task, query)
        loaded = self._models.get(task.id)
        require_model(loaded, task.id, self._demo_mode)
        image = load_image(data, task.input, LIMITS)
        check = check_input(image, task.input, task.dicom_modalities)
        judged: Judgement | None = None
        if loaded is None:
            probabilities = np.array(task.demo_probabilities, np.float32)
            maps = np.zeros((len(task.classes), 0, 0), np.float32)
        else:
            assert isinstance(loaded.engine, Predictor)  # noqa: S101 - ties the engine's type to the task's
            prediction = loaded.engine.predict(image.pixels[None])
            probabilities, maps = prediction.probabilities[0], prediction.activation_maps[0]
            judged = judge(task, loaded.bundle.manifest, prediction.population[0].tolist(), _known(query, image))
        diagnosis = interpret(task, probabilities, judged.operating_point if judged else None)
        explanation = self._explain(task, target or diagnosis.predicted.code, image, maps, query, context)
        input_check = InputCheckAnswer.model_validate(dataclasses.asdict(check))
        model = model_answer(task.id, loaded, judged)
        return _answer(task, diagnosis, explanation, input_check, model, query, context)

    def _checked_target(self, task: ImageTask, query: AnalyzeQuery) -> str | None:
        if query.target is not None and query.target not in task.codes:
            raise InvalidValue(f"target: received {shown(query.target)}; expected one of {', '.join(task.codes)}")
        expected = task.input.modality
        asked = (query.modality or expected).strip().lower().replace("-", "_")
        if asked != expected and asked not in expected.split("_"):
            raise InvalidValue(f"modality: received {shown(query.modality)}; {task.id} reads {expected}")
        return query.target

    def _explain(
        self,
        task: ImageTask,
        code: str,
        image: LoadedImage,
        maps: NDArray[np.float32],
        query: AnalyzeQuery,
        context: RequestContext,
    ) -> ExplanationAnswer:
        if query.explain == "none" or maps.size == 0:
            reason = "not asked for" if query.explain == "none" else "no model with activation maps answered"
            note = texts.NO_MAP_NOTE.format(reason=reason)
            return ExplanationAnswer(method="none", explained=code, heatmap_url=None, peak_region=None, note=note)
        # Copied: a view would keep the maps of all classes and the engine's buffer alive.
        class_map = maps[task.codes.index(code)].astype(np.float32, copy=True)
        heatmap = Heatmap(image.pixels, class_map, image.original_width_px, image.original_height_px)
        region = peak_region(heatmap)
        if query.explain == "inline":
            png = base64.b64encode(overlay_png(heatmap)).decode("ascii")
            return ExplanationAnswer(
                method=texts.MAP_METHOD,
                explained=code,
                heatmap_png_base64=png,
                peak_region=region,
                note=texts.MAP_NOTE,
            )
        self._heatmaps.put(context.answer_id, heatmap)
        url = f"/heatmaps/{context.answer_id}.png"
        return ExplanationAnswer(
            method=texts.MAP_METHOD, explained=code, heatmap_url=url, peak_region=region, note=texts.MAP_NOTE
        )


def _prediction(diagnosis: Diagnosis) -> PredictionAnswer:
    spec = diagnosis.predicted
    confidence = min(1.0, float(diagnosis.confidence))
    birads = {} if spec.birads is None else {"birads": spec.birads}
    return PredictionAnswer(
        class_id=diagnosis.class_id,
        code=spec.code,
        name=spec.name,
        type=spec.type,
        confidence=confidence,
        confidence_percent=percent(confidence),
        **birads,
    )


def prediction_set(task: ImageTask, diagnosis: Diagnosis) -> PredictionSetAnswer:
    """The classes still in question at 90 %, by the model's own probabilities."""
    if task.multi_label:
        open_findings = tuple(r.spec.code for r in diagnosis.ranking if r.probability > 1 - SET_COVERAGE)
        return PredictionSetAnswer(coverage=SET_COVERAGE, classes=open_findings, note=texts.UNCALIBRATED_LABELS_NOTE)
    total, classes = 0.0, []
    for ranked in diagnosis.ranking:
        classes.append(ranked.spec.code)
        total += float(ranked.probability)
        if total >= SET_COVERAGE:
            break
    return PredictionSetAnswer(coverage=SET_COVERAGE, classes=tuple(classes), note=texts.UNCALIBRATED_SET_NOTE)


def _answer(
    task: ImageTask,
    diagnosis: Diagnosis,
    explanation: ExplanationAnswer,
    input_check: InputCheckAnswer,
    model: ModelAnswer,
    query: AnalyzeQuery,
    context: RequestContext,
) -> AnalyzeAnswer:
    spec = diagnosis.predicted
    advice = diagnosis.recommendation
    recommendation = RecommendationAnswer(
        level=spec.severity, title=advice.title, message=advice.message, actions=advice.actions
    )
    ranked = tuple(
        RankedAnswer(code=r.spec.code, name=r.spec.name, confidence=min(1.0, float(r.probability)))
        for r in diagnosis.ranking[: query.top_k]
    )
    demo_mode = model.version is None
    demo = {"warning": texts.DEMO_WARNING} if demo_mode else {}
    return AnalyzeAnswer(
        **demo,
        success=True,
        prediction=_prediction(diagnosis),
        multi_label=task.multi_label,
        positives=diagnosis.positives,
        all_predictions=ranked,
        severity=spec.severity,
        staging=StagingAnswer(**spec.staging.model_dump()),
        urgency=UrgencyAnswer(**spec.urgency.model_dump()),
        treatment_options=spec.treatment_options,
        recommendations=recommendation.actions if task.recommendations_as_list else recommendation,
        recommendation=recommendation,
        explanation=explanation,
        prediction_set=prediction_set(task, diagnosis),
        input_check=input_check,
        model=model,
        demo_mode=demo_mode,
        request_id=context.request_id,
        processing_ms=context.elapsed_ms(),
        disclaimer=texts.DISCLAIMER,
    )


def label_answer(task: ImageTask, answer: AnalyzeAnswer) -> LabelAnswer:
    """The same answer in the labels of the task's first data set: the probabilities of each label's classes summed."""
    labels = task.datasets[0].labels
    by_code = {row.code: row.confidence for row in answer.all_predictions}
    totals = {label: min(1.0, sum(by_code[code] for code in codes)) for label, codes in labels.items()}
    named = next(label for label, codes in labels.items() if answer.prediction.code in codes)
    return LabelAnswer(
        **({"warning": answer.warning} if answer.warning else {}),
        success=True,
        risk_level=named.capitalize(),
        probability=totals[named],
        classification=named,
        diagnosis=f"{answer.prediction.name}. {answer.staging.description}",
        class_probabilities=totals,
        model=answer.model,
        demo_mode=answer.demo_mode,
        request_id=answer.request_id,
        processing_ms=answer.processing_ms,
        disclaimer=answer.disclaimer,
    )
