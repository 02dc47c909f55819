"""What the cards of all tasks have in common, and how a card becomes a file of its bundle."""

from __future__ import annotations

from ml_model.inference.bundle import Bundle, Manifest, write_bundle
from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask
from ml_model.training.reports.markdown import bullets, document, section

CARD_FILE = "card.md"


def task_card(task: ImageTask | SymptomTask | RiskTask, manifest: Manifest, *parts: str, warning: str = "") -> str:
    """The card of a task's model: what it is for, its limits and data, then `parts`. warning: what is read first."""
    data = (
        f"{d.name}: {d.population} Licence: {d.licence} Grouped by {d.group_key}. {d.citation}" for d in task.datasets
    )
    return document(
        task.title,
        warning,
        f"Evidence: **{manifest.evidence}**. For research and education only; not a medical device.",
        f"Version {manifest.version}, created {manifest.created}, licence of the model: {task.licence}",
        section("Intended use", task.intended_use),
        section("Limits", bullets(task.limits_of_use)),
        section("Data", bullets(data)),
        *parts,
    )


def add_card(bundle: Bundle, card: str) -> Bundle:
    """Write the card beside the bundle's other files and name it in the manifest; nothing else in that changes."""
    (bundle.path / CARD_FILE).write_text(card, encoding="utf-8")
    fields = {name: value for name, value in bundle.manifest if name not in ("files", "format_version")}
    return write_bundle(bundle.path, fields, [*bundle.manifest.files, CARD_FILE])
