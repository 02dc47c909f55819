"""DICOM objects as others read them: dicom3tools' dciodvfy, dcmtk's dcm2json and dsrdump."""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path

from pydicom import Dataset, dcmread


def read(data: bytes) -> Dataset:
    """An object that every one of them takes, without an error of any."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.dcm"
        path.write_bytes(data)
        made = dcmread(io.BytesIO(data))
        for command in (["dciodvfy", "-new"], ["dcm2json"], *([["dsrdump"]] if made.Modality == "SR" else [])):
            done = subprocess.run([*command, str(path)], capture_output=True, timeout=60, check=False)
            told = done.stderr.decode("utf-8", "replace")
            assert (done.returncode, "Error" in told, "E:" in told) == (0, False, False), (command, told)
    return made


def items(report: Dataset) -> list[tuple[str, str, object]]:
    """Kind, name and value of each item of a report, from the top down."""
    found: list[tuple[str, str, object]] = []
    for one in report.get("ContentSequence", ()):
        name = one.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in one else ""
        found.append((one.ValueType, name, _value(one)))
        found += items(one)
    return found


def _value(one: Dataset) -> object:
    if one.ValueType == "NUM":
        return float(one.MeasuredValueSequence[0].NumericValue)
    if one.ValueType == "CODE":
        return one.ConceptCodeSequence[0].CodeMeaning
    if one.ValueType == "IMAGE":
        return str(one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    if one.ValueType == "SCOORD":
        return list(one.GraphicData)
    return one.get("TextValue") or one.get("UID")
