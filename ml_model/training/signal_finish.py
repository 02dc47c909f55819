"""After the training on recordings: export, the one reading of the test fold, the bundle."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.ecg.recording import read_wfdb
from ml_model.inference.bundle import Bundle, Manifest, fresh_draft
from ml_model.inference.measured import ImageMetrics, TrainingCost
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.signal_corruptions import RECORDING_CHANGES, RecordingChange
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.ecg_page_metrics import page_figures
from ml_model.training.evaluation.evaluator import Answering
from ml_model.training.job import SignalJob
from ml_model.training.pipeline import Sent, export_elsewhere, manifest_fields, measure
from ml_model.training.posthoc.settle import Fields, decide


def answering_recordings(predictor: Predictor, task: ImageTask) -> Answering:
    """As the service answers a recording."""
    engines = Engines(signals=predictor)

    def answer(sample: Sample, change: RecordingChange | None) -> Prediction:
        recording = read_wfdb(sample.path)
        case = Case(recording=change(recording) if change else recording, gate="off")
        return diagnose(task, case, engines).outputs

    return answer


def finish_signals(job: SignalJob, model: keras.Model, minutes: float) -> Bundle:
    """Write the bundle of the averaged networks into `job.out_dir` and return it, verified."""
    fresh_draft(job.out_dir)
    export_elsewhere(model, job.out_dir, multi_label=job.task.multi_label)
    cost = TrainingCost(minutes=round(minutes, 1), recordings=len(job.pick("train")))
    return measure_signals(job, partial(manifest_fields, job), ImageMetrics(training=cost))


def measure_signals(job: SignalJob, fields: Fields, metrics: ImageMetrics, old: Manifest | None = None) -> Bundle:
    """Settle on validation and measure on test the model of recordings in the draft of `job.out_dir`, and write its
    bundle."""

    def pages(predictor: Predictor) -> dict[str, Any]:
        return {"pages": page_figures(job.task, job.pick("test"), predictor)}

    logs = [f"{name}-{seed}" for name, seed in job.recipe.members]
    sent = Sent(partial(answering_recordings, task=job.task), RECORDING_CHANGES, pages, logs)
    return measure(job, sent, fields, metrics, decide(job, fields, sent.answering), old)
