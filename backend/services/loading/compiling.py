"""How bundles are made ready to answer: by which engine, from which cache, and held against which thresholds."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from backend.config import Config
from backend.services.loading.bundles import Compile, Task, signal_bundle_id
from backend.services.loading.faults import OF_ALL, Faults
from ml_model.inference.bundle import Bundle
from ml_model.inference.compiled_cache import CompiledCache
from ml_model.inference.local.settings import LocalPointsInvalid, read_local_settings, with_local_points
from ml_model.inference.predictor import Predictor

SETTING = "LOCAL_OPERATING_POINTS"


def compiler(config: Config, tasks: Sequence[Task], faults: Faults) -> Compile:
    """Of bundles; they are held against the site's own operating points where the setting's file has some that fit.
    What does not fit is reported, here and by the answers, and the bundle's own thresholds serve."""
    cache = CompiledCache(config.data_dir / "compiled", faults.cache)
    plain: Compile = functools.partial(Predictor, engine=config.engine, cache=cache)
    if config.local_operating_points is None:
        return plain
    try:
        settings = read_local_settings(config.local_operating_points)
    except LocalPointsInvalid as error:
        said = LocalPointsInvalid(f"{error}; local operating points are not used, the model's own thresholds serve")
        faults.unused_points[OF_ALL] = faults.problem(SETTING, said)
        return plain
    known = {name for task in tasks for name in (task.id, signal_bundle_id(task))}
    strange = {name: "there is no such model here" for name in settings.points if name not in known}
    for name, why in {**settings.problems, **strange}.items():
        said = LocalPointsInvalid(f"local operating points for {name!r:.80} are not used: {why}")
        faults.unused_points[name] = faults.problem(name if name in known else SETTING, said)

    def held_locally(bundle: Bundle) -> Predictor:
        points = settings.points.get(bundle.manifest.task)
        if points is not None:
            try:
                bundle = with_local_points(bundle, points)
            except LocalPointsInvalid as error:
                faults.unused_points[bundle.manifest.task] = faults.problem(bundle.manifest.task, error)
        return plain(bundle)

    return held_locally
