"""A conversation: what is asked and answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.common import Answer, TriageAnswer
from backend.schemas.images import AnalyzeAnswer
from backend.schemas.requests import FORMATS
from backend.schemas.symptoms import QuestionAnswer, RedFlagAnswer
from ml_model.inputs.tabular import BLANKS

MOST_CHARACTERS, MOST_TURNS, MOST_IMAGES = 4000, 12, 4
EVENT_STREAM = "text/event-stream"
_ID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
Said = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, pattern=f"[^{BLANKS}]")]
Id = Annotated[str, Field(pattern=_ID)]


class Turn(BaseModel):
    """What was said before, as the client remembers it; it is read as the asker's own words, whoever it is put to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: Said


class ChatQuestion(BaseModel):
    """A question about a result, symptoms in words, or what is written down here. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: Said
    history: list[Turn] = Field([], max_length=MOST_TURNS, description="earlier turns, the oldest first")
    prediction_id: Id | None = Field(None, description="of an own record, or one that is shared with the account")
    case_id: Id | None = Field(None, description="of a picture that was sent in this conversation, for an hour")
    answers: dict[str, Literal["yes", "no", "unsure"]] = Field(
        {}, max_length=50, description="to earlier `questions`, by finding"
    )


class CitationAnswer(Answer):
    """What a statement of the reply rests on."""

    number: int = Field(description="as it stands in the reply in brackets")
    source: Literal["result", "symptoms", "task", "card", "condition"]
    of: str = Field(description="id of the task or condition")
    field: str = Field(description="of the answer, of the task file, or the section of the card")
    text: str


class ChatPictureAnswer(Answer):
    """What became of one picture."""

    number: int
    task: str | None = Field(description="that answered; null where none did")
    case_id: UUID | None = Field(description="by which further questions can name it, for an hour")
    result: AnalyzeAnswer | None = Field(description="as POST /analyze/<task> gives it")
    code: str | None = Field(description="of the refusal; null where it was answered")
    error: str | None


class ChatAnswer(Answer):
    """A reply in plain words, and what it rests on."""

    success: Literal[True]
    reply: str = Field(description="plain text; numbers in brackets are those of `citations`")
    citations: tuple[CitationAnswer, ...]
    provider: Literal["rules", "offline", "model"] = Field(
        description="rules: words of self-harm or red flags, before anything else; offline: put together from what is "
        "cited; model: worded by a language model and checked"
    )
    chat_model: str | None = Field(description="that worded it; null where none did")
    fallback: str | None = Field(description="why no language model worded it, where one was to")
    left_out: dict[str, int] = Field(description="sentences of a language model that were dropped, by the reason")
    triage: TriageAnswer | None = Field(description="the gravest of the results and symptoms talked about")
    red_flags: tuple[RedFlagAnswer, ...]
    questions: tuple[QuestionAnswer, ...] = Field(description="asked back; see `answers`")
    pictures: tuple[ChatPictureAnswer, ...]
    request_id: str
    processing_ms: float
    disclaimer: str


def chat_bodies(tasks: list[str]) -> dict[str, Any]:
    """The request's body for the document: JSON, or a form with pictures."""
    file = {"type": "string", "format": "binary"}
    text = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS, "pattern": f"[^{BLANKS}]"}
    fields = {
        "message": {**text, "description": "the question; may be left out where pictures are sent"},
        "images": {"type": "array", "items": file, "minItems": 1, "maxItems": MOST_IMAGES, "description": FORMATS},
        "task": {"type": "string", "enum": tasks, "description": "of the pictures; found by itself where left out"},
        "history": {"type": "string", "description": "as JSON"},
        "answers": {"type": "string", "description": "as JSON"},
        **{name: {"type": "string", "pattern": _ID} for name in ("prediction_id", "case_id")},
    }
    form = {
        "type": "object", "properties": fields, "additionalProperties": False,
        "anyOf": [{"required": ["message"]}, {"required": ["images"]}],
    }  # fmt: skip
    encoding = {"images": {"contentType": "application/octet-stream"}}
    return {"multipart/form-data": {"schema": form, "encoding": encoding}}
