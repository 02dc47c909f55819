"""The task that users' files are converted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from made_tasks import advice, made_finding

from ml_model.tasks.registry import ImageTask


@pytest.fixture(scope="session")
def film_task() -> Callable[..., ImageTask]:
    """Factory of a task for pictures of 64 x 48 pixels: `film_task(codes=("normal", "pneumonia"), positive=None)`."""

    def make(codes: tuple[str, ...] = ("normal", "pneumonia"), positive: str | None = None) -> ImageTask:
        text = {"stage": "s", "description": "d", "prognosis": "p"}
        urgency = {"timeline": "t", "action": "a", "color": "#00ff00"}
        classes = [
            {
                "code": code,
                "name": f"{code.title()} finding",
                "type": "abnormal",
                "severity": "low",
                "staging": text,
                "urgency": urgency,
                "treatment_options": ["t"],
            }
            for code in codes
        ]
        dataset = {"name": "d", "folder": "f", "group_key": "g", "population": "p", "licence": "l", "citation": "c"}
        fields: dict[str, Any] = {
            "id": "film",
            "kind": "image",
            "title": "t",
            "health_key": "film",
            "licence": "l",
            "intended_use": "i",
            "limits_of_use": ["l"],
            "input": {"modality": "film", "height_px": 64, "width_px": 48},
            "classes": classes,
            "recommendations": {"low": {"title": "t", "message": "m", "actions": ["a"]}},
            "undecided": advice("undecided").model_dump(),
            "weak_evidence": advice("weak").model_dump(),
            "unsettled": {"staging": "s", "treatment": "t"},
            "demo_probabilities": [1.0] + [0.0] * (len(codes) - 1),
            "user_models": ["film_model", "pneumonia_model"],
            "datasets": [{**dataset, "labels": {f"LABEL-{code}": [code] for code in codes}}],
        }
        if positive:
            fields["findings"] = [made_finding("f", [positive]).model_dump()]
        return ImageTask.model_validate(fields)

    return make
