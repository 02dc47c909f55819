"""What becomes of the files of a DICOM test set, by transfer syntax, beside what dcmtk makes of them.

    python benchmarks/decoding/dicom_files.py shared/data/dicom.zip [--into docs/dicom.md]

Every frame of a file that holds a picture is decoded, here and by dcmtk (dcmj2pnm and dcml2pnm, Debian's package dcmtk;
its column says "not asked" where they are missing). Prints the table, and with --into writes it between the marks of a
page. Exit status 1 where a file ends in anything but a picture or one of our errors, or where dcmtk decodes what is
refused here. Half a minute on two cores.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID

from ml_model.errors import MediDiagnoseError
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.file_type import sniff_format
from ml_model.inputs.images.decoder import decode_image
from ml_model.tasks.image_schema import ImageInput

BEGIN, END = "<!-- dicom files: begin -->", "<!-- dicom files: end -->"
HEAD = (
    "| transfer syntax | files | decoded | refused | dcmtk decodes | dcmtk alone |\n|---|---|---|---|---|---|",
    "| refused | code | because |\n|---|---|---|",
)
ANY = ImageInput(modality="any", height_px=512, width_px=512, min_side_px=1)
PROGRAMS = ("dcmj2pnm", "dcml2pnm")  # of most syntaxes, and of JPEG-LS
NOT_ASKED = "not asked"
_WITHIN_S = 30


@dataclass(frozen=True)
class Outcome:
    """Of one file. refused: code and sentence; both empty for a picture. by_dcmtk: None where it was not asked."""

    name: str
    syntax: str
    code: str = ""
    refused: str = ""
    by_dcmtk: bool | None = None


def files_of(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of all that is DICOM by its content."""
    with zipfile.ZipFile(archive) as stored:
        for name in sorted(stored.namelist()):
            data = b"" if name.endswith("/") else stored.read(name)
            if sniff_format(data) == "DICOM":
                yield name, data


def outcome_of(name: str, data: bytes, *, ask_dcmtk: bool = False) -> Outcome:
    """What is made of a file here, every frame of it, and by dcmtk. Raises what is none of our errors."""
    by_dcmtk = _dcmtk_decodes(data) if ask_dcmtk else None
    try:
        frames = decode_image(data, ANY, full_size=True, whole=True).frames
        for frame in range(1, frames + 1) if frames > 1 else ():
            decode_image(data, ANY, full_size=True, whole=True, presentation=Presentation(frame))
    except MediDiagnoseError as error:
        return Outcome(name, _syntax_of(data), error.code, str(error), by_dcmtk)
    return Outcome(name, _syntax_of(data), by_dcmtk=by_dcmtk)


def _syntax_of(data: bytes) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            uid = str(read_file_meta_info(file.name).get("TransferSyntaxUID", ""))
        except Exception:  # no preamble, or no meta information
            uid = ""
    return UID(uid).name if uid else "not stated"


def _dcmtk_decodes(data: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        sent = Path(folder) / "sent"
        sent.write_bytes(data)
        for program in PROGRAMS:
            done = subprocess.run(
                [program, "--all-frames", "--write-raw-pnm", str(sent), f"{folder}/shown"],
                capture_output=True, timeout=_WITHIN_S, check=False,
            )  # fmt: skip
            if done.returncode == 0 and any(path.name.startswith("shown") for path in Path(folder).iterdir()):
                return True
    return False


def table(outcomes: Sequence[Outcome]) -> str:
    """Two tables: counts by transfer syntax, and every refusal."""
    rows = [HEAD[0]]
    for syntax in (*sorted({one.syntax for one in outcomes}), None):
        these = [one for one in outcomes if syntax in (one.syntax, None)]
        refused = sum(bool(one.code) for one in these)
        asked = [one for one in these if one.by_dcmtk is not None]
        theirs = str(sum(bool(one.by_dcmtk) for one in asked)) if asked else NOT_ASKED
        alone = str(len(dcmtk_alone(these))) if asked else NOT_ASKED
        rows.append(f"| {syntax or 'all'} | {len(these)} | {len(these) - refused} | {refused} | {theirs} | {alone} |")
    rows += ["", HEAD[1]]
    rows += [f"| {one.name} | `{one.code}` | {one.refused.replace('|', '/')} |" for one in outcomes if one.code]
    return "\n".join(rows)


def dcmtk_alone(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Names of the files that dcmtk decodes and that are refused here."""
    return tuple(one.name for one in outcomes if one.by_dcmtk and one.code)


def with_table(page: str, made: str) -> str:
    """A page with the tables between its marks. Raises IndexError where it has none."""
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    return f"{head}{BEGIN}\n{made}\n{END}{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="the test set, a zip file")
    parser.add_argument("--into", type=Path, help="a page with the marks of the table")
    options = parser.parse_args(arguments)
    ask = all(shutil.which(program) for program in PROGRAMS)
    outcomes = [outcome_of(name, data, ask_dcmtk=ask) for name, data in files_of(options.archive)]
    made = table(outcomes)
    print(made)
    if options.into:
        options.into.write_text(with_table(options.into.read_text("utf-8"), made), encoding="utf-8")
    alone = dcmtk_alone(outcomes)
    print(*(f"dcmtk alone decodes {name}" for name in alone), sep="\n", file=sys.stderr)
    return 1 if alone else 0


if __name__ == "__main__":
    sys.exit(main())
