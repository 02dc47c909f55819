"""Where the activation map is strong, as a segmentation on the grid of the picture that was answered."""

from __future__ import annotations

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom import DataElement, Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from backend.services.interop.dicom.study import Study, marked
from backend.services.rendering.heatmaps import PEAK_SHARE, Heatmap
from backend.services.rendering.messages import SERVICE_NAME


def activation_segmentation(study: Study, heatmap: Heatmap, explained: str) -> Segmentation:
    """One binary segment: at least `PEAK_SHARE` of the map's peak. explained: the class, in words."""
    model = study.case.answer.model
    segment = SegmentDescription(
        segment_number=1, segment_label=f"map, half of its peak or more: {explained}"[:64],
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=codes.DCM.SelectedRegion, algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=f"{SERVICE_NAME} {model.task}"[:64], family=codes.DCM.ArtificialIntelligence,
            version=f"{model.version}"[:64],
        ),
        tracking_uid=study.uid("segment"), tracking_id="activation map",
    )  # fmt: skip
    made = Segmentation(
        [_evidence(study)], strong_pixels(heatmap, study.source.rows_px, study.source.columns_px),
        SegmentationTypeValues.BINARY, [segment], **study.series("seg", "map region"),
        transfer_syntax_uid=ExplicitVRLittleEndian, content_label="ACTIVATION", omit_empty_frames=False,
        content_description=f"{explained}: influence, not location"[:64],
    )  # fmt: skip
    if not study.source.places:
        made.PatientOrientation = ""
    marked(made)
    _refer(made, study)
    return made


def strong_pixels(heatmap: Heatmap, rows_px: int, columns_px: int) -> NDArray[np.bool_]:
    """(rows, columns): the map, interpolated between the centres of its cells; false outside what the model saw."""
    frame, cells = heatmap.frame, heatmap.activation_map[:, :: -1 if heatmap.frame.mirrored else 1]
    made, peak = np.zeros((rows_px, columns_px), np.bool_), float(cells.max(initial=0))
    if peak <= 0:
        return made
    across = (np.arange(columns_px) + 0.5) * heatmap.original_width_px / columns_px
    down = (np.arange(rows_px) + 0.5) * heatmap.original_height_px / rows_px
    x, y = (across - frame.left_px) / frame.width_px, (down - frame.top_px) / frame.height_px
    middles_y, middles_x = ((np.arange(count) + 0.5) / count for count in cells.shape)
    rows = np.stack([np.interp(y, middles_y, column) for column in cells.T], axis=1)
    seen = (x >= 0) & (x < 1)
    for row in np.flatnonzero((y >= 0) & (y < 1)):  # each for itself: a mammogram has 15 million pixels
        made[row] = (np.interp(x, middles_x, rows[row]) >= PEAK_SHARE * peak) & seen
    return made


def _evidence(study: Study) -> Dataset:
    """The source as a single frame of a kind that may do without a place in the body."""
    made = study.evidence()
    made.pop("NumberOfFrames", None)
    made.SOPClassUID = SecondaryCaptureImageStorage
    return made


def _refer(made: Dataset, study: Study) -> None:
    """To the source as what it is, and to its frame."""
    instance = study.source.instance

    def put_right(within: Dataset, element: DataElement) -> None:
        if element.keyword == "ReferencedSOPInstanceUID" and element.value == instance.instance_uid:
            within.ReferencedSOPClassUID = instance.sop_class_uid
            if study.frame is not None:
                within.ReferencedFrameNumber = study.frame

    made.walk(put_right)
