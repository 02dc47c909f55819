"""The tools themselves: each is one call to the service, whose answer it gives as it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from pydantic import Field

from backend.mcp.calling import ServiceCalls, one_part, picture_bytes
from backend.schemas.chat.turns import Turn
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version
from backend.settings.mcp import McpSettings

INSTRUCTIONS = (
    f"{DISCLAIMER} Quote answers with their citations, and never without their triage: how soon to act is part of "
    "every answer. Red flags and words of self-harm come first. Add no number, diagnosis or dose of your own."
)
Picture = Annotated[str, Field(description="the file's bytes as base64, or a data URL: PNG, JPEG, WebP, TIFF or DICOM")]
RecordId = Annotated[str, Field(description="prediction_id of a record")]
Given = Literal["yes", "no", "unsure"]


class Tools:
    """over_http: then the token is the caller's own, of each request, and never that of the process."""

    def __init__(self, settings: McpSettings, *, over_http: bool) -> None:
        self._settings = settings
        self._over_http = over_http

    def _as(self, context: Context[Any, Any]) -> ServiceCalls:
        """The service, with the caller's rights."""
        token = self._settings.token
        if self._over_http:
            kind, _, token = (context.headers or {}).get("authorization", "").partition(" ")
            token = token.strip() if kind.lower() == "bearer" else ""
        return ServiceCalls(self._settings.service_url, token)

    def ask(
        self, context: Context[Any, Any], message: str, history: list[Turn] | None = None,
        prediction_id: str | None = None, case_id: str | None = None, answers: dict[str, Given] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Ask in plain words about a record (prediction_id), a picture that was sent before (case_id), symptoms, or
        what the models can and cannot do. The reply cites the fields it rests on and says when it does not know."""
        turns = [turn.model_dump() for turn in history or ()]
        body = {"message": message, "history": turns, "prediction_id": prediction_id, "case_id": case_id}
        return self._as(context).post("/api/chat", {**body, "answers": answers})

    def ask_about_picture(
        self, context: Context[Any, Any], picture_base64: Picture, message: str = "", task: str = ""
    ) -> dict[str, Any]:  # fmt: skip
        """Send a medical picture and ask about it. What it is of is found by itself; `task` says it where that fails.
        Nothing is kept but, for an hour, the answer, under the case_id by which `ask` can name it."""
        form = {"message": message, "task": task}
        return self._as(context).send("/api/chat", ("images", picture_bytes(picture_base64)), form)

    def analyze_picture(
        self, context: Context[Any, Any], task: str, picture_base64: Picture, age_years: float | None = None,
        keep: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """The whole answer of one task to a picture: findings, triage, classes, measurements. keep: as a record of the
        caller's account."""
        query = {"age_years": age_years, "keep": "true" if keep else None}
        picture = ("image", picture_bytes(picture_base64))
        return self._as(context).send(f"/analyze/{one_part(task)}", picture, {}, **query)

    def check_symptoms(
        self, context: Context[Any, Any], description: str, age: float | None = None,
        sex: Literal["female", "male"] | None = None, answers: dict[str, Given] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """What symptoms, told as to a doctor, may mean, how soon they must be seen, and what to ask next."""
        body = {"description": description, "age": age, "sex": sex, "answers": answers}
        return self._as(context).post("/predict-disease", body)

    def heart_risk(self, context: Context[Any, Any], factors: dict[str, float]) -> dict[str, Any]:
        """Heart-disease risk from measured factors; `describe_model` of heart-risk has their names and units."""
        return self._as(context).post("/predict-heart", factors)

    def list_models(self, context: Context[Any, Any]) -> dict[str, Any]:
        """Every task: what it reads, what it is meant for and its limits, and whether a model is loaded."""
        told = self._as(context).get("/models")
        named = ("task", "title", "kind", "loaded", "evidence", "intended_use", "limits_of_use")
        return {"models": [{name: one.get(name) for name in named} for one in told["models"]]}

    def describe_model(self, context: Context[Any, Any], task: str) -> dict[str, Any]:
        """One task in full: classes or fields, thresholds, and the figures of its tests with their intervals."""
        return self._as(context).get(f"/models/{one_part(task)}")

    def list_records(self, context: Context[Any, Any], page: int = 1) -> dict[str, Any]:
        """The records of the caller's account, newest first. Needs its token."""
        return self._as(context).get("/api/v1/history", page=page)

    def get_record(self, context: Context[Any, Any], prediction_id: RecordId) -> dict[str, Any]:
        """One record with its whole answer. Needs the token of its account."""
        return self._as(context).get(f"/api/v1/history/{one_part(prediction_id)}")


def mcp_server(settings: McpSettings, *, over_http: bool) -> MCPServer[Any]:
    """With every tool."""
    server: MCPServer[Any] = MCPServer(
        SERVICE_NAME, instructions=INSTRUCTIONS, version=service_version(), log_level="WARNING"
    )
    tools = Tools(settings, over_http=over_http)
    for tool in (
        tools.ask, tools.ask_about_picture, tools.analyze_picture, tools.check_symptoms, tools.heart_risk,
        tools.list_models, tools.describe_model, tools.list_records, tools.get_record,
    ):  # fmt: skip
        server.tool()(tool)
    return server
