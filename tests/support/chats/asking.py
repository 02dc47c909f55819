"""An application with a real symptom checker and somebody who asks it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records.people import Person, person
from samples import image_task, write_tiny
from werkzeug.test import TestResponse

from backend.app import Application
from ml_model.inference.bundle import MODELS_DIR


@dataclass
class Asker:
    """Somebody with an account and a record, and another whose record is nobody else's business."""

    app: Application
    me: Person
    own_id: str
    own: dict[str, Any]
    other_id: str
    other: dict[str, Any]

    def ask(self, message: str, **body: Any) -> dict[str, Any]:
        """The answer to a question, with the account's token."""
        reply = self.call(message, **body)
        assert reply.status_code == 200, reply.text
        told: dict[str, Any] = reply.get_json()
        return told

    def call(self, message: str, **body: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.me.access_token}"}
        return self.me.client.post("/api/chat", json={"message": message, **body}, headers=headers)

    def send(self, *files: tuple[str, bytes], **fields: str) -> TestResponse:
        form: dict[str, Any] = {**fields, "images": [(io.BytesIO(data), name) for name, data in files]}
        headers = {"Authorization": f"Bearer {self.me.access_token}"}
        return self.me.client.post("/api/chat", data=form, headers=headers)


def asker(make: Callable[..., Application], folder: Path, mine: bytes, another: bytes) -> Asker:
    """With tiny models of pictures and the shipped ones of symptoms and risk."""
    for name in ("skin", "heart", "xray"):
        write_tiny(image_task(name), folder / "models")
    for name in ("disease", "heart-risk"):
        shutil.copytree(MODELS_DIR / name, folder / "models" / name)
    app = make(model_dirs=(folder / "models",))
    me, other = person(app), person(app)
    own, foreign = me.predict(mine, patient_ref="mine-1"), other.predict(another, patient_ref="canary-7741")
    return Asker(app, me, own["prediction_id"], own["result"], foreign["prediction_id"], foreign["result"])
