"""Write the README's tables and docs/results.md, all that was measured, from the manifests of the shipped bundles.

python -m ml_model.training.commands.results            # `make results`
python -m ml_model.training.commands.results --check    # exits 1 when one of them is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_model.inference.bundle import MODELS_DIR, Manifest, OperatingPoint
from ml_model.tasks.registry import load_image_tasks
from ml_model.training.commands.command_line import command_parser
from ml_model.training.input_gate.report import acceptance_table
from ml_model.training.reports.markdown import INTERVALS, figure, table
from ml_model.training.reports.model_card import measured_markdown

README = Path(__file__).parents[3] / "README.md"
PAGE = README.parent / "docs" / "results.md"
START, END = "<!-- results:start -->", "<!-- results:end -->"


def shipped() -> Iterator[Manifest]:
    """Manifests of the bundles in ml_model/models, by task id."""
    for path in sorted(MODELS_DIR.glob("*/manifest.json")):
        yield Manifest.model_validate_json(path.read_bytes())


def _cells(measured: Mapping[str, Any]) -> list[str]:
    """The columns of figures of a row."""
    return [str(measured["count"]), *(figure(measured.get(k)) for k in ("accuracy", "balanced_accuracy", "macro_auc"))]


def _image_rows(manifests: list[Manifest]) -> list[list[str]]:
    rows = []
    for m in manifests:
        test = m.metrics["test"]
        rows.append([f"**{m.task}** ({m.trained_on})", *_cells(test), m.evidence])
        for name, group in test["by_group"].items():
            if (
                ("," not in name or name.endswith((", age given", " view given")))
                and len(m.metrics["test"]["by_group"]) > 1
                and name != m.trained_on
            ):
                rows.append([f"{m.task}: {name}", *_cells(group), m.evidence_by_population.get(name, "")])
        if aged := test.get("age_given"):
            rows.append([f"{m.task}: age given", *_cells(aged), ""])
        if crossed := m.metrics.get("cross_validation"):
            name = f"{crossed['source']}, {crossed['folds']}-fold by patient"
            rows.append([f"{m.task}: {name}", *_cells(crossed["model"]), ""])
    return rows


def _points(manifests: list[Manifest]) -> list[str]:
    lines = []
    for m in manifests:
        point = m.operating_point
        if not isinstance(point, OperatingPoint):
            continue
        for name, own in (m.operating_points or {"any": point}).items():
            row: Mapping[str, Any] = (
                m.metrics["test"]["by_group"].get(f"{name}, age and view given")
                or m.metrics["test"]["by_group"].get(name)
                or m.metrics["test"]["per_class"][point.positive]
            )
            lines.append(
                f"{m.task}, {name}: `{own.positive}` is called from a probability of {own.threshold:.3f} ({own.rule}); "
                f"on test: sensitivity {figure(row['sensitivity'])}, specificity {figure(row['specificity'])}."
            )
        if m.operating_points:
            lines.append(
                f"{m.task}, neither told by an age nor by the picture: from {point.threshold:.3f}, chosen over all "
                "validation films."
            )
    return lines


def _symptom_table(test: Mapping[str, Any]) -> str:
    """Ranking by what is known of the patient: whole lists, or only the first few symptoms."""
    measured = {
        "each unseen symptom vector once": test["distinct_vectors"],
        "each patient once, complete lists": test["complete_lists"],
        **{f"only {n} of the symptoms given": test["by_symptoms_given"][n]["cut_short"] for n in ("1", "2", "3", "5")},
    }
    rows = [
        [name, str(m["lists"]), figure(m["top1"]), figure(m["top5"]), f"{m['ece']:.3f}"] for name, m in measured.items()
    ]
    return table(["**disease** (773 diseases, synthetic)", "n", "top-1", "top-5", "calibration error"], rows)


def _risk_table(test: Mapping[str, Any]) -> str:
    """Heart risk within the sites and on a site that training never saw."""
    out = test["leave_one_site_out"]["seven_inputs"]
    measured = {
        "10-fold, seven inputs": test["ten_fold"]["seven_inputs"],
        "10-fold, all inputs": test["ten_fold"]["all_inputs"],
        "a site left out, all four": out["pooled"],
        **{f"a site left out: {site}": figures for site, figures in out["by_site"].items()},
    }
    rows = [
        [name, str(m["patients"]), figure(m["auc"]), f"{m['brier']:.3f}", f"{m['ece']:.3f}"]
        for name, m in measured.items()
    ]
    return table(["**heart-risk** (UCI, four sites)", "n", "AUC", "Brier score", "calibration error"], rows)


def _gate_table(test: Mapping[str, Any]) -> str:
    """Which pictures the input gate lets through, by the kind asked for."""
    return f"Share of test pictures that the input gate accepts for each kind:\n\n{acceptance_table(test)}"


def results_markdown() -> str:
    """The block between the README's markers."""
    manifests = list(shipped())
    images = [m for m in manifests if "by_group" in m.metrics.get("test", {})]
    others = [m for m in manifests if m not in images]
    parts = [
        f"Test splits by lesion, patient or unique symptom vector; {INTERVALS}.",
        table(["model", "n", "accuracy", "balanced accuracy", "macro AUC", "evidence"], _image_rows(images)),
        *_points(images),
        *(_symptom_table(m.metrics["test"]) for m in others if "complete_lists" in m.metrics["test"]),
        *(_risk_table(m.metrics["test"]) for m in others if "ten_fold" in m.metrics["test"]),
        *(_gate_table(m.metrics["test"]) for m in others if "accepted" in m.metrics["test"]),
    ]
    return "\n\n".join(part for part in parts if part)


def updated(readme: str) -> str:
    """`readme` with the block written anew. Raises ValueError where the markers are missing."""
    if START not in readme or END not in readme:
        raise ValueError(f"README.md lacks {START} or {END}")
    before, rest = readme.split(START, 1)
    return f"{before}{START}\n{results_markdown()}\n{END}{rest.split(END, 1)[1]}"


def page_markdown() -> str:
    """docs/results.md: every image model with all of its figures, then the other models."""
    parts = [
        "# Measured results\n\nWritten by `make results` from the manifests; no figure is typed by hand.",
        results_markdown(),
    ]
    tasks = {task.id: task for task in load_image_tasks()}
    for manifest in shipped():
        task = tasks.get(manifest.task.removesuffix("-signal"))
        if task is None or "by_group" not in manifest.metrics.get("test", {}):
            continue
        title = task.title if manifest.task == task.id else f"{task.title}, recordings"
        measured = measured_markdown(task, manifest).replace("](", f"](../ml_model/models/{manifest.task}/")
        parts.append(f"## {title}\n\nVersion {manifest.version}, evidence {manifest.evidence}.\n\n{measured.strip()}")
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """0 when both are (now) fresh."""
    parser = command_parser(__doc__ or "")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    fresh = {README: updated(README.read_text(encoding="utf-8")), PAGE: page_markdown()}
    stale = [p for p, text in fresh.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    if options.check:
        names = " and ".join(path.name for path in stale)
        print(f"{names}: stale, run make results" if stale else "README.md and results.md are fresh")
        return int(bool(stale))
    for path in stale:
        path.write_text(fresh[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
