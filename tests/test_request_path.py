"""How far it is from a view to the predictor, and how many of our modules one picture's request passes through."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from types import FrameType
from typing import Any

from PIL import Image
from samples import ROOT, real_archive

from backend.app import create_app
from backend.config import Config
from ml_model.inference.bundle import MODELS_DIR

OURS = (f"{ROOT}/backend/", f"{ROOT}/ml_model/")
# Twenty modules before frames were looked for, findings had zones and triage followed them; each of those is one more,
# and so is each way in which a picture may have been altered: photographed, turned, noisy. Rates and the wish to
# have an answer kept are two more.
MOST_CALLS, MOST_MODULES = 6, 37


class Trace:
    """Calls into our code: the modules touched, and the frames from the view, counted, down to each prediction."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.depths: list[int] = []
        self._below_view: list[str] = []

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(OURS):
            return
        if event == "call":
            self.modules.add(code.co_filename.removeprefix(f"{ROOT}/"))
            if self._below_view or code.co_filename.endswith("/api/analyze.py") and code.co_name == "analyze":
                self._below_view.append(code.co_name)
            if code.co_name == "predict" and code.co_filename.endswith("/predictor.py"):
                self.depths.append(len(self._below_view))
        elif event == "return" and self._below_view:
            self._below_view.pop()


def dermatoscope_picture() -> bytes:
    """A JPEG as a client sends it."""
    with zipfile.ZipFile(real_archive("ham10000.zip")) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".avif"))
        picture = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    return stream.getvalue()


def test_a_picture_is_six_calls_from_the_predictor_and_passes_thirty_seven_modules(tmp_path: Path) -> None:
    sent, trace = dermatoscope_picture(), Trace()
    app = create_app(Config(model_dirs=(MODELS_DIR,), user_models_dir=tmp_path, data_dir=tmp_path, log=False))
    assert app.services.models.wait_ready(120)

    def send() -> int:
        files = {"image": (io.BytesIO(sent), "photo.jpg")}
        return app.test_client().post("/analyze/skin", data=files).status_code

    assert send() == 200  # what is computed once is computed
    sys.setprofile(trace)
    try:
        status = send()
    finally:
        sys.setprofile(None)
    assert status == 200
    assert len(trace.depths) == 2, "the gate's model and the task's"
    assert max(trace.depths) <= MOST_CALLS
    assert len(trace.modules) <= MOST_MODULES, sorted(trace.modules)
