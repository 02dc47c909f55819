"""The application factory: everything is made here, from one frozen Config."""

from __future__ import annotations

import functools
import secrets
import sys

from flask_cors import CORS
from flask_openapi3 import OpenAPI

from backend.api import analyze, compat, health, models, pages, predict
from backend.config import Config
from backend.endpoint import COOKIE, SERVICES, SignedCookie, UploadRequest, check_host
from backend.errors import register_error_handlers
from backend.log_writer import LogWriter
from backend.memory import give_large_memory_back, keep_what_is_loaded
from backend.openapi import api_info, build_document
from backend.schemas.common import ErrorAnswer
from backend.services.container import Services
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.services.records.sessions import SessionHistory
from backend.services.symptoms import SymptomDiagnosis
from backend.services.tabular import RiskDiagnosis
from backend.telemetry import Readiness, make_logger, make_metrics, register_telemetry
from ml_model.diagnosis.reading import reading_pool
from ml_model.tasks.registry import load_tasks


class Application(OpenAPI):
    """Flask with our request class and the services in reach of whoever runs it."""

    request_class = UploadRequest
    session_interface = SignedCookie()
    services: Services
    log: LogWriter


def create_app(config: Config) -> Application:
    """The application, its models loading in the background. Raises TaskFileInvalid for a bad task file."""
    tasks = load_tasks(config.tasks_dir)
    log = LogWriter(sys.stdout)
    logger = make_logger(config.log, log)
    app = Application(
        "backend",
        info=api_info(),
        doc_ui=False,
        validation_error_model=ErrorAnswer,
        static_folder=str(pages.FRONTEND),
        static_url_path="/static",
    )
    app.config.update(
        SECRET_KEY=config.secret_key or secrets.token_hex(32),
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    # Werkzeug would answer a doubled slash with an HTML redirect.
    app.url_map.merge_slashes = False
    metrics = make_metrics()
    metrics.log_lines_dropped.set_function(lambda: log.dropped)
    store = ModelStore(tasks, config, logger, metrics)
    services = Services(
        config=config,
        models=store,
        images=ImageDiagnosis(store, metrics, config.demo_mode, reading_pool()),
        symptoms=SymptomDiagnosis(store, config.demo_mode),
        risk=RiskDiagnosis(store, config.demo_mode),
        sessions=SessionHistory(),
        metrics=metrics,
        readiness=Readiness(),
        logger=logger,
    )
    app.services, app.log = services, log
    app.extensions[SERVICES] = services
    register_telemetry(app, logger, services.metrics, services.readiness)
    app.before_request(functools.partial(check_host, config.allowed_hosts))
    register_error_handlers(app)
    _allow_origins(app, config)
    for resource in (analyze, compat, predict, health, models):
        app.register_api(resource.api)
    pages.register_pages(app, build_document(app, tasks))
    store.start()
    return app


def begin_to_serve(app: Application) -> None:
    """What a process does that serves the application, once: settings and processes that outlast it."""
    give_large_memory_back()
    keep_what_is_loaded(app.services.models.wait_loaded)
    app.services.images.start_reading()


def _allow_origins(app: Application, config: Config) -> None:
    """Browsers on these origins may call the API."""
    CORS(
        app,
        origins=list(config.cors_origins),
        send_wildcard="*" in config.cors_origins,
        expose_headers=["X-Request-ID", "Retry-After"],
        max_age=86400,
    )
