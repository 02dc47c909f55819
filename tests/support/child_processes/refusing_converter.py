"""Stands in for the converting process where only what comes after a refusal is tested: starts in no time."""

import json
import sys
from pathlib import Path

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
(Path(job["target_dir"]) / "model.onnx").write_bytes(b"half a model")
(Path(job["target_dir"]) / "report.json").write_text(json.dumps({"error": "it holds a Lambda layer"}))
sys.exit(1)
