"""A real archive is watched and listened for: each study gets its own results, once, whatever is restarted when."""

from __future__ import annotations

import io
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients.archives import PASSWORD, USER, Command, Orthanc, wait_for
from clients.dicom import items, read
from dicom_files import dataset, write
from PIL import Image
from pydicom import dcmread
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation, MRImageStorage
from pynetdicom import AE
from records.databases import free_port
from samples import image_task, write_tiny

from backend.config import Config
from backend.dicomweb.__main__ import main
from backend.dicomweb.archive import DicomWeb
from backend.dicomweb.ledger import Ledger
from backend.dicomweb.watch import Watch
from ml_model.tasks.registry import TASKS_DIR

Picture = Callable[..., bytes]
ANSWERED = Counter(DX=1, SR=1, OT=1, DOC=1)
NAMES = ("Smith", "P-100", "19610203", "A-100")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Empty at first."""
    running = Orthanc(tmp_path_factory.mktemp("orthanc"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def environment(archive: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a service that reads chest films and CT of the lung and nothing else, with tiny models."""
    folder = tmp_path_factory.mktemp("watcher")
    (folder / "tasks").mkdir()
    for task in ("xray", "lung-ct"):
        shutil.copy(TASKS_DIR / f"{task}.toml", folder / "tasks")
        write_tiny(image_task(task), folder / "models")
    return {
        "TASKS_DIR": str(folder / "tasks"), "MODEL_DIR": str(folder / "models"), "DATA_DIR": str(folder / "data"),
        "USER_MODELS_DIR": str(folder), "INPUT_GATE": "off", "DICOMWEB_URL": archive.url, "DICOMWEB_USERNAME": USER,
        "DICOMWEB_PASSWORD": PASSWORD, "DICOMWEB_POLL_S": "1", "DICOMWEB_BACKOFF_S": "1", "DICOMWEB_ATTEMPTS": "50",
        "DICOMWEB_SERIES_PICTURES": "3",
    }  # fmt: skip


@pytest.fixture
def start() -> Iterator[Callable[..., Command]]:
    """Factory of commands, none of which outlives its test."""
    started: list[Command] = []

    def make(environment: dict[str, str], name: str) -> Command:
        started.append(Command(environment, name))
        return started[-1]

    yield make
    for one in started:
        one.process.kill()


def film(picture: bytes, number: int, **changes: object) -> bytes:
    """Of somebody with a name, in a study of its own."""
    with Image.open(io.BytesIO(picture)) as image:
        made = dataset(np.asarray(image.convert("L"), np.uint8), BodyPartExamined="CHEST", ViewPosition="PA")
    made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.PatientName, made.PatientID, made.PatientBirthDate = f"Smith^{number}", f"P-{number}", "19610203"
    made.StudyDate, made.StudyTime, made.AccessionNumber = "20260102", "101500", f"A-{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = study(number), f"{study(number)}.1"
    made.SOPInstanceUID = f"{study(number)}.1.1"
    for name, value in changes.items():
        setattr(made, name, value)
    return write(made)


def ct_slice(picture: bytes, place: int) -> bytes:
    """Of a series that is a study of its own. place: along the body."""
    return film(
        picture, 108, Modality="CT", SOPClassUID=CTImageStorage, SOPInstanceUID=f"{study(108)}.1.{place + 1}",
        ImagePositionPatient=[0, 0, 5 * place], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
    )  # fmt: skip


def look_again(environment: dict[str, str]) -> bool:
    """Whether anything is to be done when every study is looked through once more."""
    config = Config.from_env(environment)
    ledger, archive = Ledger(config.data_dir), DicomWeb(config.pacs)
    for uid, _ in archive.studies():
        ledger.looked_through(uid, -1)
    nothing: Any = None
    Watch(archive, ledger, nothing, {"DX", "CR", "CT"}, config.pacs, nothing).look()
    return ledger.due("archive") is not None


def study(number: int) -> str:
    return f"1.2.826.0.1.3680043.10.{number}"


def answered(archive: Orthanc, *numbers: int) -> bool:
    found = archive.modalities()
    return all(found[study(number)] == ANSWERED for number in numbers)


def test_five_studies_have_their_results_once_though_both_are_restarted(
    archive: Orthanc, environment: dict[str, str], picture: Picture, start: Callable[..., Command],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for number in (100, 101, 102):
        archive.add(film(picture(400, 300, seed=number), number))
    for place in range(5):
        archive.add(ct_slice(picture(400, 300, seed=place), place))
    first = start(environment, "watch")
    wait_for("a report", lambda: any(found["SR"] for found in archive.modalities().values()))
    told = first.kill()
    archive.stop()
    archive.start()
    for number in (103, 104):
        archive.add(film(picture(400, 300, seed=number), number))
    archive.add(film(picture(400, 300), 105, Modality="MR", SOPClassUID=MRImageStorage))
    archive.add(film(picture(400, 300), 106, BodyPartExamined="KNEE"))
    second = start(environment, "watch")
    second.first_line()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["watch"]) == 2
    assert "another process works on this data folder" in capsys.readouterr().err
    wait_for("five reports", lambda: answered(archive, 100, 101, 102, 103, 104))
    archive.stop()  # and while there is nothing to do
    archive.start()
    archive.add(film(picture(400, 300, seed=107), 107))
    wait_for("a sixth", lambda: answered(archive, 107))
    wait_for("a series", lambda: archive.modalities()[study(108)]["SR"])
    told += second.end()
    assert not look_again(environment)
    assert answered(archive, *range(100, 105), 107)
    assert archive.modalities()[study(105)] == Counter(MR=1)
    assert archive.modalities()[study(108)] == Counter(CT=5, SR=1, OT=1, DOC=1)
    assert archive.modalities()[study(106)] == Counter(DX=1)
    assert not [word for word in (*NAMES, PASSWORD, study(100)) if word in told]
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert "no task reads the modality MR" in told
    assert "wrong_modality: the DICOM header says body part KNEE, which no task here reads (xray reads" in told
    assert not list(Path(environment["DATA_DIR"]).glob("dicomweb/*/**/*.dcm"))


def test_results_are_of_the_patient_and_refer_to_the_picture(archive: Orthanc) -> None:
    """After the test above."""
    for modality in ("SR", "OT", "DOC"):
        (data,) = archive.files(study(101), modality)
        made = read(data)
        assert (str(made.PatientName), made.PatientID, made.AccessionNumber) == ("Smith^101", "P-101", "A-101")
        assert (made.StudyDate, made.PatientBirthDate) == ("20260102", "19610203")
        references = {e.value for e in made.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
        assert references == {f"{study(101)}.1.1"}
    assert made.EncapsulatedDocument.startswith(b"%PDF-")
    (report,) = archive.files(study(101), "SR")
    assert [value for kind, name, value in items(dcmread(io.BytesIO(report))) if name == "Device Observer Name"] == [
        "MediDiagnose-AI xray"
    ]


def test_a_series_is_answered_by_its_gravest_slice_and_says_so(archive: Orthanc) -> None:
    """After the first test."""
    (data,) = archive.files(study(108), "SR")
    made = read(data)
    (instance,) = {str(e.value) for e in made.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
    assert made.PatientName == "Smith^108"
    texts = [str(value) for _, name, value in items(dcmread(io.BytesIO(data))) if name == "Comment"]
    (said,) = [text for text in texts if "of a series" in text]
    place = int(instance.rpartition(".")[2])
    assert said.startswith(f"5 slices of a series of 5 were looked at; this is the gravest, slice {place}. ")
    assert "not measured" in said


def test_what_is_sent_is_answered_once_though_it_is_killed_and_sent_again(
    archive: Orthanc, environment: dict[str, str], picture: Picture, start: Callable[..., Command]
) -> None:
    told = {
        "DICOM_ALLOWED_AES": "SCANNER", "DICOM_PORT": str(free_port()), "DICOM_AE_TITLE": "MEDI",
        "DICOM_RETURN_TO": f"ORTHANC@127.0.0.1:{archive.dicom_port}",
    }  # fmt: skip
    listening = start(environment | told, "listen")
    port = int(re.findall(r"\d+", listening.first_line())[0])
    other = film(picture(400, 300), 203, Modality="OT")
    films = [film(picture(400, 300, seed=n - 100), n) for n in (201, 202)]
    for data in films:
        archive.add(data)
    assert send("SCANNER", port, [*films, other]) == [0, 0, 0]
    assert send("STRANGER", port, films) is None
    log = listening.kill()
    again = start(environment | told, "listen")
    again.first_line()
    assert send("SCANNER", port, films) == [0, 0]
    wait_for("results", lambda: answered(archive, 201, 202))
    assert send("SCANNER", port, films) == [0, 0]
    log += again.end()
    assert answered(archive, 201, 202)
    passed = [one.reason for one in Ledger(Path(environment["DATA_DIR"])).listed(("skipped",)) if one.origin == "sent"]
    assert passed == ["no task reads the modality OT"]
    assert not [word for word in ("Smith", "P-201", study(201)) if word in log]
    assert not list(Path(environment["DATA_DIR"]).glob("dicomweb/*/**/*.dcm"))


def send(title: str, port: int, films: list[bytes]) -> list[int] | None:
    """The status of each; None where no association is taken."""
    entity = AE(ae_title=title)
    entity.add_requested_context(DigitalXRayImageStorageForPresentation)
    link = entity.associate("127.0.0.1", port, ae_title="MEDI")
    if not link.is_established:
        return None
    made = [int(link.send_c_store(dcmread(io.BytesIO(one))).get("Status", -1)) for one in films]
    link.release()
    return made
