"""What is loaded, and the card of each model."""

from __future__ import annotations

import json
from typing import Literal

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from backend.errors import NotFound
from backend.parsing import strict
from backend.schemas import ModelDescription, ModelsAnswer, to_json
from backend.services import catalogue
from backend.services.container import Services
from backend.services.loading import Task

MIMETYPES = {"application/json": "json", "text/html": "html", "text/markdown": "markdown"}


class CardQuery(BaseModel):
    """The card's form; the Accept header decides where this is absent."""

    format: Literal["markdown", "json", "html"] | None = Field(None, description="markdown unless said otherwise")
    member: Literal["signal"] | None = Field(None, description="the model of recordings in place of that of pictures")


def blueprint(services: Services) -> APIBlueprint:
    """The routes about models."""
    api = APIBlueprint(
        "models", __name__, abp_tags=[Tag(name="Models", description="what answers, and how good it is")]
    )
    models = services.models

    def known(task: str) -> Task:
        if task not in models.tasks:
            raise NotFound(f"there is no task {task!r:.80}; tasks: {', '.join(models.tasks)}")
        return models.tasks[task]

    @api.get("/models", summary="Every task and its model", responses={200: ModelsAnswer})
    def index() -> Response:
        """Classes, fields, version, checksum, measured figures with their intervals, licence and limits."""
        found = catalogue.describe_all(models)
        return to_json(ModelsAnswer(models=found, count=len(found)))

    @api.get("/models/<task>", summary="One task and its model", responses={200: ModelDescription})
    @strict
    def one(task: str) -> Response:
        """The entry of GET /models for one task."""
        return to_json(catalogue.describe(known(task), models.current(task), models.signal(task)))

    @api.get(
        "/models/<task>/card",
        summary="The model's card",
        responses={200: {"content": {"text/markdown": {}, "application/json": {}, "text/html": {}}}},
    )
    @strict
    def card(task: str, query: CardQuery) -> Response:
        """Markdown, JSON or HTML: by `format`, else by the Accept header, else Markdown. `member`: see GET /models."""
        found = known(task)
        loaded = models.current(task) if query.member is None else models.signal(task)
        best = request.accept_mimetypes.best_match(["text/markdown", *MIMETYPES])
        kind = query.format or MIMETYPES.get(best or "", "markdown")
        if kind == "html" and catalogue.bundled_card(loaded, "html") is None:
            kind = "markdown"
        mimetype = {form: name for name, form in MIMETYPES.items()}[kind]
        if (file := catalogue.bundled_card(loaded, kind)) is not None:
            return Response(file.read_bytes(), mimetype=mimetype)
        if kind == "json":
            text = json.dumps(catalogue.card_json(found, loaded), allow_nan=False) + "\n"
        else:
            text = catalogue.card_markdown(found, loaded)
        return Response(text, mimetype=mimetype)

    return api
