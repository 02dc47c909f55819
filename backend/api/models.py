"""What is loaded, and the card of each model."""

from __future__ import annotations

import json
from typing import Literal

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from backend.endpoint import strict
from backend.errors import NotFound
from backend.schemas.common import ModelDescription, ModelsAnswer
from backend.services.container import Services
from backend.services.rendering import catalogue
from backend.services.rendering.card_html import card_page

MIMETYPES = {"application/json": "json", "text/html": "html", "text/markdown": "markdown"}


class CardQuery(BaseModel):
    """The card's form; the Accept header decides where this is absent."""

    format: Literal["markdown", "json", "html"] | None = Field(None, description="markdown unless said otherwise")
    member: Literal["signal"] | None = Field(None, description="the model of recordings in place of that of pictures")


api = APIBlueprint("models", __name__, abp_tags=[Tag(name="Models", description="what answers, and how good it is")])


@api.get("/models", summary="Every task and its model", responses={200: ModelsAnswer})
@strict
def index(services: Services) -> ModelsAnswer:
    """Classes, fields, version, checksum, measured figures with their intervals, licence and limits."""
    found = catalogue.describe_all(services.models)
    return ModelsAnswer(models=found, count=len(found))


@api.get("/models/<task>", summary="One task and its model", responses={200: ModelDescription})
@strict
def one(services: Services, task: str) -> ModelDescription:
    """The entry of GET /models for one task."""
    models = services.models
    return catalogue.describe(models.task(task), models.current(task), models.current_signal(task))


@api.get(
    "/models/<task>/card",
    summary="The model's card",
    responses={
        200: {
            "content": {
                "text/markdown": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
                "text/html": {"schema": {"type": "string"}},
            }
        }
    },
)
@strict
def card(services: Services, task: str, query: CardQuery) -> Response:
    """Markdown, JSON or HTML: by `format`, else by the Accept header, else Markdown. `member`: see GET /models."""
    models = services.models
    found = models.task(task)
    loaded = models.current(task) if query.member is None else models.current_signal(task)
    best = request.accept_mimetypes.best_match(["text/markdown", *MIMETYPES])
    kind = query.format or MIMETYPES.get(best or "", "markdown")
    mimetype = {form: name for name, form in MIMETYPES.items()}[kind]
    if kind == "json":
        return Response(json.dumps(catalogue.card_json(found, loaded), allow_nan=False) + "\n", mimetype=mimetype)
    text = catalogue.card_markdown(found, loaded, models.invalid(task))
    if kind == "html":
        text = card_page(found.title, text, f"/models/{task}/plots/{query.member or 'pictures'}/")
    return Response(text, mimetype=mimetype)


@api.get(
    "/models/<task>/plots/<member>/<name>",
    summary="A plot of the model's card",
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
@strict
def plot(services: Services, task: str, member: str, name: str) -> Response:
    """PNG files of the bundle; `member` is `pictures`, or `signal` for the model of recordings."""
    models = services.models
    models.task(task)
    loaded = {"pictures": models.current, "signal": models.current_signal}.get(member, lambda _: None)(task)
    if loaded is None or not name.endswith(".png") or name not in loaded.bundle.manifest.files:
        raise NotFound("there is no such plot; the card in HTML names those that there are")
    return Response(loaded.bundle.read(name), mimetype="image/png")
