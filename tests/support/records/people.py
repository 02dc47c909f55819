"""Accounts of a test, each with a client of its own."""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.app import Application
from backend.schemas.accounts import Role
from backend.services.operating.accounts import set_role

PASSWORD = " ".join(("correct", "horse", "battery"))


@dataclass
class Person:
    """Somebody with an account, logged in."""

    client: FlaskClient
    username: str
    access_token: str
    refresh_token: str

    def call(self, method: str, path: str, **sent: Any) -> TestResponse:
        """A request to /api/v1 with the access token."""
        headers = {"Authorization": f"Bearer {self.access_token}", **sent.pop("headers", {})}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **sent)

    def get(self, path: str) -> Any:
        """What a GET gives, which must be 200."""
        reply = self.call("GET", path)
        assert reply.status_code == 200, reply.text
        return reply.get_json()

    def upload(self, picture: bytes) -> str:
        """The id of a file that is kept."""
        reply = self.call("POST", "/upload", data={"file": (io.BytesIO(picture), "patient Smith.jpg")})
        assert reply.status_code == 201, reply.text
        return str(reply.get_json()["file_id"])

    def predict(self, picture: bytes, **fields: str) -> dict[str, Any]:
        """What is answered to a picture that is kept."""
        form = {"file": (io.BytesIO(picture), "x"), "task": "skin", **fields}
        reply = self.call("POST", "/predict", data=form)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.get_json()
        return answer


def person(
    app: Application, role: Role = "user", username: str | None = None, address: str = "127.0.0.1"
) -> Person:  # fmt: skip
    """Somebody new, who asks from an address."""
    name = username or f"p{uuid.uuid4().hex[:12]}"
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    made = client.post("/api/v1/auth/register", json=body)
    assert made.status_code == 201, made.text
    if role != "user":
        set_role(app.services.records.open().database, name, role)
    reply = client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD})
    assert reply.status_code == 200, reply.text
    told = reply.get_json()
    return Person(client, name, told["access_token"], told["refresh_token"])
