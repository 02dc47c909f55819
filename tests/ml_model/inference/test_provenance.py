"""The hash of the preprocessing: it follows the decoding code, module by module, wherever that stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import SUPPORT, image_task

import ml_model
from ml_model.inference.provenance import decoding_modules, preprocessing_sha256

PACKAGE = Path(ml_model.__file__).parent
# Each door through which bytes become an array, with what it imports only when such a file arrives.
DOORS = """
import sys
import numpy as np
from dicom_files import dataset, write
from ecg_files import csv_file, dicom_file, dicom_group, edf_file, heart, wfdb_record
from ml_model.ecg.recording import load_recording
from ml_model.ecg.digitizer.page import read_page
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageInput
film = ImageInput(modality="film", height_px=32, width_px=32, min_side_px=1)
load_image(write(dataset(np.arange(4096, dtype=np.uint16).reshape(64, 64))), film)
for files in (csv_file(heart()), edf_file(heart()), dicom_file([dicom_group(heart())]), wfdb_record(heart())):
    load_recording(files)
print("\\n".join(name for name in sys.modules if name.startswith("ml_model.")))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code of ml_model, to be changed."""
    return copied(tmp_path / "ml_model")


def copied(to: Path) -> Path:
    for path in PACKAGE.rglob("*.py"):
        target = to / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return to


def moved(root: Path, old: str, new: str) -> Path:
    """Module `old` as `new`, and every import of it."""
    source, target = (root.joinpath(*name.split(".")[1:]).with_suffix(".py") for name in (old, new))
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    for path in root.rglob("*.py"):
        path.write_text(path.read_text("utf-8").replace(f"from {old} ", f"from {new} "), encoding="utf-8")
    return target


def hash_of(root: Path) -> str:
    """Of a copy that was not hashed before: what was read once is kept."""
    return preprocessing_sha256(image_task("heart"), root)


def test_a_byte_of_any_decoding_module_changes_the_hash(tmp_path: Path) -> None:
    same = hash_of(PACKAGE)
    assert hash_of(copied(tmp_path / "same" / "ml_model")) == same
    modules = [path.relative_to(PACKAGE) for path in decoding_modules()]
    assert {path.parts[0] for path in modules} >= {"inputs", "ecg", "tasks"}
    found = {same}
    for number, module in enumerate(modules):
        root = copied(tmp_path / str(number) / "ml_model")
        path = root / module
        path.write_bytes(path.read_bytes() + b"#")
        found.add(hash_of(root))
    assert len(found) == 1 + len(modules)
    assert len(modules) > 25


def test_every_module_that_decoding_loads_is_hashed() -> None:
    """Told by a process that decodes, not by the packages."""
    command = [sys.executable, "-c", DOORS]
    child = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=300, cwd=SUPPORT)
    loaded = {Path(*name.split(".")[1:]) for name in child.stdout.split()}
    hashed = {path.relative_to(PACKAGE).with_suffix("") for path in decoding_modules()}
    hashed |= {path.parent for path in hashed if path.name == "__init__"}
    assert len(loaded) > 20
    assert loaded <= hashed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ml_model.ecg.formats.wfdb", "ml_model.ecg.wfdb"),
        ("ml_model.ecg.digitizer.grid", "ml_model.inputs.paper.grid"),
        ("ml_model.inputs.images.geometry", "ml_model.inputs.placing.deep.geometry"),
        ("ml_model.inputs.images.intensity", "ml_model.elsewhere.levels"),
    ],
)
def test_the_hash_follows_a_module_that_moves(tmp_path: Path, old: str, new: str) -> None:
    before, after = (copied(tmp_path / name / "ml_model") for name in ("before", "after"))
    for root in (before, after):
        path = moved(root, old, new)
    assert path in decoding_modules(after)
    path.write_bytes(path.read_bytes() + b"#")
    assert hash_of(before) != hash_of(after)


def test_a_change_of_another_module_keeps_the_hash(copy: Path) -> None:
    same = hash_of(PACKAGE)
    for name in ("replay.py", "training/reports/plots.py", "inference/bundle.py"):
        (copy / name).write_bytes((copy / name).read_bytes() + b"#")
    assert hash_of(copy) == same


DECODE_ALL = """
import sys
from pathlib import Path
from ml_model.tasks.registry import ImageInput
from ml_model.training.data.decoded_cache import decode_all
from ml_model.training.data.samples import Sample
folder = Path(sys.argv[1])
samples = [Sample(folder / "a.png", "s", "x", ("x",), "g", "train")]
decode_all(samples, ImageInput(modality="film", height_px=32, width_px=32, min_side_px=1), folder / "cache")
"""


def test_pixels_are_decoded_again_when_the_decoder_has_changed(copy: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "a.png")

    def cached() -> int:
        command = [sys.executable, "-c", DECODE_ALL, str(tmp_path)]
        subprocess.run(command, check=True, cwd=copy.parent, env={"PYTHONPATH": str(copy.parent)}, timeout=300)
        return len(list((tmp_path / "cache").iterdir()))

    assert (cached(), cached()) == (1, 1)
    geometry = next(path for path in decoding_modules(copy) if path.name == "geometry.py")
    geometry.write_bytes(geometry.read_bytes() + b"# resizes otherwise\n")
    assert cached() == 2
