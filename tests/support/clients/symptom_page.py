"""The form for symptoms as a person uses it, and texts that somebody may tell."""

from __future__ import annotations

import json
from typing import Any

from clients.browsing import Page

from backend.app import Application

HEADACHE = "😀 I have had a headache since yesterday.\nI have no fever. It began with a zorblaxity."
HEART = "I am a 60 year old man. I have crushing chest pain going into my left arm and I am sweating."
SELF_HARM = "I want to die."


def ask(app: Application, **content: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(app.test_client().post("/predict-disease", json=content).text)
    return answer


def tell(page: Page, text: str) -> None:
    """Put a text into the field; the driver types nothing beyond the basic plane."""
    page.driver.execute_script(
        "const field = document.querySelector('#description'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('input', { bubbles: true }))",
        text,
    )


def send(page: Page, text: str, awaited: str = ".triage") -> None:
    tell(page, text)
    page.send()
    page.wait_for(f"#result {awaited}")
