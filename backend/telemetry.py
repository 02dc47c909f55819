"""What is known about a request: its id, a log line, counters, and the headers every response carries.

Nothing here sees an upload, a file name, a symptom or a value: the log line has the route
as declared (never the path as sent), the status and the time.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TextIO, cast

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from backend.errors import Draining
from backend.log_writer import LogWriter

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# What a server that stands before us refuses by itself takes the way of every answer: it puts the error here, and has
# the shape, the headers, the log line and the counter of any other.
REFUSAL = "backend.refusal"
LATENCY_BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DEADLINE_S = 30.0  # of a request, where the server sets none
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}  # for a year, no more plain HTTP to this name
Logger = structlog.typing.FilteringBoundLogger


def make_logger(enabled: bool, writer: LogWriter) -> Logger:
    """A logger of JSON lines; nothing global is configured."""
    lowest = logging.INFO if enabled else logging.CRITICAL
    logger: Logger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, writer)),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
    )
    return logger


@dataclass(frozen=True)
class Metrics:
    """Counters of one application, in a registry of its own."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    answers: Counter
    model_loaded: Gauge
    compiled_graphs: Counter
    log_lines_dropped: Gauge
    refused: Counter
    drift_p_value: Gauge
    drifted: Gauge

    def text(self) -> Response:
        """The Prometheus exposition."""
        return Response(generate_latest(self.registry), content_type=CONTENT_TYPE_LATEST)


def make_metrics() -> Metrics:
    """Fresh counters."""
    registry = CollectorRegistry()
    route_labels = ("method", "route")
    return Metrics(
        registry=registry,
        requests=Counter(
            "medidiagnose_requests", "Requests by route and status", (*route_labels, "status"), registry=registry
        ),
        seconds=Histogram(
            "medidiagnose_request_seconds",
            "Time to answer",
            route_labels,
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        ),
        answers=Counter(
            "medidiagnose_answers", "Answers by task, demo mode apart", ("task", "demo"), registry=registry
        ),
        model_loaded=Gauge("medidiagnose_model_loaded", "1 if a model serves the task", ("task",), registry=registry),
        compiled_graphs=Counter(
            "medidiagnose_compiled_graphs",
            "Compiled graphs by what became of them: read, written, damaged, not_kept",
            ("outcome",),
            registry=registry,
        ),
        log_lines_dropped=Gauge(
            "medidiagnose_log_lines_dropped", "Log lines that nobody took, of this process", registry=registry
        ),
        refused=Counter("medidiagnose_refused", "Requests refused for want of room", registry=registry),
        drift_p_value=Gauge(
            "medidiagnose_drift_p_value",
            "How probable chance alone makes the difference of kept records from the reference",
            ("task", "figure"),
            registry=registry,
        ),
        drifted=Gauge("medidiagnose_drifted", "1 if a figure of kept records differs", ("task",), registry=registry),
    )


@dataclass
class Readiness:
    """Whether the server wants work. Set once, by the server, when it is told to stop."""

    started: float = field(default_factory=time.monotonic)
    draining_since: float | None = None


@dataclass(frozen=True)
class RequestContext:
    """What a service needs to know about the request it answers, without anything of Flask in it.

    `answer_id` is always made here, unguessable and never logged; `request_id` may be the client's, and is logged.
    `started` is perf_counter, `deadline`, by which there must be an answer, time.monotonic. `owner`: the account that
    asked, to whom alone what is left of the answer then belongs; None for anybody who has its address.
    """

    request_id: str
    answer_id: str
    started: float
    deadline: float
    owner: str | None = None

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return round((time.perf_counter() - self.started) * 1000, 2)


def request_context() -> RequestContext:
    """The current request."""
    deadline = request.environ.get("backend.deadline") or time.monotonic() + DEADLINE_S
    return RequestContext(g.request_id, g.answer_id, g.started, deadline, g.get("user_id"))


def _begin(logger: Logger, readiness: Readiness) -> None:
    g.started = time.perf_counter()
    # The id under which a heatmap is fetched is always ours: one chosen by a client could be guessed or reused. Whoever
    # has it sees the heatmap, so that it is never logged, as the id of the request is.
    g.answer_id = str(uuid.uuid4())
    asked = request.headers.get("X-Request-ID", "")
    g.request_id = asked if SANE_REQUEST_ID.fullmatch(asked) else str(uuid.uuid4())
    g.logger = logger
    if (refusal := request.environ.get(REFUSAL)) is not None:
        raise refusal
    since = readiness.draining_since
    # The server notes when a request's first byte came: one that was under way is finished.
    received = request.environ.get("backend.received_at", float("inf"))
    if since is not None and request.method == "POST" and received > since:
        raise Draining("the server is shutting down and takes no new work; try again in a moment")


def _finish(response: Response, logger: Logger, metrics: Metrics) -> Response:
    seconds = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else "unmatched"
    # A method is free text to HTTP: an unmatched one must not become a new label.
    method = request.method if request.url_rule else "other"
    metrics.requests.labels(method, route, response.status_code).inc()
    metrics.seconds.labels(method, route).observe(seconds)
    response.headers["X-Request-ID"] = g.request_id
    for name, value in (SECURITY_HEADERS | (OVER_TLS if request.is_secure else {})).items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    logger.info(
        "request",
        request_id=g.request_id,
        method=method,
        route=route,
        task=g.get("task"),
        user_id=g.get("user_id"),
        status=response.status_code,
        code=g.get("error_code"),
        ms=round(seconds * 1000, 2),
    )
    return response


def register_telemetry(app: Flask, logger: Logger, metrics: Metrics, readiness: Readiness) -> None:
    """Wrap every request of the application; new work is refused while the server drains."""

    @app.before_request
    def begin() -> None:
        _begin(logger, readiness)

    @app.after_request
    def finish(response: Response) -> Response:
        return _finish(response, logger, metrics)
