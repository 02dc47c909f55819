"""After the training on recordings: export, the one reading of the test fold, the bundle."""

from __future__ import annotations

import keras

from ml_model.bundle import Bundle, Manifest, write_bundle
from ml_model.inputs.ecg import network_signal, read_wfdb
from ml_model.runtime import MODEL_FILE, Prediction, Predictor
from ml_model.spec_image import SignalInput
from ml_model.training.evaluate import Answering, Evaluator, evaluate
from ml_model.training.evidence import evidence_level
from ml_model.training.finish import export_elsewhere, manifest_fields, write_with_card
from ml_model.training.page_figures import page_figures
from ml_model.training.readers import Sample
from ml_model.training.signal_engine import SignalJob
from ml_model.training.signal_variants import RECORDING_CHANGES, RecordingChange


def answering_recordings(predictor: Predictor, signal_input: SignalInput) -> Answering:
    """As the service answers a recording."""

    def answer(sample: Sample, change: RecordingChange | None) -> Prediction:
        recording = read_wfdb(sample.path)
        signal = network_signal(change(recording) if change else recording, signal_input)
        return predictor.predict_signals(signal[None])

    return answer


def finish_signals(job: SignalJob, model: keras.Model, minutes: float) -> Bundle:
    """Write the bundle of the averaged networks into `job.out_dir` and return it, verified."""
    export_elsewhere(model, job.out_dir, multi_label=job.task.multi_label)
    draft = manifest_fields(job, {}, evidence="insufficient")
    predictor = Predictor(write_bundle(job.out_dir, draft, [MODEL_FILE]))
    answering = answering_recordings(predictor, job.signal_input)
    evaluator = Evaluator(job.task, answering, Manifest(**draft, files={}), RECORDING_CHANGES)
    test = evaluate(evaluator, job.pick("test"))
    metrics = {
        "test": test,
        "pages": page_figures(job.task, job.pick("test"), predictor),
        "validation": {"count": len(job.pick("val"))},
        "training": {"minutes": round(minutes, 1), "recordings": len(job.pick("train"))},
    }
    fields = manifest_fields(job, metrics, evidence=evidence_level(test["macro_auc"]["low"]))
    return write_with_card(job, fields, [f"{name}-{seed}" for name, seed in job.recipe.members])
