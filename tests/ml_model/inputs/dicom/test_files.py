"""The DICOM files of other projects: docs/dicom.md says what becomes of each, and that is so."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from dicom_files import compressed, dataset, frames_of, ramp, write
from pydicom.uid import HTJ2K
from samples import ROOT, real_archive

_SPEC = importlib.util.spec_from_file_location("decoded_files", ROOT / "benchmarks" / "decoding" / "dicom_files.py")
assert _SPEC
assert _SPEC.loader
measured = importlib.util.module_from_spec(_SPEC)
sys.modules["decoded_files"] = measured
_SPEC.loader.exec_module(measured)
PAGE = (ROOT / "docs" / "dicom.md").read_text(encoding="utf-8")


def cells(table: str) -> list[list[str]]:
    """Rows of the tables, without what dcmtk says."""
    rows = [[cell.strip() for cell in line.split(" | ")] for line in table.splitlines() if line.startswith("| ")]
    return [row[:4] for row in rows]


def test_every_file_is_decoded_or_refused_as_the_page_says() -> None:
    outcomes = [measured.outcome_of(name, data) for name, data in measured.files_of(real_archive("dicom.zip"))]
    page = PAGE.split(measured.BEGIN)[1].split(measured.END)[0]
    assert cells(measured.table(outcomes)) == cells(page)
    everything = next(row for row in page.splitlines() if row.startswith("| all |"))
    assert everything.endswith("| 0 |"), "dcmtk decodes nothing that is refused here"
    assert sum(not one.code for one in outcomes) >= 60


def test_a_file_counts_by_its_syntax_and_a_refusal_says_why() -> None:
    made = [
        measured.outcome_of("a.dcm", write(frames_of(1, 2, 3))),
        measured.outcome_of("b.dcm", compressed(dataset(ramp(1, 2)), HTJ2K, b"x")),
        measured.Outcome("c.dcm", "RLE Lossless", "unreadable_input", "cut | off", by_dcmtk=True),
    ]
    assert cells(measured.table(made))[1:-2] == [
        ["| Explicit VR Little Endian", "1", "1", "0"],
        ["| High-Throughput JPEG 2000 Image Compression", "1", "0", "1"],
        ["| RLE Lossless", "1", "0", "1"],
        ["| all", "3", "1", "2"],
        ["| refused", "code", "because |"],
    ]
    assert "| c.dcm | `unreadable_input` | cut / off |" in measured.table(made)
    assert measured.dcmtk_alone(made) == ("c.dcm",)
    broken = frames_of(1, 2, 3)
    broken.PixelData = broken.PixelData[:48]
    assert measured.outcome_of("d.dcm", write(broken)).code == "unreadable_input"


def test_the_tables_go_between_the_marks() -> None:
    page = f"a\n{measured.BEGIN}\nold\n{measured.END}\nb\n"
    assert measured.with_table(page, "new") == f"a\n{measured.BEGIN}\nnew\n{measured.END}\nb\n"
    with pytest.raises(IndexError):
        measured.with_table("a page without marks", "new")
