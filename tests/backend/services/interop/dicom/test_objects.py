"""Answers as DICOM objects: others' validators take them, and they say what the answer says, of whom and of what."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from clients.dicom import items, read
from made_tasks import thresholds
from rendered import rendered, sent

from backend.services.interop.answered import AnsweredCase
from backend.services.interop.dicom.objects import Answered
from backend.services.interop.dicom.segmentation import strong_pixels
from backend.services.rendering.heatmaps import Heatmap, overlay_png
from backend.services.rendering.messages import DISCLAIMER
from backend.services.reports.kept_answer import KeptAnswer
from ml_model.diagnosis.decision import Beside
from ml_model.inference.bundle import PredictionSets
from ml_model.inputs.dicom.instances import DicomInstance
from ml_model.inputs.dicom.study import SourceImage
from ml_model.inputs.images.geometry import Frame
from ml_model.tasks.registry import ImageTask, load_image_tasks, load_task

AT = datetime(2026, 11, 30, 9, 5, 7, tzinfo=UTC)
PDF = b"%PDF-1.4 of a test"
ROWS, COLUMNS = 120, 200
PEAK = (50, 48, 50, 24)
PATIENT = {
    "PatientName": "Müller^Änne", "PatientID": "4711", "PatientBirthDate": "19500101", "PatientSex": "F",
    "StudyDate": "20260102", "StudyTime": "1200", "AccessionNumber": "A-1", "StudyID": "7",
}  # fmt: skip
CELLS = np.zeros((5, 8), np.float32)
CELLS[2, 2:4] = 1.0  # of 40 cells of 25 x 24 pixels
MAP = Heatmap(np.zeros((224, 224, 3), np.uint8), CELLS, Frame(0, 0, COLUMNS, ROWS), COLUMNS, ROWS, "x")
CT = {
    "frame_of_reference_uid": "1.2.826.0.1.9",
    "places": {
        "ImagePositionPatient": (1.0, 2.0, 3.0), "ImageOrientationPatient": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        "PixelSpacing": (0.7, 0.7), "SliceThickness": (1.25,),
    },
}  # fmt: skip


def source(sop_class: str = "1.1.1", modality: str = "DX", frames: int = 1, **known: Any) -> SourceImage:
    """sop_class: behind 1.2.840.10008.5.1.4.1.1."""
    uids = (f"1.2.826.0.1.{n}" for n in (1, 2, 3))
    known.setdefault("said", PATIENT)
    instance = DicomInstance(*uids, f"1.2.840.10008.5.1.4.1.1.{sop_class}", modality)
    return SourceImage(instance, ROWS, COLUMNS, frames, **known)


def answered(
    task: ImageTask, shares: dict[str, float], of: SourceImage | None, *, abstaining: bool = False, **settled: Any
) -> Answered:
    """With a map whose peak lies at `PEAK`."""
    beside = Beside(unfit=("It is cut off.",) if abstaining else ())
    answer = sent(rendered(task, shares, beside=beside, **settled))
    code = max(shares, key=shares.__getitem__)
    answer["explanation"] |= {"class": code, "peak_region": list(PEAK)}
    if of and of.frames > 1:
        told = dict.fromkeys(("body_part", "view", "laterality", "pixel_spacing_mm"))
        answer["input_check"]["dicom"] = [{"modality": "MR", "frame": 3, "frames": of.frames, **told}]
    case = AnsweredCase(uuid.UUID(int=7), AT, KeptAnswer.model_validate(answer), task, "p-1")
    return Answered(case, of, lambda: PDF, overlay_png(MAP), MAP, np.full((90, 70, 3), 77, np.uint8))


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_a_report_says_what_the_answer_says(task: ImageTask) -> None:
    rng = np.random.default_rng(5)
    for abstaining, with_limits in ((False, True), (True, False)):
        shares = dict(zip(task.codes, rng.dirichlet(np.full(len(task.codes), 0.4)).tolist(), strict=True))
        limits = {"findings": {rule.code: thresholds(0.35, 0.6) for rule in task.findings}} if with_limits else {}
        sets = PredictionSets(coverage=0.9, thresholds=dict.fromkeys(task.measured_labels, 0.05))
        one = answered(task, shares, source(), abstaining=abstaining, prediction_sets=sets, **limits)
        answer, made = one.case.answer, read(one.made("sr"))
        found = items(made)
        silent, bounds = answer.abstained, ("Ruled out below", "Suspected from")
        percentages = [value for kind, name, value in found if kind == "NUM" and name not in bounds]
        expected = [] if silent else [100 * p.confidence for p in answer.all_predictions]
        stated = [f for f in answer.findings if f.state == "suspected" or not silent]
        assert percentages == pytest.approx([*expected, *(100 * f.probability for f in stated)])
        states = [value for _, name, value in found if name == "State of the finding"]
        words = {"suspected": "Suspected", "indeterminate": "Not ruled out", "ruled_out": "Ruled out"}
        assert states == [words[f.state if f in stated else "indeterminate"] for f in answer.findings]
        assert sum(name == "Suspected from" for _, name, _ in found) == (len(task.findings) if with_limits else 0)
        assert (sum(name == "Most probable class" for _, name, _ in found) == 1) is not silent
        conclusions = [str(value) for _, name, value in found if name == "Conclusion"]
        assert (conclusions[0] == "No statement is made.") is silent
        assert answer.triage.text in "".join(conclusions)
        assert any(DISCLAIMER in str(value) for _, name, value in found if name == "Comment")
        assert ("TEXT", "Device Observer Serial Number", f"SHA-256 {answer.model.sha256}") in found
        assert {value for kind, _, value in found if kind == "IMAGE"} == {"1.2.826.0.1.3"}
        assert (made.VerificationFlag, made.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


@pytest.mark.parametrize(
    "of",
    [
        source(), source("1.2", "MG", laterality="L"), source("6.1", "US"), source("77.1.4", "XC"), source("7", "OT"),
        source("2", "CT", **CT), source("2", "CT"), source("4", "MR", **CT), source("4.1", "MR", frames=5),
        source(said={}), source("1.1", "CR", names_nobody=True, compression={
            "LossyImageCompression": "01", "LossyImageCompressionRatio": "12.5",
            "LossyImageCompressionMethod": "ISO_10918_1",
        }),
    ],
    ids=lambda s: f"{s.instance.modality}-{s.frames}-{len(s.said)}-{len(s.places)}",
)  # fmt: skip
def test_every_object_lies_in_the_study_of_its_source_and_is_valid(of: SourceImage) -> None:
    one = answered(load_task("xray"), {"normal": 0.2, "pneumonia": 0.8}, of)
    assert tuple(one.kinds()) == ("sr", "sc", "seg", "pdf")
    made = {kind: read(one.made(kind)) for kind in one.kinds()}
    for object_ in made.values():
        assert object_.StudyInstanceUID == "1.2.826.0.1.1"
        assert {word: str(object_.get(word, "")) for word in PATIENT} == dict.fromkeys(PATIENT, "") | of.said
        assert "RESEARCH USE ONLY" in object_.SeriesDescription
        assert (object_.ContentQualification, object_.InstanceCreationDate) == ("RESEARCH", "20261130")
        references = [e.value for e in object_.iterall() if e.keyword == "ReferencedSOPInstanceUID"]
        assert set(references) == {"1.2.826.0.1.3"}
        classes = {e.value for e in object_.iterall() if e.keyword == "ReferencedSOPClassUID"}
        assert classes == {of.instance.sop_class_uid}
        frames = {int(e.value) for e in object_.iterall() if e.keyword == "ReferencedFrameNumber"}
        assert frames == ({3} if of.frames > 1 else set())
    assert len({object_.SeriesInstanceUID for object_ in made.values()}) == 4
    assert [object_.Modality for object_ in made.values()] == ["SR", "OT", "SEG", "DOC"]
    assert made["pdf"].EncapsulatedDocument[: len(PDF)] == PDF
    assert made["pdf"].BurnedInAnnotation == ("NO" if of.names_nobody else "YES")
    assert made["sc"].PhotometricInterpretation == "RGB"
    assert made["seg"].get("FrameOfReferenceUID", "") == of.frame_of_reference_uid
    x, y, width, height = PEAK
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    lines = [value for kind, _, value in items(made["sr"]) if kind == "SCOORD"]
    assert lines == [[float(number) for corner in corners for number in corner]]


def test_the_same_answer_gives_the_same_bytes_and_another_other_uids() -> None:
    first, again, other = (answered(load_task("xray"), {"pneumonia": 0.8, "normal": 0.2}, source()) for _ in range(3))
    object.__setattr__(other.case, "record_id", uuid.UUID(int=8))
    assert [first.made(kind) for kind in first.kinds()] == [again.made(kind) for kind in again.kinds()]
    uids = [{str(read(one.made(kind)).SOPInstanceUID) for kind in one.kinds()} for one in (first, other)]
    assert (len(uids[0] | uids[1]), len(uids[0] & uids[1])) == (8, 0)


def test_a_picture_without_a_study_gets_one_with_itself_in_it() -> None:
    one = answered(load_task("skin"), {"mel": 1.0}, None)
    made = {kind: read(one.made(kind)) for kind in one.kinds()}
    assert tuple(made) == ("sr", "sc", "seg", "pdf", "picture")
    assert {m.StudyInstanceUID for m in made.values()} == {made["picture"].StudyInstanceUID}
    assert {str(m.PatientID) for m in made.values()} == {"p-1"}
    picture = made["picture"]
    assert (picture.Rows, picture.Columns, set(picture.PixelData)) == (90, 70, {77})
    for kind in ("sr", "sc", "seg", "pdf"):
        found = {e.value for e in made[kind].iterall() if e.keyword == "ReferencedSOPInstanceUID"}
        assert found == {picture.SOPInstanceUID}
    assert (made["seg"].Rows, made["seg"].Columns) == (90, 70)


def test_the_segment_lies_where_the_peak_is() -> None:
    made = strong_pixels(MAP, ROWS, COLUMNS)
    rows, columns = np.flatnonzero(made.any(axis=1)), np.flatnonzero(made.any(axis=0))
    x, y, width, height = PEAK
    assert (columns[0], columns[-1] + 1, rows[0], rows[-1] + 1) == (x, x + width, y, y + height)
    mirrored = Heatmap(MAP.shown, CELLS, Frame(0, 0, COLUMNS, ROWS, mirrored=True), COLUMNS, ROWS)
    assert np.array_equal(strong_pixels(mirrored, ROWS, COLUMNS), made[:, ::-1])
    shifted = strong_pixels(Heatmap(MAP.shown, CELLS, Frame(100, 0, COLUMNS, ROWS), COLUMNS, ROWS), ROWS, COLUMNS)
    assert np.array_equal(shifted[:, 100:], made[:, :100])
    assert not shifted[:, :100].any()
    half = strong_pixels(MAP, ROWS // 2, COLUMNS // 2)
    assert abs(half.sum() * 4 - made.sum()) <= 0.1 * made.sum()
    nothing = Heatmap(MAP.shown, np.zeros((5, 8), np.float32), MAP.frame, COLUMNS, ROWS)
    assert not strong_pixels(nothing, ROWS, COLUMNS).any()


def test_no_name_comes_into_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """highdicom logs a name without a caret."""
    told = {**PATIENT, "PatientName": "Smith", "ReferringPhysicianName": "Grey"}
    with caplog.at_level(logging.DEBUG):
        made = answered(load_task("xray"), {"pneumonia": 0.8, "normal": 0.2}, source(said=told))
        assert [str(read(made.made(kind)).PatientName) for kind in made.kinds()] == ["Smith"] * 4
    assert not [word for word in ("Smith", "4711", "Grey", "A-1") if word in caplog.text]
