"""A real picture archive: Orthanc with its plugin for DICOMweb, on free ports, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from records.databases import free_port
from samples import ROOT

USER, PASSWORD = "watcher", " ".join(("words", "of", "a", "test"))
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_WITHIN_S = 240.0  # on a machine that is busy with other things


def wait_for(what: str, found: Any) -> None:
    """Until `found()` is true, which may fail to connect meanwhile."""
    end = time.monotonic() + _WITHIN_S
    while time.monotonic() < end:
        try:
            if found():
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {_WITHIN_S} s")


class Orthanc:
    """It can be stopped, and started again with what it held."""

    def __init__(self, folder: Path) -> None:
        self.http_port, self.dicom_port, self._folder = free_port(), free_port(), folder
        self.url = f"http://127.0.0.1:{self.http_port}/dicom-web"
        folder.mkdir(exist_ok=True)
        told = {
            "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "HttpPort": self.http_port,
            "DicomPort": self.dicom_port, "DicomAet": "ORTHANC", "RemoteAccessAllowed": False, "Plugins": [_PLUGIN],
            "AuthenticationEnabled": True, "RegisteredUsers": {USER: PASSWORD}, "DicomWeb": {"Enable": True},
            "DicomAlwaysAllowStore": True, "DicomCheckCalledAet": False, "OverwriteInstances": False,
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(told), encoding="utf-8")
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["/usr/sbin/Orthanc", str(self._folder / "orthanc.json")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for("the archive", lambda: self.get("/system"))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    def get(self, path: str) -> Any:
        reply = requests.get(f"http://127.0.0.1:{self.http_port}{path}", auth=(USER, PASSWORD), timeout=20)
        reply.raise_for_status()
        return reply.json() if reply.headers["Content-Type"].startswith("application/json") else reply.content

    def add(self, data: bytes) -> None:
        """A file, as a device would."""
        address = f"http://127.0.0.1:{self.http_port}/instances"
        requests.post(address, data=data, auth=(USER, PASSWORD), timeout=20).raise_for_status()

    def modalities(self) -> dict[str, Counter[str]]:
        """Of each study, by its UID, how many instances there are of each modality."""
        found: dict[str, Counter[str]] = {}
        for study in self.get("/studies?expand"):
            of_study = found.setdefault(study["MainDicomTags"]["StudyInstanceUID"], Counter())
            for series in self.get(f"/studies/{study['ID']}/series"):
                of_study[series["MainDicomTags"]["Modality"]] += len(series["Instances"])
        return found

    def files(self, study_uid: str, modality: str) -> list[bytes]:
        """Those of a study."""
        return [
            self.get(f"/instances/{instance}/file")
            for study in self.get("/studies?expand") if study["MainDicomTags"]["StudyInstanceUID"] == study_uid
            for series in self.get(f"/studies/{study['ID']}/series") if series["MainDicomTags"]["Modality"] == modality
            for instance in series["Instances"]
        ]  # fmt: skip


class Command:
    """`python -m backend.dicomweb …` as a process of its own."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.dicomweb", *arguments], cwd=ROOT, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip

    def first_line(self) -> str:
        """Once it works."""
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) and not line.startswith(("watching", "listening")):
            pass
        return line

    def kill(self) -> str:
        """In the middle of whatever it does. What it wrote since."""
        self.process.kill()
        return self.process.communicate(timeout=60)[0]

    def end(self) -> str:
        """As it is told to. What it wrote since."""
        self.process.terminate()
        told = self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0, told
        return told
