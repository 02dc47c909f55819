"""The application factory: everything is made here, from one frozen Config."""

from __future__ import annotations

import functools
import sys
import threading

from flask_cors import CORS
from flask_openapi3 import APIBlueprint, OpenAPI

from backend.api import analyze, chat, compat, health, models, pages, predict, scans
from backend.api.records import accounts, batches, history, interop, monitoring, oidc, predictions, reports
from backend.api.records.identity import Kind, current_account, set_up_tokens, signed_by_us
from backend.api.records.limits import set_up_limits
from backend.config import Config
from backend.endpoint import COOKIE, COUNT, IDENTIFY, SERVICES, SIGNED, SignedCookie, UploadRequest, check_host
from backend.errors import register_error_handlers
from backend.log_writer import LogWriter
from backend.memory import give_large_memory_back, keep_what_is_loaded
from backend.openapi import api_info, build_document
from backend.schemas.accounts import Account
from backend.schemas.common import ErrorAnswer
from backend.services.chat.conversation import Chat
from backend.services.container import Services
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.services.records.sessions import SessionHistory
from backend.services.records.store import RecordStore
from backend.services.scans.answering import ScanDiagnosis
from backend.services.scans.processing import Processing
from backend.services.scans.series import SeriesDiagnosis, limits_of
from backend.services.symptoms import SymptomDiagnosis
from backend.services.tabular import RiskDiagnosis
from backend.storage.secret_key import secret_of
from backend.telemetry import Readiness, make_logger, make_metrics, register_telemetry
from ml_model.diagnosis.reading import reading_pool
from ml_model.tasks.registry import load_tasks

_MODELS_WITHIN_S = 120.0
_RECORDS = (accounts.api, predictions.api, batches.api, history.api, reports.api, interop.api, monitoring.api)


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
    app, secret = _bare(), secret_of(config)
    app.config.update(SECRET_KEY=secret, SESSION_COOKIE_NAME=COOKIE, SESSION_COOKIE_SAMESITE="Lax")
    # Werkzeug would answer a doubled slash with an HTML redirect.
    app.url_map.merge_slashes = False
    metrics = make_metrics()
    metrics.log_lines_dropped.set_function(lambda: log.dropped)
    store, pool, readiness = ModelStore(tasks, config, logger, metrics), reading_pool(), Readiness()
    images = ImageDiagnosis(store, metrics, config.demo_mode, pool)
    symptoms = SymptomDiagnosis(store, config.demo_mode)
    records = RecordStore(config, secret, store.tasks, pool, logger, images, readiness)
    any_file = ScanDiagnosis(store, images, records, logger, config.result_cache_bytes)
    services = Services(
        config=config,
        models=store,
        images=images,
        scans=any_file,
        processing=Processing(any_file, images),
        series=SeriesDiagnosis(any_file, images, limits_of(config), lambda: readiness.draining_since is not None),
        symptoms=symptoms,
        risk=RiskDiagnosis(store, config.demo_mode),
        chat=Chat(store, images, symptoms, records, config.chat),
        sessions=SessionHistory(),
        records=records,
        metrics=metrics,
        readiness=readiness,
        logger=logger,
    )
    app.services, app.log = services, log
    app.extensions[SERVICES] = services
    register_telemetry(app, logger, services.metrics, services.readiness)
    app.before_request(functools.partial(check_host, config.allowed_hosts))
    register_error_handlers(app)
    _allow_origins(app, config)
    _let_in(app, config, secret)
    for resource in (analyze, scans, chat, compat, predict, health, models):
        app.register_api(resource.api)
    _register_records(app)
    pages.register_pages(app, build_document(app, tasks))
    store.start()
    return app


def _bare() -> Application:
    return Application(
        "backend",
        info=api_info(),
        doc_ui=False,
        validation_error_model=ErrorAnswer,
        static_folder=str(pages.FRONTEND),
        static_url_path="/static",
    )


def _records(config: Config) -> tuple[APIBlueprint, ...]:
    return (*_RECORDS, *([oidc.api] if config.oidc_issuer else []))


def _register_records(app: Application) -> None:
    """Under /api/v1, and under /api for older clients; the document has the former."""
    for api in _records(app.services.config):
        app.register_api(api)
        app.register_blueprint(api, url_prefix=str(api.url_prefix).replace("/api/v1", "/api"), name=f"{api.name}-older")


def begin_to_serve(app: Application) -> None:
    """What a process does that serves the application, once: settings and processes that outlast it."""
    give_large_memory_back()
    keep_what_is_loaded(app.services.models.wait_loaded)
    app.services.images.start_reading()
    threading.Thread(target=_prepare_chat, args=[app.services], name="chat", daemon=True).start()
    if app.services.records.asked_for or app.services.records.unfinished:
        threading.Thread(target=_open_records, args=[app.services], name="records", daemon=True).start()


def _prepare_chat(services: Services) -> None:
    """Behind the models, the checker of symptoms among them, for which every question is held up until it is built."""
    services.models.wait_loaded()
    services.chat.prepare_library()


def _open_records(services: Services) -> None:
    """Of a database that the operator named, or with batches that a stop left undone: behind the models, so that
    /health tells of it. Else the file in the data folder is opened, or made, when the first record is asked for."""
    services.models.wait_ready(_MODELS_WITHIN_S)
    services.records.try_to_open()


def _let_in(app: Application, config: Config, secret: str) -> None:
    """Whose token a request has is told by the accounts, which are opened when the first is asked for; an account, and
    an address, may ask so often."""
    set_up_tokens(app, config, secret)
    count = set_up_limits(app, config, {api.name for api in _records(config)})

    def told_by(user_id: str, generation: int, token_id: str, session_id: str, used: bool) -> Account:
        accounts = app.services.records.open().accounts
        return accounts.told_by(user_id, generation, token_id, session_id, used=used)

    def identify(*, required: bool = True, kind: Kind = "access") -> Account | None:
        account = current_account(told_by, required=required, kind=kind)
        if account is not None:
            count()
        return account

    app.extensions[SIGNED] = functools.partial(signed_by_us, app)
    app.extensions[IDENTIFY], app.extensions[COUNT] = identify, count


def _allow_origins(app: Application, config: Config) -> None:
    """Browsers on these origins may call the API."""
    CORS(
        app,
        origins=list(config.cors_origins),
        send_wildcard="*" in config.cors_origins,
        expose_headers=["X-Request-ID", "Retry-After"],
        max_age=86400,
    )
