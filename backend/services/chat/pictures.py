"""A picture that comes with a question: its kind is found, then the one pipeline answers it."""

from __future__ import annotations

import base64
import io
import threading
import uuid
from dataclasses import dataclass, replace

from cachetools import TTLCache
from PIL import Image

from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.services.chat.passages import ToldResult
from backend.services.diagnosis import KEPT_S, LIMITS, ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.reading import PictureToShow, SandboxedReader, reading_pool
from ml_model.errors import InvalidValue, MediDiagnoseError
from ml_model.tasks.image_schema import ImageInput
from ml_model.tasks.registry import ImageTask

MOST_CASES = 256  # remembered, some 20 kB each
_SHOWN_PX = 768  # longer side of what a language model sees
_AS_IT_IS = ImageInput(modality="any", height_px=_SHOWN_PX // 2, width_px=_SHOWN_PX // 2, min_side_px=1)
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class AnsweredPicture:
    """One of a question's pictures. data: as sent. error: why it was not answered; then there is no answer."""

    number: int
    data: bytes
    task: ImageTask | None
    case_id: uuid.UUID | None
    answer: AnalyzeAnswer | None
    error: MediDiagnoseError | None


class ChatPictures:
    """Answers pictures and remembers the answers for an hour, in memory, for whoever asked."""

    def __init__(self, models: ModelStore, images: ImageDiagnosis) -> None:
        self._models = models
        self._images = images
        self._cases: TTLCache[str, tuple[ToldResult | None, str | None]] = TTLCache(MOST_CASES, KEPT_S)
        self._keeping = threading.Lock()

    def remembered(self, case_id: str, owner: str | None) -> ToldResult | None:
        """What was answered to a picture; None where it is forgotten, or was another account's."""
        with self._keeping:
            result, whose = self._cases.get(case_id, (None, None))
        return result if whose is None or whose == owner else None

    def answered(self, number: int, data: bytes, task_id: str | None, context: RequestContext) -> AnsweredPicture:
        """One picture; what it is refused for is told with it. task_id: what it is of, where the asker says it."""
        case_id, task = uuid.uuid4(), None
        try:
            task = self._models_task(task_id) if task_id else self.task_of(data, context)
            if task is None:
                return AnsweredPicture(number, data, None, None, None, None)
            own = replace(context, answer_id=str(case_id))
            answer = self._images.analyze(task, Case(pictures=(data,)), AnalyzeQuery.model_validate({}), own)
        except MediDiagnoseError as error:
            return AnsweredPicture(number, data, task, None, None, error)
        told = ToldResult.model_validate(answer.model_dump(mode="json", by_alias=True, exclude_unset=True))
        with self._keeping:
            self._cases[str(case_id)] = told, context.owner
        return AnsweredPicture(number, data, self._models_task(answer.model.task), case_id, answer, None)

    def task_of(self, data: bytes, context: RequestContext) -> ImageTask | None:
        """What a picture is of, as POST /api/analyze finds it; None where kinds are not told apart. Raises the errors
        of `find_route` for what no task reads, and of reading it. The one place where the chat meets the router."""
        try:
            return self._images.route((("", data),), context).task
        except InvalidValue:
            return None

    def _models_task(self, task_id: str) -> ImageTask | None:
        return next((task for task in self._models.image_tasks if task.id == task_id), None)


def as_data_url(data: bytes, context: RequestContext) -> str:
    """A picture as a language model gets it: drawn anew, small, without anything of its file. Raises the errors of
    reading it."""
    asked = PictureToShow(data, _AS_IT_IS, LIMITS.max_bytes, LIMITS.max_pixels, _SHOWN_PX)
    rgb = SandboxedReader(reading_pool(), context.deadline)(asked)
    written = io.BytesIO()
    Image.fromarray(rgb).save(written, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
