"""Does POST /api/analyze find the task of a picture by itself? Test pictures of every set are sent as they are, without
a word of what they are, and so are pictures that no task reads.

    python benchmarks/scans/routing.py ml_model/Dataset --most 100
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import tempfile
from collections import Counter
from pathlib import Path

from backend.app import create_app
from backend.config import Config

SETS = {
    "HAM10000": "skin", "adult_chest_xray": "xray", "chest_xray": "xray", "brain_mri": "brain-mri",
    "breast_ultrasound": "breast", "rsna_mammography": "mammogram", "chest_ctscan": "lung-ct",
    "breakhis_100x": "histopathology", "natural_images": None,
}  # fmt: skip
SEED = 21


def test_files(root: Path, name: str) -> list[Path]:
    """Those of the split `test`; of a set without one all."""
    table = root / name / "split.csv"
    if not table.is_file():
        return sorted(p for p in (root / name).rglob("*") if p.suffix in (".webp", ".avif", ".png", ".jpg"))
    with table.open(encoding="utf-8", newline="") as rows:
        return [root / row["file"] for row in csv.DictReader(rows) if row["split"] == "test"]


def main() -> None:
    """Print a row for each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--most", type=int, default=100, help="pictures of each set")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Config(data_dir=Path(folder), log=False, result_cache_bytes=0))
        app.services.models.wait_ready(120)
        client = app.test_client()
        print("| set | n | the right task | another | refused by the right one | refused as of no task |")
        print("|---|---|---|---|---|---|")
        for name, task in SETS.items():
            files = test_files(args.data, name)
            files = random.Random(SEED).sample(files, min(args.most, len(files)))  # noqa: S311 - a sample, no secret
            came = Counter(outcome(client, path, task) for path in files)
            shown = (came[what] for what in ("right", "another", "refused there", "refused"))
            print(f"| {name} | {len(files)} | {' | '.join(map(str, shown))} |", flush=True)


def outcome(client: object, path: Path, task: str | None) -> str:
    """What became of one picture."""
    sent = {"file": (io.BytesIO(path.read_bytes()), "a picture")}
    reply = client.post("/api/analyze?explain=none", data=sent)  # type: ignore[attr-defined]
    told = reply.get_json()
    if reply.status_code == 200:
        return "right" if told["model"]["task"] == task else "another"
    return "refused there" if task and told["error"].startswith(f"{task} reads") else "refused"


if __name__ == "__main__":
    main()
