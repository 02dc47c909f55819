"""The lines of docs/records.md, run as they stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from records.documented import run_lines

from backend.app import Application


def test_the_journey_of_the_documentation(
    make_records_app: Callable[..., Application], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    app = make_records_app(tmp_path)
    folder = tmp_path / "somebody"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(picture())
    printed = run_lines("records.md", app, folder)
    first, second, record = (
        json.loads((folder / f"{n}.json").read_text("utf-8")) for n in ("first", "second", "record")
    )
    assert first["result"]["model"]["age_told_by"] in (None, "age_years")
    assert second["file_id"] != first["file_id"]
    assert record["result"] == first["result"]
    assert (folder / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-")
    batch = json.loads((folder / "batch.json").read_text("utf-8"))
    assert [one["state"] for one in batch["results"]] == ["done", "done", "failed"]
    assert (folder / "batch.csv").read_text("utf-8").count("\n") == 4
    of_batch = [one["prediction_id"] for one in batch["results"][:2]]
    export = json.loads((folder / "export.json").read_text("utf-8"))
    *exported, first_kept = (one["id"] for one in export["predictions"])
    assert (sorted(exported), first_kept) == (sorted(of_batch), second["prediction_id"])
    assert '"refusals":{}' in printed
    assert re.search(r"\d+ entries, unbroken; head [0-9a-f]{64}\n$", printed)
    assert list((app.services.config.data_dir / "files").glob("*/*")) == []
