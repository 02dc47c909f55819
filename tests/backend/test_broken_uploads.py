"""Every row of the table over HTTP: its status, its code, the one shape of errors; and the memory afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hostile.broken_uploads import BROKEN_UPLOADS, FILES, BrokenUpload
from pictures import resident_mib
from samples import SUPPORT
from werkzeug.test import TestResponse

from backend.app import Application
from ml_model.errors import MediDiagnoseError
from ml_model.inputs.images.decoder import ImageLimits, load_image
from ml_model.tasks.registry import ImageInput

INPUT = ImageInput(modality="photograph", height_px=224, width_px=224, min_side_px=32)


def send(app: Application, broken: BrokenUpload) -> TestResponse:
    body, content_type = broken.body()
    headers = {"Content-Type": content_type} if content_type else {}
    return app.test_client().open(broken.path, method=broken.method, data=body, headers=headers)


def test_the_table_is_long_and_its_names_differ() -> None:
    names = [broken.name for broken in BROKEN_UPLOADS]
    assert len(names) == len(set(names))
    assert len(FILES) >= 40


@pytest.mark.parametrize("broken", BROKEN_UPLOADS, ids=lambda broken: broken.name)
def test_documented_status_code_and_shape(live_app: Application, broken: BrokenUpload) -> None:
    reply = send(live_app, broken)
    assert (reply.status_code, reply.mimetype) == (broken.status, "application/json"), reply.text
    body = reply.get_json()
    assert set(body) == {"success", "error", "code", "request_id"}
    assert (body["success"], body["code"]) == (False, broken.code), body["error"]
    assert body["request_id"] == reply.headers["X-Request-ID"]
    assert len(body["error"]) > 20
    assert "Traceback" not in body["error"]
    assert "site-packages" not in body["error"]


@pytest.mark.parametrize("broken", FILES, ids=lambda broken: broken.name)
def test_the_decoder_alone_refuses_the_same_files(broken: BrokenUpload) -> None:
    with pytest.raises(MediDiagnoseError) as refused:
        load_image(broken.make(), INPUT, ImageLimits(max_bytes=32_000_000))
    assert refused.value.code == broken.code


def test_memory_is_back_where_it_was() -> None:
    """In a process of its own: here other tests' applications still load their models, which grows the memory too."""
    resident_mib()  # skips where memory cannot be read
    command = [sys.executable, "-m", "hostile.memory_after_broken_uploads"]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd=SUPPORT)
    assert ran.returncode == 0, ran.stderr
    before, after = map(float, ran.stdout.split())
    assert after - before < 16
