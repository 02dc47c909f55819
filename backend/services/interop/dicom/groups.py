"""The groups of a measurement report (TID 1501 and 1410): a finding, the classes, the place of the map's peak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes

from backend.schemas.findings import FindingAnswer
from backend.services.interop.dicom import terms
from backend.services.interop.dicom.study import Study
from backend.services.rendering.messages import SERVICE_NAME
from ml_model.tasks.coding import Concept
from ml_model.tasks.registry import ImageTask

Group = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations
_PERCENT = 100.0


def groups(study: Study) -> Iterator[Group]:
    """The classes first. An answer that abstains has no class and no probability of one, and rules nothing out."""
    answer, task = study.case.answer, study.case.task
    specs = task.by_code if isinstance(task, ImageTask) else {}
    rules = {one.code: one.concept for one in task.findings} if isinstance(task, ImageTask) else {}
    yield _classes(study, {code: spec.concept for code, spec in specs.items()})
    for one in answer.findings:
        yield _finding(study, one, terms.concept(one.code, one.name, rules.get(one.code)))
    if study.region is not None and answer.explanation is not None:
        yield _peak(study, study.region, answer.explanation.explained)


def _classes(study: Study, known: Mapping[str, Concept | None]) -> Group:
    answer, said = study.case.answer, study.case.answer.prediction
    shown = {one.code: terms.concept(one.code, one.name, known.get(one.code)) for one in answer.all_predictions}
    evaluations = [QualitativeEvaluation(terms.SETTLED, terms.YES if said and said.settled else terms.NO)]
    measured: list[Measurement] = []
    if not answer.abstained:
        by_name = {one.name: shown[one.code] for one in answer.all_predictions}
        if said and said.name in by_name:
            evaluations.append(QualitativeEvaluation(terms.NAMED_CLASS, by_name[said.name]))
        in_set = answer.prediction_set.classes if answer.prediction_set else ()
        evaluations += [QualitativeEvaluation(terms.IN_QUESTION, shown[code]) for code in in_set if code in shown]
        measured = [_probability(shown[one.code], one.confidence) for one in answer.all_predictions]
    return MeasurementsAndQualitativeEvaluations(
        finding_type=terms.CLASS_PROBABILITIES, measurements=measured or None, qualitative_evaluations=evaluations,
        **_shared(study, "classes"),
    )  # fmt: skip


def _finding(study: Study, one: FindingAnswer, name: CodedConcept) -> Group:
    """With its thresholds. What is suspected is suspected whether or not the answer abstains."""
    claimed = one.state == "suspected" or not study.case.answer.abstained
    state = terms.STATES[one.state if claimed else "indeterminate"]
    limits = [(terms.RULE_OUT_BELOW, one.rule_out_below), (terms.RULE_IN_FROM, one.rule_in_from)]
    measured = [_probability(CodedConcept.from_code(codes.DCM.Probability), one.probability)] if claimed else []
    measured += [_probability(limit, value) for limit, value in limits if value is not None]
    return MeasurementsAndQualitativeEvaluations(
        finding_type=name, measurements=measured or None,
        qualitative_evaluations=[QualitativeEvaluation(terms.FINDING_STATE, state)],
        **_shared(study, f"finding/{one.code}"),
    )  # fmt: skip


def _peak(study: Study, region: tuple[int, int, int, int], code: str) -> Group:
    """Its box as a closed line, through the middles of the pixels' corners (PS3.3 C.10.5.1.2: the first pixel's is at
    0.5)."""
    x, y, width, height = region
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    names = {one.code: one.name for one in study.case.answer.all_predictions}
    instance = study.source.instance
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=ImageRegion(
            GraphicTypeValues.POLYLINE, np.array(corners, float),
            SourceImageForRegion(instance.sop_class_uid, instance.instance_uid, _frames(study)),
        ),
        finding_type=terms.MAP_PEAK, method=codes.DCM.GradientWeightedClassActivation,
        qualitative_evaluations=[QualitativeEvaluation(terms.EXPLAINED_CLASS, terms.own(code, names.get(code, code)))],
        tracking_identifier=_tracking(study, "peak"), algorithm_id=_algorithm(study),
    )  # fmt: skip


def _probability(name: CodedConcept, share: float) -> Measurement:
    """share: 0 to 1, written as per cent with the digits that a decimal string holds."""
    return Measurement(name=name, value=float(f"{_PERCENT * share:.9g}"), unit=codes.UCUM.Percent)


def _shared(study: Study, name: str) -> dict[str, Any]:
    instance = study.source.instance
    image = SourceImageForMeasurementGroup(instance.sop_class_uid, instance.instance_uid, _frames(study))
    return {
        "tracking_identifier": _tracking(study, name),
        "algorithm_id": _algorithm(study),
        "source_images": [image],
    }


def _frames(study: Study) -> list[int] | None:
    return None if study.frame is None else [study.frame]


def _tracking(study: Study, name: str) -> TrackingIdentifier:
    return TrackingIdentifier(study.uid(f"group/{name}"), name)


def _algorithm(study: Study) -> AlgorithmIdentification:
    model = study.case.answer.model
    asked = study.case.answer.provenance.request
    return AlgorithmIdentification(
        name=f"{SERVICE_NAME} {model.task}", version=f"{model.version or 'without a version'} SHA-256 {model.sha256}",
        parameters=[f"{name}={value}" for name, value in sorted(asked.items()) if name != "explain"] or None,
        manufacturer=SERVICE_NAME,
    )  # fmt: skip
