"""The web app, the browsable documentation and the index of endpoints."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response, current_app, request

from backend.config import REPOSITORY
from backend.endpoint import strict, to_json
from backend.schemas.common import EndpointAnswer, IndexAnswer
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version

FRONTEND = REPOSITORY / "frontend"


PAGES = (
    EndpointAnswer(method="GET", path="/", summary="The web app for a browser, this list for a program"),
    EndpointAnswer(method="GET", path="/docs", summary="Browsable documentation"),
    EndpointAnswer(
        method="GET", path="/viewer", summary="Uploads of an account, frame by frame and through any window"
    ),
    EndpointAnswer(method="GET", path="/openapi.json", summary="OpenAPI 3.1 document"),
)


def _endpoints(document: dict[str, Any]) -> tuple[EndpointAnswer, ...]:
    return PAGES + tuple(
        EndpointAnswer(method=method.upper(), path=path, summary=operation.get("summary", ""))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )


def register_pages(app: Flask, document: dict[str, Any]) -> None:
    """GET /, /docs, /viewer, /openapi.json. `document` is the finished OpenAPI document."""
    text = json.dumps(document, allow_nan=False)
    index_json = IndexAnswer(
        name=SERVICE_NAME, version=service_version(), endpoints=_endpoints(document), disclaimer=DISCLAIMER
    )

    @app.get("/")
    @strict
    def index() -> Response:
        # JSON comes first, so that a client which takes anything (curl) gets JSON and only a browser the page.
        wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
        response = current_app.send_static_file("index.html") if wanted == "text/html" else to_json(index_json)
        response.headers["Vary"] = "Accept"
        return response

    @app.get("/docs")
    @strict
    def docs() -> Response:
        return current_app.send_static_file("docs.html")

    @app.get("/viewer")
    @strict
    def viewer() -> Response:
        return current_app.send_static_file("viewer.html")

    @app.get("/openapi.json")
    @strict
    def openapi() -> Response:
        return Response(text, mimetype="application/json")
