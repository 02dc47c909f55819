"""After the training: export, operating point from validation, the one reading of the test split, the bundle."""

from __future__ import annotations

import os
import shutil
import subprocess  # nosec B404
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.ecg.recording import read_wfdb
from ml_model.inference.bundle import MANIFEST, BalancedDecision, Bundle, Manifest, load_bundle, write_bundle
from ml_model.inference.measured import ImageMetrics, ImageTest, Robustness, Subgroup, TrainingCost, Validated
from ml_model.inference.ood import OOD_FILE
from ml_model.inference.predictor import MODEL_FILE, Prediction, Predictor
from ml_model.inference.publishing import draft_of, fresh_draft, publish
from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.image_corruptions import PICTURE_CHANGES
from ml_model.training.augmentation.signal_corruptions import RECORDING_CHANGES, RecordingChange
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.answers import Answering, Evaluator, answering_pictures
from ml_model.training.evaluation.border_baseline import frame_only
from ml_model.training.evaluation.ecg_page_metrics import beside_recordings, page_figures, readable_pages
from ml_model.training.evaluation.evaluator import evaluate
from ml_model.training.evaluation.explanation_faithfulness import explanation_evidence
from ml_model.training.evaluation.external import external_figures
from ml_model.training.evaluation.intervals import evidence_level, weakest
from ml_model.training.fit.cross_validation import cross_validation_result
from ml_model.training.fit.leave_source_out import sources_left_out
from ml_model.training.job import Job, SignalJob, drawn_prior
from ml_model.training.manifest_fields import manifest_fields
from ml_model.training.models.image_classifier import LOGITS
from ml_model.training.models.serving_model import served_model
from ml_model.training.posthoc.calibration import nearly_alike
from ml_model.training.posthoc.population_classifier import add_populations
from ml_model.training.posthoc.settle import AnsweringBy, Fields, decide
from ml_model.training.reports.model_card import card_markdown, classification_report
from ml_model.training.reports.plots import plot_confusion, plot_curves, plot_trust

CURVES = "training_curves.png"
Further = Callable[[Predictor], Any]
WORTH = ("evidence", "evidence_by_population")
NAMING = ("calibration", "findings", "findings_by_population")


def finish(job: Job, model: keras.Model, minutes: float) -> Bundle:
    """Write the bundle of a trained model into `job.out_dir` and return it, verified."""
    fresh_draft(job.out_dir)
    _export(job, model)
    fields = partial(manifest_fields, job)
    unsettled = fields(ImageMetrics(), evidence="insufficient")
    plain = Predictor(write_bundle(draft_of(job.out_dir), unsettled, [MODEL_FILE]))
    metrics = ImageMetrics(
        cross_validation=cross_validation_result(job.out_dir),
        left_out=sources_left_out(job.out_dir),
        frame_only=frame_only(job.task, job.samples, job.pixels) if job.task.frame_control else None,
        training=TrainingCost(minutes=round(minutes, 1), pictures=len(job.pick("train"))),
    )
    return measure_pictures(job, fields, metrics, add_populations(job, plain))


def measure_pictures(
    job: Job, fields: Fields, metrics: ImageMetrics, populations: tuple[str, ...], old: Manifest | None = None
) -> Bundle:
    """Settle on validation and measure on test the model of pictures in the draft of `job.out_dir`, and write its
    bundle.

    fields: the manifest's, from metrics and what is decided. metrics: those that were measured already. old: see
    `measure`.
    """

    tested = job.pick("test")
    further: dict[str, Further] = {"explanation": lambda predictor: explanation_evidence(job.task, tested, predictor)}
    if job.task.signal:
        further["pages"] = lambda predictor: beside_recordings(job.task, tested, predictor)
    logs = [phase.name for phase in job.recipe.phases]
    sent = Sent(partial(answering_pictures, job.task), PICTURE_CHANGES, further, logs)
    decided = decide(job, fields, sent.answering, balanced=_balanced_decision(job), populations=populations)
    return measure(job, sent, fields, metrics, decided, old)


@dataclass(frozen=True)
class Sent:
    """What is sent to a model and how it is answered.

    changes: by kind and name, what users and bad devices do to a sample. further: figures beside those of the test
    split, by name. logs: names of the training curves to draw.
    """

    answering: AnsweringBy
    changes: Mapping[str, Mapping[str, Any]]
    further: Mapping[str, Further]
    logs: Sequence[str]


def measure(
    job: Job | SignalJob,
    sent: Sent,
    fields: Fields,
    metrics: ImageMetrics,
    decided: dict[str, Any],
    old: Manifest | None = None,
) -> Bundle:
    """The one reading of the test split, by the model as it will be served, then the bundle.

    old: manifest of the same graph; its figures on changed files, heatmaps and strangers are kept as far as they hold.
    """
    kept = old if old is not None and all(getattr(old, name) == decided[name] for name in NAMING) else None
    same = old is not None and nearly_alike(old.calibration, decided["calibration"])  # the same probabilities
    # Where evidence is insufficient no answer is calm: what a new model's come to is measured as if it were not.
    worth = {name: getattr(old, name) for name in WORTH} if old else {"evidence": "limited"}
    draft = fields(ImageMetrics(), **decided, **worth)
    predictor = Predictor(write_bundle(draft_of(job.out_dir), draft, [MODEL_FILE, OOD_FILE]))
    evaluator = Evaluator(job.task, sent.answering(predictor), predictor.bundle.manifest, {} if same else sent.changes)
    test = evaluate(evaluator, job.pick("test"))
    if old is not None and same:
        test = test.model_copy(update=_of_changed(old.image_test, sent.changes, named_alike=bool(kept)))
    more = {
        name: getattr(old.image_metrics, name)
        if old is not None and same and name == "explanation"  # which changes little with how classes are named
        else measured(predictor)
        for name, measured in sent.further.items()
    }
    if old is not None and old.familiarity == decided["familiarity"]:
        more["strangers"] = old.image_metrics.strangers
    more["external"] = external_figures(evaluator, job.external)
    if kept and not job.external:  # the sets of other places are not there this time
        more["external"] = kept.image_metrics.external
    metrics = metrics.model_copy(update={"test": test, **more, "validation": Validated(count=len(job.pick("val")))})
    apart = decided["findings_by_population"]
    by_population = {name: _evidence_of(test.part(name)) for name in decided["populations"] if name in apart}
    evidence = weakest([evidence_level(test.macro_auc.low), *by_population.values(), *_evidence_beside(metrics)])
    written = fields(metrics, **decided, evidence=evidence, evidence_by_population=by_population)
    return write_with_card(job, written, sent.logs)


def _of_changed(
    test: ImageTest, changes: Mapping[str, Any], *, named_alike: bool
) -> dict[str, dict[str, Robustness] | None]:
    """Figures on changed files of the same probabilities; where classes are named otherwise now, only the AUC holds."""
    found = {kind: getattr(test, kind) for kind in changes}
    if named_alike:
        return found
    return {k: rows and {n: Robustness(macro_auc=r.macro_auc) for n, r in rows.items()} for k, rows in found.items()}


def measure_again(job: Job | SignalJob, shipped: Path) -> tuple[Fields, Manifest]:
    """Bring a trained bundle into the draft of `job.out_dir`, to be settled and measured anew; its graph stays.

    Returns what its manifest will say of its making, and the old manifest. Writing raises ValueError when the data
    are not those that it was trained on.
    """
    old = load_bundle(shipped, task=job.bundle_id, contract_sha256=job.contract_sha256)
    _draft_of(job, old)
    return partial(_fields_of, job, old.manifest), old.manifest


def _draft_of(job: Job | SignalJob, old: Bundle, *further: str) -> None:
    """A fresh draft with the graph, the curves and `further` files of a bundle that is there."""
    draft = fresh_draft(job.out_dir)
    for name in (MODEL_FILE, CURVES, *further):
        if name in old.manifest.files:
            shutil.copy(old.file(name), draft / name)


def kept_metrics(old: Manifest) -> ImageMetrics:
    """Figures that a new measurement does not make."""
    made = dict.fromkeys(("test", "validation", "strangers", "external", "pages", "explanation"))
    return old.image_metrics.model_copy(update=made)


def _evidence_of(part: Subgroup | None) -> str:
    return evidence_level(part.macro_auc.low if part and part.macro_auc else float("nan"))


def _fields_of(job: Job | SignalJob, old: Manifest, metrics: ImageMetrics, **extra: Any) -> dict[str, Any]:
    """Manifest fields of a model that was trained before: what it was made from, with new decisions and figures."""
    now = manifest_fields(job, metrics, **extra)
    if now["data_fingerprints"] != old.data_fingerprints:
        raise ValueError(f"{old.task}: these are not the data that the bundle of {old.created} was trained on")
    made = ("created", "git_commit", "seed", "library_versions", "recipe")
    return {**now, **{name: getattr(old, name) for name in made}}


def write_with_card(job: Job | SignalJob, fields: dict[str, Any], logs: Sequence[str]) -> Bundle:
    """Plots, report and card from the measured figures, then the manifest, and all of it takes its place in
    `job.out_dir`. logs: names of the curves to draw.
    """
    manifest, draft = Manifest(**fields, files={}), draft_of(job.out_dir)
    test = manifest.image_test
    plot_confusion(test.confusion_matrix, test.labels, draft / "confusion_matrix.png")
    plots = ["confusion_matrix.png", *plot_trust(test, draft)]
    if plot_curves(job.out_dir, logs, draft / CURVES) or (draft / CURVES).is_file():
        plots.append(CURVES)
    (draft / "classification_report.txt").write_text(classification_report(test), encoding="utf-8")
    (draft / "card.md").write_text(card_markdown(job.task, manifest), encoding="utf-8")
    known = [OOD_FILE] if (draft / OOD_FILE).is_file() else []
    write_bundle(draft, fields, [MODEL_FILE, *known, "card.md", "classification_report.txt", *plots])
    publish(draft, job.out_dir)
    return load_bundle(job.out_dir, task=job.bundle_id, contract_sha256=job.contract_sha256)


def add_metrics(job: Job, **more: Any) -> None:
    """Put figures into the bundle that is already in `job.out_dir`, if there is one; nothing is measured again."""
    if not (job.out_dir / MANIFEST).is_file():
        return
    old = load_bundle(job.out_dir, task=job.bundle_id, contract_sha256=job.contract_sha256)
    manifest = old.manifest
    if manifest.metrics.test is None:  # left by a run that was stopped while it measured; finishing finds the figures
        return
    _draft_of(job, old, OOD_FILE)
    fields = manifest.model_dump(mode="json", exclude={"files", "format_version"})
    fields["metrics"] = metrics = manifest.image_metrics.model_copy(update=more)
    fields["evidence"] = weakest([fields["evidence"], *_evidence_beside(metrics)])
    write_with_card(job, fields, [phase.name for phase in job.recipe.phases])


def _evidence_beside(metrics: ImageMetrics) -> list[str]:
    """A data set on which the model does not hold, at home or elsewhere, lowers what all of its answers may claim: they
    name no source."""
    crossed, external = metrics.cross_validation, metrics.external or {}
    told = [row.macro_auc for row in external.values() if row.judged]
    told += [crossed.model.macro_auc] if crossed else []
    return [evidence_level(auc.low if auc else float("nan")) for auc in told]


def _export(job: Job, model: keras.Model) -> None:
    """Rebuild in float32 at the served size and convert; in a process of its own, with TensorFlow behind Keras."""
    keras.mixed_precision.set_global_policy("float32")
    served = served_model(job, model)
    if job.recipe.served_prior_weight:
        bias = served.get_layer(LOGITS).bias
        bias.assign(bias + job.recipe.served_prior_weight * np.log(drawn_prior(job)))
    export_elsewhere(served, job.out_dir, multi_label=job.task.multi_label, flips=job.recipe.test_time_flips)


def export_elsewhere(model: keras.Model, out_dir: Path, *, multi_label: bool, flips: Sequence[str] = ()) -> None:
    """Write `out_dir/model.keras`, and the graph into the draft of `out_dir`, in a process of its own, with TensorFlow
    behind Keras whatever trained the model."""
    model.save(out_dir / "model.keras")
    command = [sys.executable, "-m", "ml_model.training.models.onnx_export", str(out_dir / "model.keras")]
    command += [str(draft_of(out_dir) / MODEL_FILE), "--multi-label" if multi_label else "--single-label", *flips]
    backend = {**os.environ, "KERAS_BACKEND": "tensorflow"}  # our own interpreter and module, no shell
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=backend)  # noqa: S603  # nosec B603
    if done.returncode:
        raise RuntimeError(f"the export ended with status {done.returncode}:\n{done.stdout}{done.stderr}")


def _balanced_decision(job: Job) -> BalancedDecision | None:
    """The recipe's weights, where it has some."""
    if job.recipe.decision == "most_probable":
        return None
    weights = drawn_prior(job) ** -job.recipe.served_prior_weight
    weights /= weights.max()
    rule = "the largest probability times weight; weights undo the class shares of the training pictures as drawn"
    return BalancedDecision(
        weights={c: round(float(w), 4) for c, w in zip(job.task.codes, weights, strict=True)}, rule=rule
    )


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

    def pages(predictor: Predictor) -> Any:
        return page_figures(job.task, job.pick("test"), predictor)

    logs = [f"{name}-{seed}" for name, seed in job.recipe.members]
    sent = Sent(partial(answering_recordings, task=job.task), RECORDING_CHANGES, {"pages": pages}, logs)
    decided = decide(job, fields, sent.answering, pages=partial(readable_pages, job.task))
    return measure(job, sent, fields, metrics, decided, old)
