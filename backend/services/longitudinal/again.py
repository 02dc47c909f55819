"""A record's picture and map, which is not kept as numbers: the case is answered again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.schemas.images import AnalyzeQuery
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.bundles import Task
from backend.services.records.keeping import Kept, case_of
from backend.services.rendering.heatmaps import Heatmap
from backend.services.reports.kept_answer import KeptAnswer, presentation_of
from backend.storage.tables import Prediction
from backend.telemetry import RequestContext
from ml_model.tasks.registry import ImageTask


@dataclass(frozen=True)
class AnsweredAgain:
    """By the models that are served now."""

    tasks: Mapping[str, Task]
    images: ImageDiagnosis

    def heatmap(
        self, row: Prediction, answer: KeptAnswer, kept: Kept, context: RequestContext, target: str | None = None
    ) -> Heatmap | None:
        """None where another model would answer by now. Raises the errors of reading the file and answering it.

        target: code of the class whose map it is; None for the one whose map the record told of.
        """
        task = self.tasks.get(row.task)
        if not isinstance(task, ImageTask):
            return None
        asked = answer.provenance.request
        drawn = {"explain": "url", "gate": "off", "target": target or asked.get("target")}
        query = AnalyzeQuery.model_validate({**asked, **drawn})
        again = self.images.analyze(task, case_of(kept, query), query, context)
        before, now = ((one.model.sha256, one.provenance.preprocessing_sha256) for one in (answer, again))
        left = self.images.heatmap(context.answer_id)
        return left.content if left and before == now else None

    def picture(self, row: Prediction, kept: Kept, longest_px: int, context: RequestContext) -> NDArray[np.uint8]:
        """As it was answered, RGB. Raises the errors of reading it."""
        return self.images.shown(kept.data, longest_px, presentation_of(row.result), context)
