"""What lies in the folder of task files and is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ml_model.errors import TaskFileInvalid
from ml_model.tasks.registry import load_tasks


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: os.mkfifo(path), "knee.toml: it is no ordinary file"),
        (lambda path: path.mkdir(), "knee.toml: it is no ordinary file"),
        (lambda path: path.symlink_to("nowhere"), "knee.toml: it is no ordinary file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "knee.toml: not valid TOML"),
        (lambda path: path.write_text("a = " + "[" * 20_000), "knee.toml: not valid TOML"),
        (lambda path: None, "no task files (<id>.toml) in the folder tasks; see TASKS_DIR"),
    ],
    ids=["a pipe", "a folder", "a broken link", "not UTF-8", "too deep", "none"],
)
def test_what_is_no_task_file_is_named_and_never_waited_for(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    (tmp_path / "tasks").mkdir()
    make(tmp_path / "tasks" / "knee.toml")
    with pytest.raises(TaskFileInvalid) as raised:
        load_tasks(tmp_path / "tasks")
    assert str(raised.value).startswith(message)
