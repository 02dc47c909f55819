"""Cards are written from manifests: their parts, and those of the models on tables with the figures they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from samples import write_tiny

from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle
from ml_model.inference.interval import Interval
from ml_model.inference.measured_tabular import SymptomMetrics
from ml_model.tasks.registry import RiskTask, SymptomTask, load_image_tasks, load_task, load_tasks
from ml_model.training.reports.card import CARD_FILE, add_card
from ml_model.training.reports.markdown import bullets, document, section, table
from ml_model.training.reports.risk_card import risk_card
from ml_model.training.reports.symptom_card import symptom_card


def shipped(name: str) -> Bundle:
    return load_bundle(MODELS_DIR / name, task=name, contract_sha256=load_task(name).contract_sha256)


def rows(card: str) -> dict[str, list[str]]:
    """Cells of the card's tables, by the first of their row."""
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.splitlines() if line.startswith("| ")]
    return {first: rest for first, *rest in found}


def close(cell: str, measured: Interval) -> bool:
    """0.870 (0.845-0.896) for what the manifest holds."""
    value, low, high = (float(part) for part in cell.rstrip(")").replace(" (", "-").split("-"))
    return (value, low, high) == pytest.approx((measured.value, measured.low, measured.high), abs=5.1e-4)


def test_a_page_is_its_parts_with_an_empty_line_between_them() -> None:
    parts = section("Few", "A word.", "", bullets("ab"), level=3), "", section("None", table(["x"], [["1"]]))
    assert document("All", *parts) == "# All\n\n### Few\nA word.\n\n- a\n- b\n\n## None\n| x |\n|---|\n| 1 |\n"


def test_a_card_is_named_in_the_manifest_and_nothing_else_in_it_changes(tmp_path: Path) -> None:
    before = write_tiny(load_image_tasks()[0], tmp_path)
    after = add_card(before, "# Other\n")
    assert after.file(CARD_FILE).read_text(encoding="utf-8") == "# Other\n"
    assert after.manifest.files.keys() == {"model.onnx", "curve.png", CARD_FILE}
    assert after.manifest.files[CARD_FILE] != before.manifest.files[CARD_FILE]
    assert after.manifest.model_copy(update={"files": before.manifest.files}) == before.manifest
    task = load_image_tasks()[0]
    assert load_bundle(after.path, task=task.id, contract_sha256=task.contract_sha256) == after


@pytest.mark.parametrize("task", load_tasks(), ids=lambda t: t.id)
def test_every_shipped_bundle_has_a_card_with_use_limits_and_data(task: Any) -> None:
    card = shipped(task.id).file(CARD_FILE).read_text(encoding="utf-8")
    assert card.startswith(f"# {task.title}\n")
    for text in (task.intended_use, *(f"- {limit}\n" for limit in task.limits_of_use)):
        assert text in card
    for data in task.datasets:
        assert f"- {data.name}: {data.population} Licence: {data.licence}" in card


def test_the_symptoms_card_holds_the_figures_of_the_manifest() -> None:
    task, bundle = load_task("disease"), shipped("disease")
    assert isinstance(task, SymptomTask)
    card, metrics = symptom_card(task, bundle.manifest), bundle.manifest.metrics
    assert bundle.file(CARD_FILE).read_text(encoding="utf-8") == card
    assert isinstance(metrics, SymptomMetrics)
    test, read, found = metrics.test, metrics.matching, rows(card)
    measured = {
        "each patient once, complete lists": test.complete_lists,
        "each unseen symptom vector once": test.distinct_vectors,
        "plain naive Bayes, complete lists": test.plain_naive_bayes,
        "were all lists known to be complete": test.if_all_lists_were_known_to_be_complete,
        **{f"lists cut short to {n}": m.cut_short for n, m in test.by_symptoms_given.items()},
        **{f"complete lists of {n}": m.complete for n, m in test.by_symptoms_given.items()},
    }
    assert len(measured) == 14
    for name, m in measured.items():
        lists, vectors, top1, top5, *others = found[name]
        assert (int(lists), int(vectors)) == (m.lists, m.vectors), name
        assert close(top1, m.top1), name
        assert close(top5, m.top5), name
        assert [float(v) for v in others] == pytest.approx([m.ece, m.mean_confidence, m.log_loss], abs=5.1e-4), name
    shares = {"read as meant": read.right, "read as another symptom": read.other_symptom}
    shares |= {"not read, the right symptom suggested": read.suggested_only}
    shares |= {"nonsense that is read as a symptom": read.nonsense_matched}
    assert {name: float(found[name][0]) for name in shares} == pytest.approx(shares, abs=5.1e-4)
    assert f"{test.diseases_measured} occur in the test split and {test.diseases_not_measured} do not" in card
    assert "; ".join(test.diseases_without_data) in card
    assert "; ".join(test.symptoms_without_data) in card


def test_the_heart_risk_card_holds_the_figures_of_the_manifest() -> None:
    task, bundle = load_task("heart-risk"), shipped("heart-risk")
    assert isinstance(task, RiskTask)
    card, test = risk_card(task, bundle.manifest), bundle.manifest.metrics.test
    assert bundle.file(CARD_FILE).read_text(encoding="utf-8") == card
    measured = {**test.ten_fold, **test.ten_fold_by_sex, **test.ten_fold_by_site}
    left_out = {f"a site left out, {name}": m for name, m in test.leave_one_site_out.items()}
    for name, m in {**left_out, **test.compared}.items():
        by_site = getattr(m, "by_site", {})
        measured |= {name: getattr(m, "pooled", m), **{f"{name}: {site}": own for site, own in by_site.items()}}
    assert len(measured) == 4 + 2 + 4 + 10 + 8
    found = rows(card)
    for name, m in measured.items():
        patients, outcome, area, *others = found[name.replace("_", " ")]
        assert (int(patients), int(outcome)) == (m.patients, m.with_outcome), name
        assert close(area, m.auc), name
        assert [float(v) for v in others] == pytest.approx([m.brier, m.ece, m.mean_probability], abs=5.1e-4), name
    assert f"{bundle.manifest.metrics.training.patients} patients" in card


def test_no_card_without_figures() -> None:
    task, manifest = load_task("heart-risk"), shipped("heart-risk").manifest
    bare = manifest.model_copy(update={"metrics": manifest.metrics.model_copy(update={"test": None})})
    with pytest.raises(ValueError, match="heart-risk: no figures of a risk model"):
        risk_card(task, bare)
    with pytest.raises(ValueError, match="heart-risk: no figures of a ranking"):
        symptom_card(load_task("disease"), manifest)
