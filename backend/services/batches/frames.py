"""DICOM files of several frames in a batch: each frame is answered by itself."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from backend.services.batches.archive import ZipLimits
from backend.services.batches.form import SentFile, Sink
from backend.services.diagnosis import ImageDiagnosis
from backend.telemetry import RequestContext
from ml_model.errors import InputTooLarge
from ml_model.inputs.file_type import sniff_format


@dataclass(frozen=True)
class FrameReader:
    """Tells how many frames there are. limits: of all that a batch may have, frames counted like files."""

    images: ImageDiagnosis
    limits: ZipLimits

    def each(
        self, files: Sequence[SentFile], read: Callable[[uuid.UUID], bytes], sink: Sink, context: RequestContext
    ) -> list[SentFile]:
        """Of a DICOM file of several frames one entry a frame, each with a copy of its own in the store, of every other
        file itself. Raises InputTooLarge where that is more than a batch may be, and what the sink does."""
        found = list[SentFile]()
        for one in files:
            found += self._of(one, read, sink, context)
            if len(found) > self.limits.members or sum(each.size_bytes for each in found) > self.limits.total_bytes:
                raise self._too_much()
        return found

    def _of(
        self, one: SentFile, read: Callable[[uuid.UUID], bytes], sink: Sink, context: RequestContext
    ) -> Iterator[SentFile]:
        data = read(one.file_id) if one.file_id else b""
        told = self.images.slices((data,), context)[0] if sniff_format(data) == "DICOM" else None
        frames = told.frames if told else 1
        if frames > self.limits.members or frames * len(data) > self.limits.total_bytes:  # before anything is copied
            raise self._too_much()
        yield one if frames == 1 else replace(one, frame=1)
        for frame in range(2, frames + 1):
            yield replace(one, frame=frame, file_id=sink.put(data))

    def _too_much(self) -> InputTooLarge:
        return InputTooLarge(
            f"with every frame this is more than {self.limits.members} pictures, or their files are more than "
            f"{self.limits.total_bytes} bytes together; send fewer, or without frames=all"
        )
