"""Every row of the table over HTTP: its status, its code, the one shape of errors; and the memory afterwards."""

from __future__ import annotations

import gc
import statistics
from itertools import pairwise

import pytest
from broken_uploads import BROKEN_UPLOADS, FILES, BrokenUpload
from pictures import resident_mib
from werkzeug.test import TestResponse

from backend.app import Application
from ml_model.errors import MediDiagnoseError
from ml_model.inputs.image import ImageLimits, load_image
from ml_model.spec import ImageInput

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


def test_memory_is_back_where_it_was(live_app: Application) -> None:
    after = []
    for _ in range(6):  # 55 broken files each time; caches and pools fill once
        for broken in FILES:
            send(live_app, broken)
        gc.collect()
        after.append(resident_mib())
    # A leak grows in every round. Models that another test still loads grow in one.
    assert statistics.median(later - earlier for earlier, later in pairwise(after[1:])) < 4, after
