"""Which pictures are decoded in the service itself, and that the worst of them cost little."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest
from hostile.costly_pictures import COSTLY_PLAIN, jpeg, noise, png
from pictures import extra_bytes
from samples import image_task

from ml_model.diagnosis.reading import PictureFiles
from ml_model.inputs.file_type import MOST_PLAIN_BYTES, is_plain

MIB = 2**20
# On a quiet machine each takes less than 50 ms (benchmarks/hostile_files.py); machines for tests are slower.
MOST_S, MOST_MEMORY_BYTES = 0.4, 64 * MIB


@pytest.mark.parametrize("make", COSTLY_PLAIN.values(), ids=COSTLY_PLAIN)
def test_the_costliest_plain_pictures_cost_little(make: Callable[[], bytes]) -> None:
    data = make()
    assert is_plain(data)
    question = PictureFiles((data,), image_task("mammogram").input, 2**25, 50_000_000, overview=True)
    seconds = []
    for _ in range(3):
        began = time.process_time()
        question.read()
        seconds.append(time.process_time() - began)
    assert min(seconds) < MOST_S
    if sys.platform == "linux":
        assert extra_bytes(question.read) < MOST_MEMORY_BYTES


BASE = jpeg(noise(64, 64), 80)
SCAN = BASE.index(b"\xff\xda")
FRAME = BASE.index(b"\xff\xc0")


@pytest.mark.parametrize(
    "data",
    [
        BASE + bytes(MOST_PLAIN_BYTES),
        jpeg(noise(900, 900), 5),
        jpeg(noise(720, 720), 30, progressive=True),
        BASE[:2] + b"\xff" * 60_000 + BASE[2:],
        BASE[:-2] + b"\xff" * 60_000 + BASE[-2:],
        BASE[:FRAME] + BASE[FRAME : FRAME + 19] + BASE[FRAME:],
        BASE[:FRAME] + b"\xff\xc9" + BASE[FRAME + 2 :],  # arithmetic coding
        BASE[:SCAN] + b"\xff\xfe\x00\x02" * 200 + BASE[SCAN:],
        BASE + BASE[SCAN:] * 12,
        BASE[:SCAN],
        png(895, 895, 8, 2),
        png(640, 640, 16, 6),
        png(64, 64, 8, 2)[:33] + b"\x00\x00\x00\x00tEXt\x00\x00\x00\x00" * 200,
        bytes(128) + b"DICM",
        b"\xff\xd8\xff" + bytes(125) + b"DICM",
        b"\xff\xd8\xff",
        b"",
    ],
    ids=lambda data: f"{data[:12]!r} {len(data)}",
)
def test_what_is_large_or_unusual_is_not_plain(data: bytes) -> None:
    assert not is_plain(data)


def test_ordinary_pictures_are_plain() -> None:
    assert is_plain(BASE)
    assert is_plain(jpeg(noise(600, 450), 75))
    assert is_plain(jpeg(noise(600, 450) // 4, 75, progressive=True))
    assert is_plain(png(600, 450, 8, 6))
