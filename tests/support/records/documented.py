"""The shell lines of a page, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

from samples import ROOT
from werkzeug.serving import make_server

from backend.app import Application


def run_lines(page: str, app: Application, folder: Path) -> str:
    """Those of docs/`page`, in `folder`, against `app`; the first that fails ends it. What they print."""
    config, text = app.services.config, (ROOT / "docs" / page).read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "DATA_DIR": str(config.data_dir), "DATABASE_URL": config.database_url,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines.replace("localhost:5000", f"127.0.0.1:{server.server_port}")],
            cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False,
        )  # fmt: skip
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
