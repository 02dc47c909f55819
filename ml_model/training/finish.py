"""After the training: export, operating point from validation, the one reading of the test split, the bundle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ml_model.bundle import MANIFEST, BalancedDecision, Bundle, Manifest, file_sha256, load_bundle, write_bundle
from ml_model.runtime import MODEL_FILE, Predictor
from ml_model.training.backbones import LOGITS
from ml_model.training.card import card_markdown, classification_report
from ml_model.training.controls import frame_only
from ml_model.training.cross_validation import cross_validation_result
from ml_model.training.decisions import choose_operating_point, population_operating_points, screening_calibration
from ml_model.training.engine import Job, build, drawn_prior
from ml_model.training.evaluate import Evaluator, answering_pictures, evaluate
from ml_model.training.evidence import evidence_level, weakest
from ml_model.training.explanation_evidence import explanation_evidence
from ml_model.training.page_figures import beside_recordings
from ml_model.training.pixels import data_fingerprint
from ml_model.training.plots import plot_confusion, plot_curves
from ml_model.training.population_fit import add_populations
from ml_model.training.readers import Sample
from ml_model.training.signal_engine import SignalJob

LIBRARIES = ("keras", "tensorflow", "numpy", "pillow", "openvino", "onnx", "tf2onnx")


def finish(job: Job, model: keras.Model, minutes: float) -> Bundle:
    """Write the bundle of a trained model into `job.out_dir` and return it, verified."""
    _export(job, model)
    predictor = _predictor(job)
    populations = add_populations(job, predictor)
    if populations:
        predictor = _predictor(job, populations=populations)
    samples = job.pick("val")
    evaluator = Evaluator(job.task, answering_pictures(job.task, predictor), predictor.bundle.manifest)
    validation = evaluator.score(samples, evaluator.predict(samples))
    decision = {
        "operating_point": choose_operating_point(job.task, validation) or _balanced_decision(job),
        "operating_points": population_operating_points(job.task, samples, validation),
        "populations": populations,
        "screening": screening_calibration(job.task, validation),
    }
    decided, tested = _provisional(job, **decision), job.pick("test")
    test = evaluate(replace(evaluator, manifest=decided), tested)
    measured = {name: test["by_group"].get(name, {}).get("macro_auc", {}) for name in populations}
    by_population = {
        name: evidence_level(auc.get("low", float("nan")))
        for name, auc in measured.items()
        if name in decision["operating_points"]
    }
    crossed = cross_validation_result(job.out_dir)
    metrics = {
        "test": test,
        **({"cross_validation": crossed} if crossed else {}),
        **({"frame_only": frame_only(job.task, job.samples, job.pixels)} if job.task.frame_control else {}),
        **({"pages": beside_recordings(job.task, tested, predictor)} if job.task.signal else {}),
        "explanation": explanation_evidence(job.task, tested, predictor, manifest=decided),
        "validation": {"count": len(validation.truth)},
        "training": {"minutes": round(minutes, 1), "pictures": len(job.pick("train"))},
    }
    evidence = weakest([evidence_level(test["macro_auc"]["low"]), *by_population.values(), *_crossed_evidence(metrics)])
    fields = manifest_fields(job, metrics, **decision, evidence=evidence, evidence_by_population=by_population)
    return write_with_card(job, fields, [phase.name for phase in job.recipe.phases])


def write_with_card(job: Job | SignalJob, fields: dict[str, Any], logs: Sequence[str]) -> Bundle:
    """Plots, report and card from the measured figures, then the manifest. logs: names of the curves to draw."""
    test = fields["metrics"]["test"]
    plot_confusion(test["confusion_matrix"], test["labels"], job.out_dir / "confusion_matrix.png")
    plots = ["confusion_matrix.png", *plot_curves(job.out_dir, logs)]
    (job.out_dir / "classification_report.txt").write_text(classification_report(test), encoding="utf-8")
    card = card_markdown(job.task, Manifest(**fields, files={}))
    (job.out_dir / "card.md").write_text(card, encoding="utf-8")
    write_bundle(job.out_dir, fields, [MODEL_FILE, "card.md", "classification_report.txt", *plots])
    return load_bundle(job.out_dir, task=job.bundle_id, contract_sha256=job.contract_sha256)


def add_metrics(job: Job, **more: dict[str, Any]) -> None:
    """Put figures into the bundle that is already in `job.out_dir`, if there is one; nothing is measured again."""
    path = job.out_dir / MANIFEST
    if not path.is_file():
        return
    manifest = Manifest.model_validate_json(path.read_bytes())
    fields = manifest.model_dump(mode="json", exclude={"files", "format_version"})
    fields["metrics"] |= more
    fields["evidence"] = weakest([fields["evidence"], *_crossed_evidence(fields["metrics"])])
    write_with_card(job, fields, [phase.name for phase in job.recipe.phases])


def _crossed_evidence(metrics: dict[str, Any]) -> list[str]:
    """A data set on which the model does not hold lowers what all of its answers may claim: they name no source."""
    crossed = metrics.get("cross_validation")
    return [evidence_level(crossed["model"]["macro_auc"]["low"])] if crossed else []


def _provisional(job: Job, **decision: Any) -> Manifest:
    """The manifest as far as it is known before the test split is read."""
    return Manifest(**manifest_fields(job, {}, evidence="insufficient", **decision), files={})


def _predictor(job: Job, **decision: Any) -> Predictor:
    """The exported model as it is served."""
    fields = manifest_fields(job, {}, evidence="insufficient", **decision)
    return Predictor(write_bundle(job.out_dir, fields, [MODEL_FILE]))


def _export(job: Job, model: keras.Model) -> None:
    """Rebuild in float32 at the served size and convert; in a process of its own, with TensorFlow behind Keras."""
    keras.mixed_precision.set_global_policy("float32")
    served = build(job)
    served.set_weights(model.get_weights())
    if job.recipe.served_prior_weight:
        bias = served.get_layer(LOGITS).bias
        bias.assign(bias + job.recipe.served_prior_weight * np.log(drawn_prior(job)))
    export_elsewhere(served, job.out_dir, multi_label=job.task.multi_label, flips=job.recipe.test_time_flips)


def export_elsewhere(model: keras.Model, out_dir: Path, *, multi_label: bool, flips: Sequence[str] = ()) -> None:
    """Write `out_dir/model.onnx` in a process of its own, with TensorFlow behind Keras whatever trained the model."""
    model.save(out_dir / "model.keras")
    command = [sys.executable, "-m", "ml_model.training.export", str(out_dir / "model.keras")]
    command += [str(out_dir / MODEL_FILE), "--multi-label" if multi_label else "--single-label", *flips]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": "tensorflow"})  # noqa: S603


def _balanced_decision(job: Job) -> BalancedDecision | None:
    """The recipe's decision rule, where it is not the most probable class."""
    if job.recipe.decision == "most_probable":
        return None
    weights = drawn_prior(job) ** -job.recipe.served_prior_weight
    weights /= weights.max()
    rule = "the largest probability times weight; weights undo the class shares of the training pictures as drawn"
    return BalancedDecision(
        weights={c: round(float(w), 4) for c, w in zip(job.task.codes, weights, strict=True)}, rule=rule
    )


def _git_commit() -> str:
    """Of the code that trains; unknown outside of a clone."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def manifest_fields(job: Job | SignalJob, metrics: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Manifest fields of a job."""
    described = provenance(
        job.bundle_id, job.contract_sha256, job.task.codes, job.task.licence, job.samples, job.out_dir,
        seed=job.recipe.seed, recipe=_recipe(job),
    )  # fmt: skip
    return {**described, "metrics": metrics, **extra}


def provenance(
    bundle_id: str, contract_sha256: str, codes: Sequence[str], licence: str, samples: Sequence[Sample], out_dir: Path,
    *, seed: int, recipe: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Manifest fields that say what a bundle was made from; its graph is in `out_dir`. codes: in output order."""
    created = datetime.now(UTC).strftime("%Y-%m-%d")
    sources = sorted({s.source for s in samples})
    return {
        "task": bundle_id,
        "contract_sha256": contract_sha256,
        "version": f"{created.replace('-', '.')}+{file_sha256(out_dir / MODEL_FILE)[:8]}",
        "classes": codes,
        "trained_on": ", ".join(sources),
        "licence": licence,
        "created": created,
        "git_commit": _git_commit(),
        "seed": seed,
        "library_versions": {name: version(name) for name in LIBRARIES},
        "recipe": recipe,
        "data_fingerprints": {name: data_fingerprint([s for s in samples if s.source == name]) for name in sources},
    }


def _recipe(job: Job | SignalJob) -> dict[str, Any]:
    """The recipe as plain data; dataclasses all the way down."""
    plain: dict[str, Any] = json.loads(json.dumps(job.recipe, default=vars))
    return {**plain, "weights": Path(job.weights).name if job.weights else "none", "backend": keras.backend.backend()}
