"""An account's own uploads to be looked at: any frame, through any window."""

from __future__ import annotations

import hashlib
import io
import uuid

import numpy as np
from PIL import Image

from backend.schemas.accounts import Account
from backend.services.diagnosis import AS_IT_IS, LIMITS
from backend.services.records.history import History
from backend.storage.files import FileStore
from backend.telemetry import RequestContext
from ml_model.diagnosis.reading import RECORDING_FORMAT, PictureToShow, SandboxedReader
from ml_model.errors import UnsupportedFormat
from ml_model.inference.provenance import decoding_sha256
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.sandbox.pool import WorkerPool

LONGEST_PX = 2048  # of the longer side
_COMPRESSION = 3  # of zlib: a third of the time of 6, a tenth more bytes


class Viewer:
    """Draws what is kept."""

    def __init__(self, history: History, files: FileStore, pool: WorkerPool) -> None:
        self._history = history
        self._files = files
        self._pool = pool

    def tag(self, account: Account, file_id: uuid.UUID, asked: Presentation, request_id: str) -> str:
        """What tells a picture from any other, without drawing it. Raises NotFound, UnsupportedFormat."""
        row = self._history.own_file(account, file_id, "render", request_id)
        if row.format == RECORDING_FORMAT:
            raise UnsupportedFormat("this is a recording, of which there is no picture; GET /api/v1/files/<id> has it")
        told = f"{row.sha256} {asked.frame} {asked.window} {decoding_sha256(AS_IT_IS)}"
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def png(self, file_id: uuid.UUID, asked: Presentation, context: RequestContext) -> bytes:
        """Grey or RGB, no larger than `LONGEST_PX`; of a file that `tag` was asked of. Raises the errors of reading."""
        data = self._files.get(file_id)
        shown = PictureToShow(data, AS_IT_IS, LIMITS.max_bytes, LIMITS.max_pixels, LONGEST_PX, asked)
        rgb = SandboxedReader(self._pool, context.deadline)(shown)
        grey = bool(np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2]))
        written = io.BytesIO()
        Image.fromarray(rgb[..., 0] if grey else rgb).save(written, "PNG", compress_level=_COMPRESSION)
        return written.getvalue()
