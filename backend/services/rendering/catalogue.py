"""What each task is and which model serves it, and the card of that model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.schemas.common import ModelDescription
from backend.services.loading.bundles import LoadedModel, Task
from backend.services.loading.models import ModelStore
from backend.services.rendering.messages import DISCLAIMER
from ml_model.inference.bundle import FindingThresholds, Manifest
from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask

CARD_FILE = "card.md"


def endpoint_of(task: Task) -> str:
    """Where the task is called."""
    if isinstance(task, ImageTask):
        return f"/analyze/{task.id}"
    return "/predict-disease" if isinstance(task, SymptomTask) else "/predict-heart"


def _details(task: Task, loaded: LoadedModel | None) -> dict[str, Any]:
    if isinstance(task, ImageTask):
        kept = {"code", "name", "type", "severity", "birads"}
        return {
            "multi_label": task.multi_label,
            "input": task.input.model_dump(mode="json"),
            **({"signal": task.signal.model_dump(mode="json")} if task.signal else {}),
            "classes": tuple(c.model_dump(mode="json", include=kept, exclude_none=True) for c in task.classes),
        }
    if isinstance(task, RiskTask):
        return {"fields": tuple(field.model_dump(mode="json") for field in task.features)}
    return {"classes": tuple({"name": name} for name in loaded.bundle.manifest.classes) if loaded else ()}


def _populations(manifest: Manifest) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"name": name, "evidence": evidence, "findings": _thresholds(manifest.findings_by_population.get(name, {}))}
        for name, evidence in manifest.evidence_by_population.items()
    )


def _thresholds(found: Mapping[str, FindingThresholds]) -> dict[str, Any]:
    return {code: thresholds.model_dump() for code, thresholds in found.items()}


def _member(loaded: LoadedModel) -> dict[str, Any]:
    """The model of a task's recordings, beside that of its pictures."""
    m = loaded.bundle.manifest
    return {
        "name": m.task,
        "version": m.version,
        "sha256": loaded.bundle.sha256,
        "evidence": m.evidence,
        "metrics": m.metrics.model_dump(mode="json"),
    }


def describe(task: Task, loaded: LoadedModel | None, signal: LoadedModel | None = None) -> ModelDescription:
    """One entry of GET /models. signal: the model of the task's recordings."""
    manifest = loaded.bundle.manifest if loaded else None
    return ModelDescription.model_validate(
        {
            "task": task.id,
            "title": task.title,
            "kind": task.kind,
            "endpoint": endpoint_of(task),
            "loaded": loaded is not None,
            "source": loaded.source if loaded else None,
            "version": manifest.version if manifest else None,
            "sha256": loaded.bundle.sha256 if loaded else None,
            "trained_on": manifest.trained_on if manifest else None,
            "evidence": manifest.evidence if manifest else "insufficient",
            "licence": manifest.licence if manifest else task.licence,
            "intended_use": task.intended_use,
            "limits_of_use": task.limits_of_use,
            **_details(task, loaded),
            "findings": _thresholds(manifest.findings) if manifest else {},
            "populations": _populations(manifest) if manifest else (),
            "age_counts": manifest is not None and manifest.age_effect is not None,
            **({"members": (_member(signal),)} if signal else {}),
            "metrics": manifest.metrics.model_dump(mode="json") if manifest else {},
        }
    )


def describe_all(models: ModelStore) -> tuple[ModelDescription, ...]:
    """Every task of the registry, as it stands now."""
    found = models.tasks.values()
    return tuple(describe(task, models.current(task.id), models.current_signal(task.id)) for task in found)


def card_json(task: Task, loaded: LoadedModel | None) -> dict[str, Any]:
    """The card as data: the description, plus what the manifest says about training."""
    card = describe(task, loaded).model_dump(mode="json", by_alias=True, exclude_unset=True)
    if loaded:
        manifest = loaded.bundle.manifest
        card["training"] = {
            "created": manifest.created,
            "git_commit": manifest.git_commit,
            "seed": manifest.seed,
            "library_versions": manifest.library_versions,
            "recipe": manifest.recipe,
            "data_fingerprints": manifest.data_fingerprints,
        }
    card["disclaimer"] = DISCLAIMER
    return card


def card_markdown(task: Task, loaded: LoadedModel | None, problem: str | None = None) -> str:
    """The card that was written with the model; where there is none, what is known without one.

    problem: why the task's own bundle cannot be used.
    """
    if loaded and CARD_FILE in loaded.bundle.manifest.files:
        return loaded.bundle.read(CARD_FILE).decode()
    if problem:
        state = f"The model of this task cannot be used, and the task answers nothing (503): {problem}."
    elif loaded is None:
        state = "No trained model is loaded for this task; it answers with a marked example."
    else:
        state = f"The model of this task came without a card; what is known of it is at `/models/{task.id}`."
    limits = "\n".join(f"- {limit}" for limit in task.limits_of_use)
    head = f"# {task.title}\n\n> {DISCLAIMER}\n\n{state}"
    return f"{head}\n\n## Intended use\n{task.intended_use}\n\n## Limits\n{limits}\n"
