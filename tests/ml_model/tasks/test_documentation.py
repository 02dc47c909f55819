"""docs/tasks.md: its example is a valid task file, and it names every field and colour."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel
from samples import ROOT

from ml_model.tasks.image_schema import Frozen
from ml_model.tasks.registry import ImageTask, load_image_tasks

PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_the_example_in_the_documentation_is_a_valid_file(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 1
    (tmp_path / "film-check.toml").write_text(examples[0], encoding="utf-8")
    assert [task.codes for task in load_image_tasks(tmp_path)] == [("clear", "shadow")]


def test_the_documentation_names_every_field_and_colour() -> None:
    of_task_files = {t for t in Frozen.__subclasses__() if t.__module__.startswith("ml_model.tasks.")}
    tables: set[type[BaseModel]] = {ImageTask, *of_task_files}
    fields = {name for table in tables for name in table.model_fields}
    assert len(fields) > 30
    explained = set(re.findall(r"(?<=[`\[.])[a-z_]+(?=[`\].])", PAGE))
    assert fields - explained == set()
    colours = re.findall(r"`(#[0-9a-f]{6})`", PAGE)
    documented = set(zip(("healthy", "low", "moderate", "high", "critical"), colours, strict=True))
    assert {(c.severity, c.urgency.color) for task in load_image_tasks() for c in task.classes} <= documented
