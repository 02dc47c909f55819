"""Pictures and the report as captures: the heatmap, a picture that came without a study, the PDF."""

from __future__ import annotations

import cv2
import numpy as np
from highdicom.base import SOPClass
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedPDFStorage, SecondaryCaptureImageStorage

from backend.services.interop.dicom.study import RESEARCH, Study, coded, marked, source_item
from backend.services.rendering.messages import MAP_METHOD, MAP_NOTE, SERVICE_NAME, service_version

PDF_MIME = "application/pdf"
_WORKSTATION = "WSD"
_STRIP_PX, _LETTER = 22, 0.4  # of the words below a heatmap
_GREY = 200


def heatmap_capture(study: Study, overlay_png: bytes, explained: str) -> SOPClass:
    """The overlay in true colour, with words below it that go wherever it goes. explained: the class, in words."""
    bgr = cv2.imdecode(np.frombuffer(overlay_png, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("the overlay is no picture")
    made = study.bare("sc", "heatmap", SecondaryCaptureImageStorage, "OT")
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.DerivationDescription = f"{MAP_METHOD} of {explained}. {MAP_NOTE}"
    made.SourceImageSequence = [source_item(study)]
    _add_pixels(made, study, _with_words(np.ascontiguousarray(bgr[..., ::-1])))
    return made


def _with_words(rgb: NDArray[np.generic]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    made = np.zeros((height + _STRIP_PX, max(width, 240), 3), np.uint8)
    made[:height, :width] = rgb
    cv2.putText(made, RESEARCH, (4, height + 15), cv2.FONT_HERSHEY_SIMPLEX, _LETTER, (_GREY,) * 3, 1, cv2.LINE_AA)
    return made


def picture_capture(study: Study, rgb: NDArray[np.uint8]) -> SOPClass:
    """A picture (height, width, 3) that came without a study, so that what is said of it has what it refers to."""
    made = study.bare("picture", "picture", SecondaryCaptureImageStorage, "OT")
    made.ImageType = ["DERIVED", "SECONDARY"]
    _add_pixels(made, study, rgb)
    return made


def _add_pixels(made: Dataset, study: Study, rgb: NDArray[np.uint8]) -> None:
    marked(made)
    made.ConversionType = _WORKSTATION
    made.SecondaryCaptureDeviceManufacturer = SERVICE_NAME
    made.SecondaryCaptureDeviceSoftwareVersions = service_version()[:64]
    made.Laterality, made.PatientOrientation = study.source.laterality, ""
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    made.Rows, made.Columns = rgb.shape[:2]
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    for word, told in study.source.compression.items():
        setattr(made, word, told)
    if study.source.names_nobody:
        made.BurnedInAnnotation = "NO"
    pixels = rgb.tobytes()
    made.add_new("PixelData", "OB", pixels + bytes(len(pixels) % 2))


def report_document(study: Study, pdf: bytes, title: str) -> SOPClass:
    """The report as it is printed."""
    made = study.bare("pdf", "report", EncapsulatedPDFStorage, "DOC")
    made.ConversionType = _WORKSTATION
    made.AcquisitionDateTime = ""
    # The picture is in it.
    made.BurnedInAnnotation = "NO" if study.source.names_nobody else "YES"
    made.DocumentTitle = f"{title} - {RESEARCH}"[:1024]
    made.ConceptNameCodeSequence = [coded(codes.DCM.ImagingMeasurementReport)]
    made.VerificationFlag, made.ContentQualification = "UNVERIFIED", "RESEARCH"
    made.SourceInstanceSequence = [source_item(study)]
    made.MIMETypeOfEncapsulatedDocument = PDF_MIME
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + bytes(len(pdf) % 2)
    return made
