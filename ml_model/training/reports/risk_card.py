"""The card of a model of risk from a few measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml_model.inference.bundle import Manifest
from ml_model.inference.measured_tabular import (
    CalmFigures,
    InformationFigures,
    RiskFigures,
    RiskMetrics,
    RiskTest,
    SiteLeftOut,
)
from ml_model.tasks.registry import RiskTask
from ml_model.training.reports.card import task_card
from ml_model.training.reports.markdown import figure, joined, section, table


def risk_card(task: RiskTask, manifest: Manifest) -> str:
    """The whole card. Raises ValueError where nothing was measured."""
    metrics = manifest.metrics
    if not isinstance(metrics, RiskMetrics) or metrics.test is None:
        raise ValueError(f"{manifest.task}: no figures of a risk model")
    cost, recipe = metrics.training, manifest.recipe
    spread = f"Spread of the weights: {recipe['spread_of_weights']}. "
    trained = f"{cost.patients} patients, {cost.minutes} minutes; seed {manifest.seed}." if cost else "Not recorded."
    return task_card(
        task,
        manifest,
        section("Outcome", f"{task.outcome[0].upper()}{task.outcome[1:]}."),
        section("Test figures", _measured(metrics.test)),
        section("Training", f"Model: {recipe['model']}; penalty {recipe['penalty']}. {spread}{trained}"),
    )


def _measured(test: RiskTest) -> str:
    text = """Each patient is judged by a model that was fitted without them, or without any patient of their hospital;
95 % intervals of the AUC by bootstrap over patients. The calibration error is over bins of equal mass; in a small group
it cannot be 0, however good the model."""
    named = {f"a site left out, {name}": m for name, m in test.leave_one_site_out.items()}
    return joined(
        text,
        section("Ten-fold, by what is given", _table(test.ten_fold), level=3),
        section("Ten-fold, seven inputs, by sex", _table(test.ten_fold_by_sex), level=3),
        section("Ten-fold, seven inputs, by site", _table(test.ten_fold_by_site), level=3),
        section("On a site that training never saw", _table(named), level=3),
        section("By what the given inputs carry", _INFORMATION, _information_table(test.by_information), level=3),
        section("Answered calmly", _CALM, _calm_table(test.calm), level=3),
        section("Other models on the same patients", _table(test.compared), level=3),
    )


_INFORMATION = """All combinations of inputs with age and sex, by the share of the log-odds' variance that they carry.
AUC of a site left out: that of the combination which tells least. Interval: of 90 %, from what is missing, from the
patients and from the hospitals that the model was fitted to; it is meant to hold the probability which the model of all
patients gives with everything recorded. The minimum for an answer is where the AUC of a site left out stays above .70,
and fewer of those called low have the disease than their band says."""
_CALM = """Patients answered at the level routine: with the disease (missed) and without. An answer that is withheld,
that may be graver by its interval, or in which a complaint counts by itself, is not calm."""


def _information_table(measured: Sequence[InformationFigures]) -> str:
    rows = [
        [f"{m.at_least:.1f} to {m.below:.1f}", str(m.combinations)]
        + [f"{m.auc_ten_fold:.3f}", figure(m.auc_site_left_out)]
        + [f"{value:.3f}" for value in (m.ece_ten_fold, m.low_with_outcome, m.interval_width)]
        + [f"{value:.3f}" for value in (m.covered_ten_fold, m.covered_site_left_out)]
        for m in measured
    ]
    header = ["carried", "combinations", "AUC, ten-fold", "lowest AUC, a site left out", "calibration error"]
    held = ["width of the interval", "it holds, ten-fold", "it holds, a site left out"]
    return table([*header, "called low with the disease", *held], rows)


def _calm_table(measured: Mapping[str, CalmFigures]) -> str:
    rows = [
        [name.replace("_", " "), figure(m.with_outcome), figure(m.without_outcome), f"{m.withheld:.3f}"]
        for name, m in sorted(measured.items())
    ]
    return table(["", "with the disease", "without", "withheld"], rows)


def _table(measured: Mapping[str, RiskFigures | SiteLeftOut]) -> str:
    """One row a part, and one for each site where sites were left out; by name, as the manifest is stored."""
    parts: dict[str, RiskFigures] = {}
    for name, m in sorted(measured.items()):
        if isinstance(m, RiskFigures):
            parts[name] = m
        else:
            parts |= {name: m.pooled, **{f"{name}: {site}": own for site, own in sorted(m.by_site.items())}}
    rows = [
        [name.replace("_", " "), str(m.patients), str(m.with_outcome), figure(m.auc)]
        + [f"{value:.3f}" for value in (m.brier, m.ece, m.mean_probability)]
        for name, m in parts.items()
    ]
    return table(["", "n", "with the outcome", "AUC", "Brier score", "calibration error", "mean probability"], rows)
