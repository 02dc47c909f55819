"""From an upload to an answer: decode, check, predict, interpret, and put it into the answer's shape."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.parsing import MAX_UPLOAD_BYTES
from backend.schemas import ProvenanceAnswer
from backend.schemas_image import AnalyzeAnswer, AnalyzeQuery, ExplanationAnswer
from backend.services import texts
from backend.services.answers import AnswerParts, analyze_answer, require_model
from backend.services.context import RequestContext
from backend.services.ecg import EcgDiagnosis
from backend.services.heatmaps import HeatmapStore, overlay_png, peak_region
from backend.services.input_gate import InputGate, with_distance, with_field
from backend.services.loading import LoadedModel, ModelStore
from backend.services.seen import Seen, View, predictor_of
from ml_model.diagnosis.decision import interpret
from ml_model.diagnosis.population import judge, known_facts, with_known_facts
from ml_model.errors import InvalidValue, UnknownField
from ml_model.inference.provenance import input_sha256, preprocessing_sha256
from ml_model.input_gate.field_of_view import field_of_view
from ml_model.inputs.dicom.header import read_dicom_header
from ml_model.inputs.images.decoder import ImageLimits, decode_image, fitted, sniff_format
from ml_model.inputs.json_body import shown
from ml_model.tasks.registry import ImageTask

LIMITS = ImageLimits(max_bytes=MAX_UPLOAD_BYTES)


def _asks_for(task: ImageTask, modality: str) -> bool:
    """Whether a client's word for a kind of picture is that of the task, or one of its words."""
    asked, expected = modality.strip().lower().replace("-", "_"), task.input.modality
    return asked == expected or asked in expected.split("_")


class ImageDiagnosis:
    """Answers for the tasks that take a picture."""

    def __init__(
        self, models: ModelStore, heatmaps: HeatmapStore, ecg: EcgDiagnosis, gate: InputGate, demo_mode: bool
    ) -> None:
        self._models = models
        self._gate = gate
        self._heatmaps = heatmaps
        self._ecg = ecg
        self._demo_mode = demo_mode

    def route(self, task: ImageTask, picture: bytes, query: AnalyzeQuery) -> ImageTask:
        """The task that reads this picture: `task`, or another one that it also reads, told by request or header."""
        for other in (self._models.tasks[name] for name in task.also_reads):
            assert isinstance(other, ImageTask)  # noqa: S101 - checked when the task files were read
            if query.modality is not None and _asks_for(other, query.modality):
                return other
            if query.modality is None and sniff_format(picture) == "DICOM":
                facts = read_dicom_header(picture).facts
                if facts.modality in other.dicom_modalities:
                    return other
        if task.also_reads and query.modality is None and query.gate != "off" and sniff_format(picture) != "DICOM":
            return self._most_like(task, picture)
        return task

    def _most_like(self, task: ImageTask, picture: bytes) -> ImageTask:
        """Of the task and those it also reads, the one whose kind of picture this most probably is."""
        tasks = [t for name in (task.id, *task.also_reads) if isinstance(t := self._models.tasks[name], ImageTask)]
        return self._gate.most_like(decode_image(picture, task.input, LIMITS), tasks)

    def analyze(
        self, task: ImageTask, pictures: Sequence[bytes], query: AnalyzeQuery, context: RequestContext
    ) -> AnalyzeAnswer:
        """One picture, or several views of one case. Raises the errors of `decode_image` and of the gate, InvalidValue
        and ModelUnavailable."""
        self._check_query(task, query)
        if len(pictures) > task.input.max_pictures:
            most = task.input.max_pictures
            raise UnknownField(f"{len(pictures)} pictures were sent; {task.id} takes {most} at a time")
        loaded = self._models.get(task.id)
        if task.signal:
            seen = self._ecg.page(task, pictures[0], loaded, query.gate, context)
        else:
            require_model(loaded, task.id, self._demo_mode)
            seen = self._seen(task, pictures, loaded, query)
        return self._answer(task, seen, pictures, query, context)

    def analyze_recording(
        self, task: ImageTask, files: Sequence[tuple[str, bytes]], query: AnalyzeQuery, context: RequestContext
    ) -> AnalyzeAnswer:
        """One digital recording, as (name, content) of its files. Raises the errors of `EcgDiagnosis.recording`."""
        self._check_query(task, query)
        self._models.get(task.id)  # waits until it is loaded
        seen = self._ecg.recording(task, files, query.sampling_rate_hz, query.gate)
        return self._answer(task, seen, [data for _, data in files], query, context)

    def _answer(
        self, task: ImageTask, seen: Seen, sent: Sequence[bytes], query: AnalyzeQuery, context: RequestContext
    ) -> AnalyzeAnswer:
        diagnosis = interpret(task, seen.probabilities, seen.judged.operating_point if seen.judged else None)
        explanation = self._explain(task, query.target or diagnosis.predicted.code, seen, query, context)
        provenance = ProvenanceAnswer(
            input_sha256=input_sha256(sent),
            preprocessing_sha256=preprocessing_sha256(task),
            engine=predictor_of(seen.loaded).engine if seen.loaded else None,
            request=query.model_dump(exclude_defaults=True),
        )
        parts = AnswerParts(explanation, seen.input_check, provenance, seen.loaded, seen.judged, seen.recording)
        return analyze_answer(task, diagnosis, parts, query, context)

    def _check_query(self, task: ImageTask, query: AnalyzeQuery) -> None:
        if query.target is not None and query.target not in task.codes:
            raise InvalidValue(f"target: received {shown(query.target)}; expected one of {', '.join(task.codes)}")
        if query.modality is not None and not _asks_for(task, query.modality):
            named = (self._models.tasks[name] for name in task.also_reads)
            others = [other.input.modality for other in named if isinstance(other, ImageTask)]
            read = " or ".join([task.input.modality, *others])
            raise InvalidValue(f"modality: received {shown(query.modality)}; {task.id} reads {read}")

    def _explain(
        self, task: ImageTask, code: str, seen: Seen, query: AnalyzeQuery, context: RequestContext
    ) -> ExplanationAnswer:
        index = task.codes.index(code)
        view = seen.explained_by(index)
        if query.explain == "none" or view is None:
            reason = "not asked for" if query.explain == "none" else "no model with activation maps answered"
            note = texts.NO_MAP_NOTE.format(reason=reason)
            return ExplanationAnswer(method="none", explained=code, heatmap_url=None, peak_region=None, note=note)
        heatmap = view.heatmap(index, code)
        region = peak_region(heatmap)
        place: dict[str, Any] = {"peak_region": region}
        if view.duration_s is not None:
            place = {"peak_region": None, "peak_seconds": view.seconds_of(region)}
        shared: dict[str, Any] = {"method": texts.MAP_METHOD, "explained": code, "note": texts.MAP_NOTE, **place}
        if query.explain == "inline":
            png = base64.b64encode(overlay_png(heatmap)).decode("ascii")
            return ExplanationAnswer(heatmap_png_base64=png, **shared)
        self._heatmaps.put(context.answer_id, heatmap)
        address = f"/heatmaps/{context.answer_id}"
        return ExplanationAnswer(heatmap_url=f"{address}.png", map_url=f"{address}.json", **shared)

    def _seen(
        self, task: ImageTask, pictures: Sequence[bytes], loaded: LoadedModel | None, query: AnalyzeQuery
    ) -> Seen:
        """The pictures decoded, checked and predicted; several views of one case are averaged."""
        decoded = [decode_image(data, task.input, LIMITS) for data in pictures]
        images = [fitted(one, task.input) for one in decoded]
        checks = [self._gate.check(*both, task, query.gate) for both in zip(decoded, images, strict=True)]
        input_check = with_field(checks[0], field_of_view(images[0], task.input, query.pixel_size_um))
        if loaded is None:
            return Seen(np.array(task.demo_probabilities, np.float32), (), input_check, None, None)
        prediction = predictor_of(loaded).predict(np.stack([image.pixels for image in images]))
        manifest = loaded.bundle.manifest
        input_check = with_distance(input_check, prediction.distance, manifest, query.gate)
        population = prediction.population.mean(axis=0).tolist()
        facts = known_facts(query.age_years, query.view, images[0].dicom)
        judged = judge(task, manifest, population, facts)
        views = tuple(
            View(image.pixels, image.frame, (image.original_width_px, image.original_height_px), p, maps)
            for image, p, maps in zip(images, prediction.probabilities, prediction.activation_maps, strict=True)
        )
        probabilities = with_known_facts(manifest, prediction.probabilities.mean(axis=0), facts)
        return Seen(probabilities, views, input_check, loaded, judged)
