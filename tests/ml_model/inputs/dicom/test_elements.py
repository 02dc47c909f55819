"""The first DICOM files of a process, sent at the same moment."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from child_processes.decode_at_once import INPUT, THREADS
from dicom_files import dataset, write
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLosslessSV1, RLELossless
from samples import SUPPORT

from ml_model.diagnosis.reading import prepare
from ml_model.inputs.dicom.elements import set_up_pydicom
from ml_model.inputs.images.decoder import load_image

SCRIPT = SUPPORT / "child_processes" / "decode_at_once.py"


@pytest.mark.parametrize("_attempt", range(3))
def test_the_first_files_of_a_process_may_come_together(_attempt: int) -> None:
    made = dataset(np.random.default_rng(0).integers(0, 4096, (64, 96), dtype=np.uint16))
    made.compress(RLELossless, generate_instance_uid=False)
    data = write(made, RLELossless)
    expected = hashlib.sha256(load_image(data, INPUT).pixels.tobytes()).hexdigest()
    child = subprocess.run([sys.executable, str(SCRIPT)], input=data, capture_output=True, check=True, timeout=120)
    assert child.stdout.decode().splitlines() == [expected] * THREADS


def test_setting_up_again_changes_nothing() -> None:
    set_up_pydicom()
    before = {syntax: get_decoder(syntax).available_plugins for syntax in (RLELossless, JPEGLosslessSV1)}
    set_up_pydicom()
    assert {syntax: get_decoder(syntax).available_plugins for syntax in before} == before
    assert all("imagecodecs" in names for names in before.values())


def test_a_reading_process_is_ready_for_dicom_before_its_first_file() -> None:
    """In a process of its own: the tests around this one have long read DICOM files."""
    script = (
        f"import sys\nfrom {prepare.__module__} import prepare\nprepare()\n"
        "from pydicom.pixels.decoders.base import get_decoder\n"
        f"sys.exit('imagecodecs' not in get_decoder('{RLELossless}').available_plugins)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=120).returncode == 0
