"""Is it up, is it ready, what has it counted."""

from __future__ import annotations

import functools
import importlib.util
import time

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from backend.endpoint import strict, to_json
from backend.schemas.common import HealthAnswer, StateAnswer
from backend.services.container import Services
from backend.services.loading.bundles import signal_bundle_id
from backend.services.rendering.messages import SERVICE_NAME, service_version
from ml_model.tasks.registry import ImageTask

READY_RETRY_S = 2
LOADING_PAUSE_S = 0.1
TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}


api = APIBlueprint("health", __name__, abp_tags=[Tag(name="Service", description="health, readiness, counters")])


def _loaded(services: Services) -> dict[str, bool]:
    """By task, and by the models of recordings, whether a trained model serves it."""
    models = services.models
    recordings = [t for t in models.tasks.values() if isinstance(t, ImageTask) and t.signal]
    return {
        **{task.health_key: models.current(task.id) is not None for task in models.tasks.values()},
        **{signal_bundle_id(t).replace("-", "_"): models.current_signal(t.id) is not None for t in recordings},
    }


@api.get("/health", summary="What is loaded", responses={200: HealthAnswer})
@strict
def health(services: Services) -> HealthAnswer:
    """`models` says for each task whether a trained model serves it; `problems` says why one does not.

    `degraded`: a bundle is there that cannot be used, or no process can be started in which files are read, and what
    needs it answers 503; or the folder `MODEL_DIR` is not there, or the database of `DATABASE_URL`. `notes`: what costs
    no answer, such as a data folder that takes nothing.
    """
    models, unread, unkept = services.models, services.images.reading_problem, services.records.problem
    problems = {"reading": unread, "records": unkept if services.records.asked_for else None}
    told = {name: text for name, text in problems.items() if text}
    return HealthAnswer(
        status="degraded" if models.degraded or told else "healthy",
        service=SERVICE_NAME,
        version=service_version(),
        models=_loaded(services),
        problems=models.problems() | told,
        notes=models.notes() | _drift(services) | ({"records": unkept} if unkept and "records" not in told else {}),
        demo_mode=services.config.demo_mode,
        # Found, not imported: TensorFlow takes seconds and serving does not need it.
        tensorflow=_importable("tensorflow"),
        pil=_importable("PIL"),
        uptime_s=round(time.monotonic() - services.readiness.started, 1),
    )


def _drift(services: Services) -> dict[str, str]:
    """Of the tasks whose kept records differ from the pictures that their model was measured on."""
    opened = services.records.opened
    found = opened.monitor.refresh_later(services.models) if opened else None
    told = {}
    for task, drift in found.tasks.items() if found else ():
        if names := [f"{one.name} (p = {one.p_value:.1g})" for one in drift.figures if one.state == "drifted"]:
            told[f"drift of {task}"] = f"the newest records differ in {', '.join(names)}; see GET /api/v1/stats/drift"
    return told


@functools.cache
def _importable(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@api.get("/livez", summary="Is the process alive", responses={200: StateAnswer})
@strict
def livez() -> StateAnswer:
    """200 as long as requests are answered at all."""
    return StateAnswer(status="alive")


@api.get("/readyz", summary="Is it ready for work", responses={200: StateAnswer, 503: StateAnswer})
@strict
def readyz(services: Services) -> Response:
    """503 while models load, while the server drains, and where no task that has a bundle can answer."""
    models = services.models
    draining = services.readiness.draining_since is not None
    # A client that asks again and again without a pause must not take the interpreter from the thread that loads.
    loading = not models.wait_ready(LOADING_PAUSE_S)
    if not (loading or draining or models.all_down()):
        return to_json(StateAnswer(status="ready", models=_loaded(services)))
    status = "draining" if draining else "loading" if loading else "degraded"
    response = to_json(StateAnswer(status=status, models=_loaded(services)), 503)
    response.headers["Retry-After"] = str(READY_RETRY_S)
    return response


@api.get("/metrics", summary="Prometheus counters", responses={200: TEXT})
@strict
def metrics(services: Services) -> Response:
    """Requests and answers; no label holds anything that a user sent."""
    found, models = services.metrics, services.models
    opened = services.records.opened
    compared = opened.monitor.refresh_later(models) if opened else None
    for name, drift in compared.tasks.items() if compared else ():
        found.drifted.labels(name).set(drift.drifted)
        for one in drift.figures:
            if one.p_value is not None:
                found.drift_p_value.labels(name, one.name).set(one.p_value)
    for task in models.tasks.values():
        found.model_loaded.labels(task.id).set(models.current(task.id) is not None)
    return found.text()
