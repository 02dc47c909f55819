"""`backend/server.py` whose models begin to load only once the file that the variable LET_GO names is there."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    from backend import app, server
    from backend.services.loading.models import ModelStore

    class HeldStore(ModelStore):
        """As on a machine that takes long to read its disk."""

        def _load_all(self) -> None:
            while not Path(os.environ["LET_GO"]).exists():
                time.sleep(0.02)
            super()._load_all()

    app.ModelStore = HeldStore  # type: ignore[misc]
    sys.exit(server.main(sys.argv[1:]))
