"""A series of an archive becomes results of its gravest slice, by the rule of /api/analyze/series."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from clients.dicom import items
from dicom_files import frames_of, write
from pictures import chest_film
from pydicom import dcmread
from pydicom.uid import EnhancedMRImageStorage

from backend.app import Application
from backend.dicomweb.answering import Answering
from backend.dicomweb.ledger import Entry, PassedOver
from backend.errors import Busy

STUDY, SERIES, INSTANCE = "1.2.826.0.1.3680043.10.7", "1.2.826.0.1.3680043.10.7.1", "1.2.826.0.1.3680043.10.7.1.1"


def frames(count: int) -> bytes:
    """Of a head, in one file."""
    made = frames_of(*([100] * count), rows_px=160, columns_px=200)
    made.PixelData = np.stack([chest_film(n)[:160, :200, 0] for n in range(count)]).tobytes()
    made.SOPClassUID, made.Modality, made.BodyPartExamined = EnhancedMRImageStorage, "MR", "BRAIN"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = STUDY, SERIES, INSTANCE
    return write(made)


def entry(uid: str = INSTANCE) -> Entry:
    return Entry(1, uid, SERIES, STUDY, "archive", "waiting", 0, "")


def zipped(*files: bytes) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number, data in enumerate(files):
            archive.writestr(str(number), data)
    made.seek(0)
    return made


def test_the_frames_of_a_file_are_a_series_and_its_results_are_the_same_again(live_app: Application) -> None:
    answering, data = Answering(live_app.services, "on"), frames(5)
    made, again = answering.results(entry(), data), answering.results(entry(), data)
    assert sorted(made) == ["pdf", "sc", "sr"]
    uids = [[str(dcmread(io.BytesIO(one[kind])).SOPInstanceUID) for kind in sorted(one)] for one in (made, again)]
    assert uids[0] == uids[1]
    report = dcmread(io.BytesIO(made["sr"]))
    (said,) = [str(value) for _, name, value in items(report) if name == "Comment" and "of a series" in str(value)]
    frame = {int(one.value) for one in report.iterall() if one.keyword == "ReferencedFrameNumber"}
    assert len(frame) == 1
    assert said.startswith(f"5 slices of a series of 5 were looked at; this is the gravest, slice {frame.pop()}. ")


def test_a_series_without_an_answer_is_passed_over_and_one_that_may_have_one_later_waits(
    live_app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering: Any = Answering(live_app.services, "on")
    with pytest.raises(PassedOver, match="no slice of the series is answered; the first: unreadable_input"):
        answering.results(entry(SERIES), zipped(frames(1)[:-2000]))
    monkeypatch.setattr(live_app.services.series, "_stopping", lambda: True)
    with pytest.raises(Busy, match="a slice of the series was not answered: draining"):
        answering.results(entry(SERIES), zipped(frames(1)))
