"""Does a bundle's manifest speak of the labels, classes, findings and data sets that the task file declares?

The contract's hash binds a graph to input and class order. What was settled on validation is bound here, by its names:
serving looks each of them up, and a task file that was edited since would end in a failed look-up, or in a finding
that is never suspected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ml_model.diagnosis.population import AGE_GIVEN, PAGE, view_key
from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle, Manifest
from ml_model.tasks.registry import ImageTask

_VIEW = view_key("", "")


def require_fit(bundle: Bundle, task: ImageTask) -> None:
    """Raises BundleInvalid that says everything in which manifest and task file differ."""
    if differences := list(_differences(bundle.manifest, task)):
        raise BundleInvalid(
            f"{bundle.path.name}: does not fit tasks/{task.id}.toml: {'; '.join(differences)}; "
            "measure it again (--measure), train it again, or restore the task file"
        )


def _differences(manifest: Manifest, task: ImageTask) -> Iterator[str]:
    if manifest.classes != task.codes:
        yield f"its classes are {_list(manifest.classes)}, declared are {_list(task.codes)}"
    yield from _of_lengths(manifest, task)
    if sets := manifest.prediction_sets:
        yield from _of_names("prediction sets", "labels", sets.thresholds, task.measured_labels)
        for population, thresholds in sets.by_population.items():
            yield from _of_names(f"prediction sets of {population}", "labels", thresholds, task.measured_labels)
    for key, found in {"": manifest.findings, **manifest.findings_by_population}.items():
        if found:
            told = f"the findings of {key}" if key else "the findings"
            yield from _of_names(told, "codes", found, [rule.code for rule in task.findings])
        if any(thresholds.local for thresholds in found.values()):
            yield "it holds thresholds of a site's own, which are no part of a bundle"
    if manifest.balanced:
        yield from _of_names("the weights", "classes", manifest.balanced.weights, task.codes)
    yield from _of_populations(manifest, task)


def _of_lengths(manifest: Manifest, task: ImageTask) -> Iterator[str]:
    calibration, effect = manifest.calibration, manifest.age_effect
    lengths = {"calibration": (calibration.slope, calibration.intercept) if calibration else ()}
    lengths["age effect"] = (effect.at_reference, effect.per_decade) if effect else ()
    for what, each in lengths.items():
        if any(len(values) != len(task.codes) for values in each):
            yield f"its {what} has {_list(str(len(v)) for v in each)} values for {len(task.codes)} classes"


def _of_populations(manifest: Manifest, task: ImageTask) -> Iterator[str]:
    """Each is a data set of the task."""
    by_population = manifest.prediction_sets.by_population if manifest.prediction_sets else {}
    keys = {key.split(_VIEW)[0] for key in (*manifest.findings_by_population, *by_population)} - {AGE_GIVEN, PAGE}
    used = {*manifest.populations, *manifest.evidence_by_population, *keys}
    known = [dataset.name for dataset in task.datasets]
    if unknown := sorted(used - set(known)):
        yield f"it tells apart the data sets {_list(unknown)}, declared are {_list(known)}"


def _of_names(what: str, kind: str, given: Collection[str], declared: Collection[str]) -> Iterator[str]:
    if set(given) != set(declared):
        yield f"{what}: its {kind} are {_list(given)}, declared are {_list(declared)}"


def _list(names: Collection[str] | Iterator[str]) -> str:
    return ", ".join(names) or "none"
