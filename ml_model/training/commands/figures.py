"""What a run ends with on the screen: the test figures of its bundle, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ml_model.training.reports.markdown import figure

if TYPE_CHECKING:
    from ml_model.inference.bundle import Bundle
    from ml_model.inference.measured import Brief, Summary
    from ml_model.inference.measured_tabular import GateTest, RiskTest, SymptomTest

CARD = "card.md"
MEASURED = ("accuracy", "balanced_accuracy", "macro_auc")


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for the terminal: every column as wide as its widest cell."""
    widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in (header, *rows)
    )


def _image_figures(bundle: Bundle) -> str:
    """Test split, each of its data sets where there are several, cross-validation; 95 % intervals in brackets."""
    test, crossed = bundle.manifest.image_test, bundle.manifest.image_metrics.cross_validation
    sources = {p.title: p for p in test.by_group.values() if p.known == "nothing" and not (p.view or p.attribute)}
    measured: dict[str, Summary | Brief] = {"test": test, **(sources if len(sources) > 1 else {})}
    if crossed:
        measured[f"{crossed.source}, {crossed.folds}-fold"] = crossed.model
    measured |= {f"abroad, {name}": row for name, row in (bundle.manifest.image_metrics.external or {}).items()}
    rows = [[name, str(m.count), *(figure(getattr(m, k)) for k in MEASURED)] for name, m in measured.items()]
    return _with_place(columns(("split", "n", "accuracy", "balanced accuracy", "AUC"), rows), bundle)


def _gate_figures(bundle: Bundle, test: GateTest) -> str:
    """By kind asked for: the share of its own test pictures that is accepted, and that of others, at worst."""
    rows = []
    for kind, row in test.accepted.items():
        others = max((v for name, v in row.items() if name != kind), default=0.0)
        rows.append([kind, str(test.count.get(kind, 0)), f"{row.get(kind, 0.0):.3f}", f"{others:.3f}"])
    return _with_place(columns(("test kind", "n", "own accepted", "others accepted, at worst"), rows), bundle)


def _symptom_figures(bundle: Bundle, test: SymptomTest) -> str:
    """Ranking of the test lists; 95 % intervals in brackets."""
    named = {"test, every patient": test.complete_lists, "test, every vector once": test.distinct_vectors}
    rows = [[name, str(m.lists), figure(m.top1), figure(m.top5)] for name, m in named.items()]
    return _with_place(columns(("split", "n", "top-1", "top-5"), rows), bundle)


def _risk_figures(bundle: Bundle, test: RiskTest) -> str:
    """Cross-validated figures of the seven required inputs; 95 % intervals in brackets."""
    named = {
        "ten-fold": test.ten_fold["seven_inputs"],
        "a site left out": test.leave_one_site_out["seven_inputs"].pooled,
    }
    rows = [[name, str(m.patients), figure(m.auc), f"{m.brier:.3f}"] for name, m in named.items()]
    return _with_place(columns(("split", "n", "AUC", "Brier score"), rows), bundle)


def figures_of(bundle: Bundle) -> str:
    """Of a bundle of any kind. Raises ValueError where the test split was not read."""
    from ml_model.inference.measured_tabular import GateMetrics, RiskMetrics, SymptomMetrics

    metrics = bundle.manifest.metrics
    if isinstance(metrics, GateMetrics) and metrics.test:
        return _gate_figures(bundle, metrics.test)
    if isinstance(metrics, SymptomMetrics) and metrics.test:
        return _symptom_figures(bundle, metrics.test)
    if isinstance(metrics, RiskMetrics) and metrics.test:
        return _risk_figures(bundle, metrics.test)
    return _image_figures(bundle)


def _with_place(table: str, bundle: Bundle) -> str:
    lines = [table, f"bundle: {bundle.path}"]
    if (bundle.path / CARD).is_file():
        lines.append(f"card:   {bundle.path / CARD}")
    if bundle.path.name == bundle.manifest.task:  # else the service does not find it there
        lines.append(f"serve:  MODEL_DIR={bundle.path.parent} python backend/server.py")
    return "\n".join(lines)
