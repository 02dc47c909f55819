"""What is done with a picture when something fails, and what an archive may answer."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from backend.config import Config, ConfigError
from backend.dicomweb import ledger as clock
from backend.dicomweb.archive import ArchiveUnavailable, DicomWeb, _only_part
from backend.dicomweb.ledger import Entry, Ledger, PassedOver
from backend.dicomweb.listen import Listener
from backend.dicomweb.watch import Watch
from backend.dicomweb.work import Steps, Work
from backend.settings.pacs import Pacs, Peer
from backend.telemetry import make_logger

Going = Callable[[], None]
UIDS = ("1.2.1", "1.2.2", "1.2.3")


class Somebody:
    """Steps that fail as often as they are told to."""

    def __init__(self, ledger: Ledger, written: list[str]) -> None:
        self.fetched, self.made, self.stored = list[Any](), 0, list[list[bytes]]()
        steps = Steps(self._fetch, self._results, self._store)
        logger = make_logger(True, Lines(written))  # type: ignore[arg-type]
        self.work = Work(ledger, "archive", steps, Pacs(attempts=3, backoff_s=60), logger)

    def _fetch(self, entry: Entry) -> bytes:
        found = self.fetched.pop(0)
        if isinstance(found, Exception):
            raise found
        return bytes(found)

    def _results(self, _entry: Entry, data: bytes) -> dict[str, bytes]:
        self.made += 1
        return {"sr": data + b" report", "pdf": data + b" pages"}

    def _store(self, _study: str, objects: list[bytes]) -> None:
        self.stored.append(objects)
        if len(self.stored) == 1:
            raise ArchiveUnavailable("not now")

    def go(self) -> None:
        self.work.go_on(threading.Event())


class Lines:
    """A stream that keeps what is written."""

    def __init__(self, written: list[str]) -> None:
        self.write = written.append

    def flush(self) -> None:
        """Nothing waits."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path)
    assert made.add(UIDS, "archive")
    assert not made.add(UIDS, "archive")
    return made


def states(ledger: Ledger) -> list[tuple[str, int]]:
    return [(one.state, one.attempts) for one in ledger.listed(("waiting", "answered", "stored", "skipped", "dead"))]


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    then = clock.now() + seconds
    monkeypatch.setattr("backend.dicomweb.ledger.now", lambda: then)


def test_results_are_sent_again_as_they_were_and_removed_then(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    who = Somebody(ledger, [])
    who.fetched = [b"picture"]
    who.go()
    assert states(ledger) == [("answered", 1)]
    who.go()
    assert len(who.stored) == 1, "not before its time"
    later(monkeypatch, 61)
    who.go()
    assert (states(ledger), who.made) == ([("stored", 0)], 1)
    assert who.stored == 2 * [[b"picture pages", b"picture report"]]
    assert not list(ledger.folder.glob("results/**/*"))


def test_what_fails_too_often_is_given_up_listed_and_tried_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    who = Somebody(ledger, written)
    who.fetched = [ArchiveUnavailable("gone"), OSError("Smith"), ArchiveUnavailable("gone"), b"picture"]
    for wait_s in (0, 61, 121):  # the second after one minute, the third after two more
        later(monkeypatch, wait_s)
        who.go()
    (dead,) = ledger.listed(("dead",))
    assert (dead.attempts, dead.reason) == (3, "archive_unavailable: gone")
    assert ledger.due("archive") is None
    assert "Smith" not in "".join(written)
    assert ledger.retry(None) == 1
    who.go()
    who.stored.append([])
    later(monkeypatch, 1000)
    who.go()
    assert states(ledger) == [("stored", 0)]


def test_what_is_passed_over_is_not_tried_again_unless_it_is_named(ledger: Ledger) -> None:
    who = Somebody(ledger, [])
    who.fetched = [PassedOver("a knee"), b"picture"]
    who.go()
    (passed,) = ledger.listed(("skipped",))
    assert (passed.reason, ledger.due("archive"), ledger.retry(None)) == ("a knee", None, 0)
    assert ledger.retry(passed.number) == 1
    who.go()
    assert states(ledger) == [("answered", 1)]


def test_what_a_stop_left_behind_is_swept(ledger: Ledger) -> None:
    (entry,) = ledger.listed(("waiting",))
    left = ledger.folder / "results" / str(entry.number)
    left.mkdir(parents=True)
    (left / "sr.dcm").write_bytes(b"x")
    who = Somebody(ledger, [])
    who.work.sweep()
    assert left.exists()
    ledger.change(entry, "stored")
    who.work.sweep()
    assert not left.exists()


def test_a_series_is_taken_up_as_a_whole_once_no_more_slices_come(tmp_path: Path) -> None:
    class Archive:
        slices = 3

        def studies(self) -> list[tuple[str, int]]:
            return [("1.2.1", self.slices)]

        def series(self, _study: str) -> list[tuple[str, str]]:
            return [("1.2.2", "CT")]

        def instances(self, _study: str, _series: str) -> list[str]:
            return [f"1.2.3.{n}" for n in range(self.slices)]

    ledger, archive, unused = Ledger(tmp_path), Archive(), cast(Any, None)
    for found in (3, 5, 6):  # a study that is complete at 3 would be three pictures
        archive.slices = found
        Watch(cast(Any, archive), ledger, unused, {"CT"}, Pacs(series_pictures=4), unused).look()
        assert ledger.due("archive") is None
    for _ in range(3):
        Watch(cast(Any, archive), ledger, unused, {"CT"}, Pacs(series_pictures=4), unused).look()
    assert [(one.instance_uid, one.whole_series) for one in ledger.listed(("waiting",))] == [("1.2.2", True)]


def test_a_part_is_the_bytes_between_its_lines() -> None:
    data, boundary = b"\r\n--x\r\n\r\n" + bytes(range(256)), uuid.uuid4().hex
    body = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + data + f"\r\n--{boundary}--".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    assert _only_part(body, kind) == data
    assert _only_part(data, "application/dicom") == data
    for broken in (body[:40], b"", data):
        with pytest.raises(ArchiveUnavailable):
            _only_part(broken, kind)


def test_errors_of_the_network_tell_no_address() -> None:
    with pytest.raises(ArchiveUnavailable) as told:
        DicomWeb(Pacs(url="http://127.0.0.1:9/name")).series("1.2.3")
    assert str(told.value) == "the archive cannot be reached (ConnectionError)"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DICOMWEB_URL", "ftp://x"), ("DICOMWEB_URL", "https://ada:words@x"), ("DICOMWEB_CA", "/nowhere"),
        ("DICOM_RETURN_TO", "x"), ("DICOM_RETURN_TO", "A@b:99999"), ("DICOM_AE_TITLE", "a" * 17),
        ("DICOM_ALLOWED_AES", "a b"), ("DICOMWEB_GATE", "off"), ("DICOMWEB_POLL_S", "0"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as told:
        Config.from_env({name: value})
    assert "words" not in str(told.value)


def test_settings_are_taken_and_nobody_may_send_unless_named(ledger: Ledger) -> None:
    found = Config.from_env({"DICOM_RETURN_TO": "PACS@10.0.0.1:104", "DICOM_ALLOWED_AES": "CT1, MR_2"}).pacs
    assert (found.return_to, found.allowed_aes) == (Peer("PACS", "10.0.0.1", 104), ("CT1", "MR_2"))
    with pytest.raises(ConfigError, match="DICOM_ALLOWED_AES"):
        Listener(ledger, Pacs())
