"""Write the README's tables, docs/results.md and the figures of docs/symptoms.md from the manifests of the shipped
bundles.

python -m ml_model.training.commands.results            # `make results`
python -m ml_model.training.commands.results --check    # exits 1 when one of them is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ml_model.inference.bundle import MODELS_DIR, Manifest
from ml_model.inference.measured import Brief, ImageMetrics, Summary
from ml_model.inference.measured_tabular import GateMetrics, Metrics, RiskMetrics, RiskTest, SymptomMetrics, SymptomTest
from ml_model.tasks.registry import load_image_tasks
from ml_model.training.commands.command_line import command_parser
from ml_model.training.input_gate.report import acceptance_table
from ml_model.training.reports.findings_section import parts_of
from ml_model.training.reports.markdown import COMPARED, INTERVALS, figure, figures_of, table
from ml_model.training.reports.model_card import measured_markdown
from ml_model.training.reports.symptom_card import checker_text

README = Path(__file__).parents[3] / "README.md"
PAGE = README.parent / "docs" / "results.md"
SYMPTOMS = README.parent / "docs" / "symptoms.md"
START, END = "<!-- results:start -->", "<!-- results:end -->"


def shipped() -> Iterator[Manifest]:
    """Manifests of the bundles in ml_model/models, by task id."""
    for path in sorted(MODELS_DIR.glob("*/manifest.json")):
        yield Manifest.model_validate_json(path.read_bytes())


def _image_rows(manifests: list[Manifest]) -> list[list[str]]:
    rows = []
    for m in manifests:
        test = m.image_test
        measured: list[tuple[str, Summary | Brief, str]] = [(f"**{m.task}** ({m.trained_on})", test, m.evidence)]
        for part in test.by_group.values() if len(test.by_group) > 1 else ():
            whole = part.view is None and part.attribute is None
            if (whole or part.known != "nothing") and part.title != m.trained_on:
                measured.append((f"{m.task}: {part.title}", part, m.evidence_by_population.get(part.title, "")))
        if aged := test.age_given:
            measured.append((f"{m.task}: age given", aged, ""))
        if crossed := m.image_metrics.cross_validation:
            name = f"{m.task}: {crossed.source}, {crossed.folds}-fold by patient"
            measured.append((name, crossed.model, ""))
        for name, row in (m.image_metrics.external or {}).items():
            measured.append((f"{m.task}: abroad, {name}", row, "" if row.judged else "too few to judge"))
        rows += [[name, str(row.count), *figures_of(row, COMPARED), evidence] for name, row, evidence in measured]
    return rows


def _findings(manifests: list[Manifest]) -> str:
    """What the answers come to, by task, population and place."""
    rows = []
    for m in manifests:
        for name, part in parts_of(m):
            for code, told in part.findings.items():
                calm = part.triage.serious_answered_calm.get(code) if part.triage else None
                cells = [figure(told.suspected), figure(told.sensitivity), figure(calm)]
                rows.append([f"{m.task}: {name}", code, str(told.count), *cells])
    head = ["model", "finding", "n", "suspected", "not ruled out", "answered calmly"]
    return table(head, rows)


def _harmless(manifests: list[Manifest]) -> str:
    rows = [
        [f"{m.task}: {name}", str(told.harmless), figure(told.harmless_suspected), figure(told.harmless_ruled_out)]
        for m in manifests
        for name, part in parts_of(m)
        if (told := part.triage) and told.harmless
    ]
    return table(["model", "harmless cases", "a finding suspected", "all ruled out"], rows)


def _symptom_table(test: SymptomTest) -> str:
    """Ranking by what is known of the patient: whole lists, or only the first few symptoms."""
    measured = {
        "each unseen symptom vector once": test.distinct_vectors,
        "each patient once, complete lists": test.complete_lists,
        **{f"only {n} of the symptoms given": test.by_symptoms_given[n].cut_short for n in ("1", "2", "3", "5")},
    }
    rows = [[name, str(m.lists), figure(m.top1), figure(m.top5), f"{m.ece:.3f}"] for name, m in measured.items() if m]
    return table(["**disease** (773 diseases, synthetic)", "n", "top-1", "top-5", "calibration error"], rows)


def _risk_table(test: RiskTest) -> str:
    """Heart risk within the sites and on a site that training never saw."""
    out = test.leave_one_site_out["seven_inputs"]
    measured = {
        "10-fold, seven inputs": test.ten_fold["seven_inputs"],
        "10-fold, all inputs": test.ten_fold["all_inputs"],
        "a site left out, all four": out.pooled,
        **{f"a site left out: {site}": figures for site, figures in out.by_site.items()},
    }
    rows = [[name, str(m.patients), figure(m.auc), f"{m.brier:.3f}", f"{m.ece:.3f}"] for name, m in measured.items()]
    return table(["**heart-risk** (UCI, four sites)", "n", "AUC", "Brier score", "calibration error"], rows)


def _other_table(metrics: Metrics) -> str:
    """Of a model on tables, or of the input gate: which pictures it lets through, by the kind asked for."""
    if isinstance(metrics, SymptomMetrics) and metrics.test:
        return _symptom_table(metrics.test)
    if isinstance(metrics, RiskMetrics) and metrics.test:
        return _risk_table(metrics.test)
    if isinstance(metrics, GateMetrics) and metrics.test:
        accepted = acceptance_table(metrics.test)
        return f"Share of test pictures that the input gate accepts for each kind:\n\n{accepted}"
    return ""


def results_markdown() -> str:
    """The block between the README's markers."""
    manifests = list(shipped())
    images = [m for m in manifests if isinstance(m.metrics, ImageMetrics)]
    parts = [
        f"Test splits by lesion, patient or unique symptom vector; {INTERVALS}.",
        table(["model", "n", "accuracy", "balanced accuracy", "macro AUC", "evidence"], _image_rows(images)),
        _findings(images),
        _harmless(images),
        *(_other_table(m.metrics) for m in manifests),
    ]
    return "\n\n".join(part for part in parts if part)


def symptoms_markdown() -> str:
    """The block of docs/symptoms.md: the symptom checker on vignettes."""
    measured = (m.metrics.checker for m in shipped() if isinstance(m.metrics, SymptomMetrics))
    found = next((checker for checker in measured if checker), None)
    return checker_text(found) if found else "Not measured."


def updated(page: str, block: str, name: str = "README.md") -> str:
    """`page` with the block written anew. Raises ValueError where the markers are missing."""
    if START not in page or END not in page:
        raise ValueError(f"{name} lacks {START} or {END}")
    before, rest = page.split(START, 1)
    return f"{before}{START}\n{block}\n{END}{rest.split(END, 1)[1]}"


def page_markdown() -> str:
    """docs/results.md: every image model with all of its figures, then the other models."""
    parts = [
        "# Measured results\n\nWritten by `make results` from the manifests; no figure is typed by hand.",
        results_markdown(),
    ]
    tasks = {task.id: task for task in load_image_tasks()}
    for manifest in shipped():
        task = tasks.get(manifest.task.removesuffix("-signal"))
        if task is None or not isinstance(manifest.metrics, ImageMetrics):
            continue
        title = task.title if manifest.task == task.id else f"{task.title}, recordings"
        measured = measured_markdown(task, manifest).replace("](", f"](../ml_model/models/{manifest.task}/")
        parts.append(f"## {title}\n\nVersion {manifest.version}, evidence {manifest.evidence}.\n\n{measured.strip()}")
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """0 when all are (now) fresh."""
    parser = command_parser(__doc__ or "")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    fresh = {
        README: updated(README.read_text(encoding="utf-8"), results_markdown()),
        PAGE: page_markdown(),
        SYMPTOMS: updated(SYMPTOMS.read_text(encoding="utf-8"), symptoms_markdown(), SYMPTOMS.name),
    }
    stale = [p for p, text in fresh.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    if options.check:
        names = " and ".join(path.name for path in stale)
        fine = f"{', '.join(path.name for path in fresh)} are fresh"
        print(f"{names}: stale, run make results" if stale else fine)
        return int(bool(stale))
    for path in stale:
        path.write_text(fresh[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
