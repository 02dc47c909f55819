"""Resident memory in MiB before and after more than 200 broken files, printed; for test_broken_uploads.py."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

from hostile.broken_uploads import FILES
from pictures import resident_mib
from samples import write_tiny, write_tiny_signal

from backend.app import create_app
from backend.config import Config
from ml_model.tasks.registry import load_image_tasks

with tempfile.TemporaryDirectory() as folder:
    root = Path(folder)
    for task in load_image_tasks():
        write_tiny(task, root / "models")
        if task.signal:
            write_tiny_signal(task, root / "models")
    config = Config(model_dirs=(root / "models",), user_models_dir=root / "none", data_dir=root / "data", log=False)
    app = create_app(config)
    assert app.services.models.wait_ready(60)

    def send_all() -> None:
        for broken in FILES:
            body, content_type = broken.body()
            headers = {"Content-Type": content_type} if content_type else {}
            app.test_client().open(broken.path, method=broken.method, data=body, headers=headers)

    send_all()  # caches and pools fill once
    gc.collect()
    before = resident_mib()
    for _ in range(4):
        send_all()
    gc.collect()
    print(before, resident_mib())
