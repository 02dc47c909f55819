"""POST /api/chat: questions about results, symptoms and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, g, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import ValidationError

from backend.endpoint import body_bytes, strict
from backend.schemas.accounts import Account
from backend.schemas.chat.turns import EVENT_STREAM, MOST_IMAGES, ChatAnswer, ChatQuestion
from backend.schemas.common import Answer
from backend.services.chat.conversation import Asked, Discarded
from backend.services.container import Services
from backend.telemetry import request_context
from ml_model.errors import EmptyInput, InvalidValue, UnknownField
from ml_model.inputs.json_body import read_body, refuse

IMAGES, TASK = "images", "task"
_AS_JSON = ("history", "answers")  # fields of a form that hold JSON
_PICTURES_ALONE = "What does this show?"

api = APIBlueprint("chat", __name__, abp_tags=[Tag(name="Chat", description="questions and answers in words")])


@api.post("/api/chat", summary="Ask about a result, symptoms or a picture", responses={200: ChatAnswer})
@strict
def chat(services: Services, account: Account | None) -> Answer | Response:
    """JSON, or a form with `message` and up to four `images`. The reply cites what it rests on, and says when it does
    not know. Nothing of it is kept. `Accept: text/event-stream` streams it: events `text`, `discard` and `answer`."""
    asked, context = _asked(services), request_context()
    talk = services.chat.prepare(asked, account, context)
    g.task = next((case.result.model.task for case in talk.cases), None)
    reply = services.chat.reply(talk, context)
    if request.accept_mimetypes.best_match(("application/json", EVENT_STREAM)) == EVENT_STREAM:
        return Response(_events(reply), mimetype=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
    *_, answer = reply
    assert isinstance(answer, ChatAnswer)  # noqa: S101 - a reply ends with it  # nosec B101
    return answer


def _events(reply: Iterator[str | Discarded | ChatAnswer]) -> Iterator[bytes]:
    """As server-sent events."""
    for piece in reply:
        if isinstance(piece, ChatAnswer):
            yield _event("answer", piece.model_dump_json(by_alias=True, exclude_unset=True))
        elif isinstance(piece, Discarded):
            yield _event("discard", json.dumps({"why": piece.why}))
        else:
            yield _event("text", json.dumps({"text": piece}))


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


def _asked(services: Services) -> Asked:
    """The question, and pictures that came with it. Raises EmptyInput, UnknownField, InvalidValue."""
    if request.mimetype != "multipart/form-data":
        return Asked(read_body(body_bytes(), ChatQuestion))
    files, texts = request.files, request.form
    known = (IMAGES, TASK, *ChatQuestion.model_fields)
    if unknown := [n for n in files if n != IMAGES] + [n for n in texts if n not in known or n == IMAGES]:
        raise UnknownField(f"unknown form field {unknown[0]!r:.80}; pictures go into {IMAGES}, texts into {known[1:]}")
    if twice := next((name for name, values in texts.lists() if len(values) > 1), None):
        raise UnknownField(f"the field {twice!r:.80} is there twice; send each once")
    images = tuple(file.read() for file in files.getlist(IMAGES))
    if len(images) > MOST_IMAGES:
        raise UnknownField(f"{len(images)} pictures were sent; send at most {MOST_IMAGES} at a time")
    if not (images or "message" in texts):
        raise EmptyInput("nothing was asked: send a message, a picture as images, or both")
    return Asked(_question(texts.to_dict()), images, _task(services, texts.get(TASK)))


def _question(fields: dict[str, Any]) -> ChatQuestion:
    asked = {"message": _PICTURES_ALONE, **fields}
    asked.pop(TASK, None)
    try:
        for name in _AS_JSON:
            if name in asked:
                asked[name] = json.loads(asked[name])
        return ChatQuestion.model_validate(asked)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            refuse(error, "form")
        raise InvalidValue(f"{' and '.join(_AS_JSON)}: expected JSON in these fields of a form") from error


def _task(services: Services, task_id: str | None) -> str | None:
    known = [task.id for task in services.models.image_tasks]
    if task_id is not None and task_id not in known:
        raise InvalidValue(f"task: received {task_id!r:.80}; expected one of {', '.join(known)}")
    return task_id
