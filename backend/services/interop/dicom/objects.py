"""All objects of one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from backend.schemas.records import DicomObject
from backend.services.interop.answered import AnsweredCase
from backend.services.interop.dicom.captures import heatmap_capture, picture_capture, report_document
from backend.services.interop.dicom.segmentation import activation_segmentation
from backend.services.interop.dicom.structured_report import structured_report
from backend.services.interop.dicom.study import Study, uid_of
from backend.services.rendering.heatmaps import Heatmap
from ml_model.inputs.dicom.instances import DicomInstance
from ml_model.inputs.dicom.study import SourceImage


@dataclass(frozen=True)
class Answered:
    """An answer to a picture, and what objects of it are made from. source: None of one that came without a study;
    picture: it, uint8 RGB (height, width, 3), where it came so. overlay_png, heatmap: None where nothing explains the
    answer, heatmap also where nobody asks for a segmentation. pdf: makes the report."""

    case: AnsweredCase
    source: SourceImage | None
    pdf: Callable[[], bytes]
    overlay_png: bytes | None = None
    heatmap: Heatmap | None = None
    picture: NDArray[np.uint8] | None = None

    @cached_property
    def study(self) -> Study:
        """Of the source; else one of its own, in which the picture is a capture."""
        case, check, about = self.case, self.case.answer.input_check, self.case.answer.explanation
        if self.source is None:
            return Study(case, _own_source(case, self.picture))
        told = check.dicom[0] if check and check.dicom else None
        frame = told.frame if told and self.source.frames > 1 else None
        return Study(case, self.source, frame, about.peak_region if about else None)

    def kinds(self) -> Iterator[DicomObject]:
        """Which objects there are."""
        yield "sr"
        if self.overlay_png is not None:
            yield "sc"
        if self.heatmap is not None:
            yield "seg"
        yield "pdf"
        if self.source is None:
            yield "picture"

    def made(self, kind: DicomObject) -> bytes:
        """A file. kind: of those that there are."""
        return self.study.finished(self._bare(kind))

    def _bare(self, kind: DicomObject) -> Dataset:
        study, title = self.study, self.case.task.title if self.case.task else self.case.answer.model.task
        if kind == "sr":
            return structured_report(study)
        if kind == "pdf":
            return report_document(study, self.pdf(), title)
        if kind == "sc" and self.overlay_png is not None:
            return heatmap_capture(study, self.overlay_png, self._explained())
        if kind == "seg" and self.heatmap is not None:
            return activation_segmentation(study, self.heatmap, self._explained())
        if kind == "picture" and self.picture is not None:
            return picture_capture(study, self.picture)
        raise ValueError(f"this answer has no {kind}")

    def _explained(self) -> str:
        """The class that the map explains, in words."""
        answer = self.case.answer
        code = answer.explanation.explained if answer.explanation else ""
        return next((one.name for one in answer.all_predictions if one.code == code), code or "the named class")


def _own_source(case: AnsweredCase, picture: NDArray[np.uint8] | None) -> SourceImage:
    """The capture that the picture becomes, of the pseudonym where one was given."""
    study, series, instance = (str(uid_of(case.record_id, name)) for name in ("study", "series/picture", "picture"))
    rows_px, columns_px = picture.shape[:2] if picture is not None else (1, 1)
    known = DicomInstance(study, series, instance, str(SecondaryCaptureImageStorage), "OT")
    said = {"PatientID": case.patient_ref} if case.patient_ref else {}
    return SourceImage(known, rows_px, columns_px, 1, said=said)
