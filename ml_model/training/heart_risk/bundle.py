"""Trains, measures and writes the bundle of a risk task."""

from __future__ import annotations

import time
from pathlib import Path

from ml_model.inference.bundle import Bundle, file_sha256, load_bundle, write_bundle
from ml_model.inference.measured import TrainingCost
from ml_model.inference.measured_tabular import RiskMetrics
from ml_model.inference.publishing import fresh_draft, publish
from ml_model.tabular.logistic_model import MODEL_FILE, model_to_json
from ml_model.tasks.registry import RiskTask
from ml_model.training.evaluation.intervals import evidence_level
from ml_model.training.heart_risk.data import read_cardio, read_framingham, read_uci
from ml_model.training.heart_risk.evaluate import evaluate
from ml_model.training.heart_risk.fit import PENALTY, fit_served
from ml_model.training.manifest_fields import origin
from ml_model.training.reports.card import add_card
from ml_model.training.reports.risk_card import risk_card

LIBRARIES = ("numpy", "scipy", "scikit-learn")


def train(task: RiskTask, folder: Path, out_dir: Path, seed: int) -> Bundle:
    """Cross-validate, fit on every patient, write the bundle. Nothing is tuned on the folds."""
    began = time.monotonic()
    table = read_uci(folder / task.datasets[0].file, task)
    others = {
        "framingham": read_framingham(folder / task.datasets[1].file, table.features),
        "cardio": read_cardio(folder / task.datasets[2].file, table.features),
    }
    test = evaluate(task, table, others, seed)
    model = fit_served(task, table)
    draft = fresh_draft(out_dir)
    (draft / MODEL_FILE).write_text(model_to_json(model), encoding="utf-8")
    minutes = round((time.monotonic() - began) / 60, 2)
    fields = {
        **origin(task.id, task.contract_sha256, task.licence, draft / MODEL_FILE, seed=seed, libraries=LIBRARIES),
        "classes": ("no_disease", "disease"),
        "trained_on": task.datasets[0].name,
        "evidence": evidence_level(test.leave_one_site_out["seven_inputs"].pooled.auc.low),
        "recipe": {
            "model": "logistic, linear columns, signs constrained, missing columns by a joint Gaussian",
            "penalty": PENALTY,
            "spread_of_weights": "Laplace over patients, and jackknife over hospitals",
        },
        "data_fingerprints": {d.name: file_sha256(folder / d.file) for d in task.datasets},
        "metrics": RiskMetrics(test=test, training=TrainingCost(minutes=minutes, patients=len(table.outcome))),
    }
    bundle = write_bundle(draft, fields, [MODEL_FILE])
    add_card(bundle, risk_card(task, bundle.manifest))
    publish(draft, out_dir)
    return load_bundle(out_dir, task=task.id, contract_sha256=task.contract_sha256)
