"""Small files that once stopped the whole service, sent to a real one: is it still there, and what did it cost?

    python benchmarks/hostile_files.py [--large] [--only NAME]

Starts `backend/server.py` on a free port and sends each file, made here from scratch: those that were found, with
--large the same at the largest size that is let in, and pictures of 50 megapixels, one and eight at once. Printed:
status and code, seconds, how far the memory of all its processes (resident, summed) rose, what was kept 2 s later, and
the slowest answer of /livez. Bars: 1.5 s and 300 MB (50 megapixels: 3 s and 600 MB), 50 MB kept, 200 ms.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np
import requests
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)
from serving import served

sys.path.append(str(Path(__file__).parents[1] / "tests/support"))
from dicom_files import compressed, dataset, write
from ecg_files import csv_file, dicom_file, dicom_group, heart, wfdb_record
from hostile.costly_pictures import jpeg, noise, png

MIB = 2**20
LARGEST = 31_900_000  # an upload of 32 MB, but for its multipart frame
SIDE = 7071  # squared: 50 megapixels
BARS = {"livez_ms": 200.0, "kept": 50.0}
Parts = list[tuple[str, tuple[str, bytes]]]


def tiff(size: int) -> bytes:
    """A TIFF whose tags each say that they span the file."""
    tags = (258, 273, 279, 320, 324, 325, 338, 339, 347, *range(512, 522), 529, 530, 531, 532)
    entries = [(256, 4, 1, 64), (257, 4, 1, 64), *((tag, 3, (size - 8) // 2, 8) for tag in tags)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in sorted(entries)) + bytes(4)
    return (b"II*\0" + struct.pack("<I", 8) + directory).ljust(size, b"\1")


def deflated_dicom(values: int) -> bytes:
    """A DICOM file, deflated, of a 64x64 picture with so many window centres."""

    def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
        long = kind in (b"OW", b"OB", b"UT", b"UN")
        head = struct.pack("<HH2s", group, number, kind)
        return head + (struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))) + value

    centres = b"1\\" * values
    numbers = ((0x28, 2, 1), (0x28, 0x10, 64), (0x28, 0x11, 64), (0x28, 0x100, 16), (0x28, 0x101, 16))
    body = element(8, 0x60, b"CS", b"DX") + b"".join(element(g, n, b"US", struct.pack("<H", v)) for g, n, v in numbers)
    body += element(0x28, 0x1050, b"UN", centres) + element(0x7FE0, 0x10, b"OW", bytes(64 * 64 * 2))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    meta = element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1.99")
    meta = element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta
    return bytes(128) + b"DICM" + meta + packer.compress(body) + packer.flush()


def avif(size: int, boxes: int) -> bytes:
    """An AVIF of so many `meta` boxes."""
    box = struct.pack(">I4s", 16, b"meta") + b"Exif" * 2
    return (struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"avif", 0, b"avif", b"mif1") + box * boxes).ljust(size, b"\0")


def waveform(brackets: int) -> Parts:
    """A DICOM ECG whose code meaning is brackets."""
    group = dicom_group(heart())
    group.ChannelDefinitionSequence[0].ChannelSourceSequence[0].CodeMeaning = "(" * brackets
    return [("record", dicom_file([group])[0])]


def recording(first_line: bytes) -> Parts:
    """A CSV recording behind a line of comment."""
    ((name, data),) = csv_file(heart())
    return [("record", (name, b"#" + first_line + b"\n" + data))]


def record_header(word: int) -> Parts:
    """A WFDB record with a name of so many letters."""
    (_, head), signals = wfdb_record(heart())
    return [("record", ("a.hea", b"a" * word + head)), ("record", signals)]


def image(data: bytes) -> Parts:
    return [("image", ("a", data))]


def filled_jpeg(fill: int) -> bytes:
    base = jpeg(noise(64, 64), 80)
    return base[:2] + b"\xff" * fill + b"\0" + base[2:]  # no marker: a search tries each byte anew


def repeated_keys(size: int) -> bytes:
    keys = ",".join(f'"k{i}":1' for i in range(size // 12))
    return f'{{{keys},"k0":2}}'.encode()


def animated_webp() -> bytes:
    """Two frames of 24.9 megapixels, about the largest that are read."""
    stream, canvas = io.BytesIO(), Image.new("RGB", (4990, 4990))
    later = canvas.copy()
    later.putpixel((9, 9), (255, 0, 0))
    canvas.save(stream, "WEBP", save_all=True, append_images=[later], lossless=True, quality=0, method=0)
    return stream.getvalue()


def deep_films() -> dict[str, Callable[[bool], Parts]]:
    """DICOM of 16 bits and 50 megapixels; uncompressed as many as an upload holds."""
    y = np.arange(SIDE)
    levels = ((y[:, None] // 9 * 300 + y // 7 * 500) & 0xFFFF).astype(np.uint16)
    film = {JPEGLosslessSV1: imagecodecs.ljpeg_encode, JPEGLSLossless: imagecodecs.jpegls_encode}
    film[JPEG2000Lossless] = partial(imagecodecs.jpeg2k_encode, codecformat="j2k", level=0)
    return {
        "uncompressed": lambda _: image(write(dataset(levels[:3990, :3990]))),
        "deflated": lambda _: image(write(dataset(levels), DeflatedExplicitVRLittleEndian)),
        **{
            uid.keyword: lambda _, u=uid, e=code: image(compressed(dataset(levels), u, e(levels)))
            for uid, code in film.items()
        },
    }


@dataclass(frozen=True)
class Hostile:
    """name begins with the number of its row in the issue; make: by whether it shall be as large as is let in."""

    name: str
    path: str
    make: Callable[[bool], Parts | bytes]
    seconds: float = 1.5
    memory_mb: float = 300.0
    at_once: int = 1


def rows() -> list[Hostile]:
    skin, ecg = "/analyze/skin?gate=warn", "/analyze/heart?gate=warn"
    commas = b"," * 3_000_000
    y = np.arange(SIDE)
    levels = ((y[:, None] // 9 * 3 + y // 7 * 5) & 255).astype(np.uint8)
    colours = np.stack([levels, levels[::-1], levels[:, ::-1]], 2)

    def fifty(form: str, channels: object = slice(None), mode: str | None = None, **options: object) -> bytes:
        stream, picture = io.BytesIO(), Image.fromarray(colours[..., channels])
        (picture.convert(mode) if mode else picture).save(stream, form, **options)
        return stream.getvalue()

    pictures = {
        "progressive JPEG": lambda _: image(fifty("JPEG", quality=60, progressive=True)),
        "RGB PNG": lambda _: image(fifty("PNG", compress_level=1)),
        "16-bit grey PNG": lambda _: image(png(SIDE, SIDE, 16, 0)),
        "RGBA PNG": lambda _: image(png(SIDE, SIDE, 8, 6)),
        "TIFF": lambda _: image(fifty("TIFF", compression="tiff_adobe_deflate")),
        "lossy WebP": lambda _: image(fifty("WEBP", quality=60, method=0)),
        "lossless WebP": lambda _: image(fifty("WEBP", lossless=True, quality=0, method=0)),
        "WebP with alpha": lambda _: image(fifty("WEBP", channels=[0, 1, 2, 0], quality=60, method=0)),
        "animated WebP": lambda _: image(animated_webp()),
        "AVIF": lambda _: image(fifty("AVIF", speed=10, quality=60)),
        "GIF": lambda _: image(fifty("GIF", channels=0)),
        "one-bit BMP": lambda _: image(fifty("BMP", channels=0, mode="1")),
    }
    films = {f"DICOM, {name}": make for name, make in deep_films().items()}
    return [
        Hostile("1 JPEG, fill bytes", skin, lambda large: image(filled_jpeg(LARGEST - 9000 if large else 60_000))),
        Hostile("2 WFDB, long word", ecg, lambda large: record_header(20 * MIB if large else 60_000)),
        Hostile("3 CSV, tabs", ecg, lambda large: recording(b"\t" * (20 * MIB if large else 32_000))),
        Hostile("3 CSV, underscores", ecg, lambda large: recording(b"_" * (20 * MIB if large else 16_000))),
        Hostile("4 DICOM ECG, brackets", ecg, lambda large: waveform(20 * MIB if large else 120_000)),
        Hostile("5 TIFF, tags", skin, lambda large: image(tiff(LARGEST))),
        Hostile("5 TIFF, four at once", skin, lambda _: image(tiff(LARGEST)), seconds=6.0, memory_mb=900, at_once=4),
        Hostile("6 DICOM, values", skin, lambda large: image(deflated_dicom(20_000_000 if large else 5_000_000))),
        Hostile("7 AVIF, boxes", skin, lambda large: image(avif(LARGEST, 60_000 if large else 5_000))),
        Hostile("8 JSON, keys", "/predict-heart", lambda large: repeated_keys(MIB if large else 260_000)),
        Hostile("8 JSON, brackets", "/predict-heart", lambda large: b"[" * (900_000 if large else 979)),
        Hostile("8 CSV, commas", ecg, lambda large: [("record", ("a.csv", commas * (10 if large else 1)))]),
        *(Hostile(f"9 {name}", skin, make, 3.0, 600) for name, make in pictures.items()),
        *(Hostile(f"9 {name}", "/analyze/xray?gate=warn", make, 3.0, 600) for name, make in films.items()),
        Hostile("9 RGB PNG, eight at once", skin, pictures["RGB PNG"], 30.0, 900, 8),
    ]


@dataclass
class Watch:
    """Memory of a service's processes and the time /livez takes, while it runs. In MB and ms."""

    url: str
    pid: int
    peak_mb: float = 0.0
    slowest_ms: float = 0.0
    failures: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def resident_mb(self) -> float:
        return sum(map(_resident_mb, _family(self.pid)))

    def probe(self) -> None:
        while not self._done.wait(0.05):
            began = time.perf_counter()
            try:
                self.failures += requests.get(f"{self.url}/livez", timeout=60).status_code != 200
            except requests.RequestException:
                self.failures += 1
            self.slowest_ms = max(self.slowest_ms, 1000 * (time.perf_counter() - began))

    def sample(self) -> None:
        while not self._done.wait(0.02):
            self.peak_mb = max(self.peak_mb, self.resident_mb())

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=one) for one in (self.probe, self.sample)]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            self._done.set()
            for one in threads:
                one.join()


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        threads = [int(t.name) for t in Path(f"/proc/{pid}/task").iterdir() if int(t.name) != pid]
        children += [c for t in threads for c in Path(f"/proc/{pid}/task/{t}/children").read_text("ascii").split()]
    except OSError:
        return []
    return [pid, *(p for child in children for p in _family(int(child)))]


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096 / 1e6
    except OSError:
        return 0.0


def send(url: str, body: Parts | bytes) -> tuple[str, float]:
    """Status and code, and seconds."""
    began = time.perf_counter()
    kind = {"Content-Type": "application/json"}
    if isinstance(body, bytes):
        reply = requests.post(url, data=body, headers=kind, timeout=120)
    else:
        reply = requests.post(url, files=body, timeout=120)
    seconds = time.perf_counter() - began
    return f"{reply.status_code} {reply.json().get('code', '')}", seconds


def measure(url: str, pid: int, row: Hostile, large: bool) -> bool:
    """Send it, print a line, say whether all bars are kept."""
    body, watch = row.make(large), Watch(url, pid)
    before = watch.resident_mb()
    with watch.running(), ThreadPoolExecutor(row.at_once) as threads:
        found = list(threads.map(lambda _: send(url + row.path, body), range(row.at_once)))
    time.sleep(2.0)
    kept = watch.resident_mb() - before
    rose, slowest = max(0.0, watch.peak_mb - before), max(seconds for _, seconds in found)
    told = ", ".join(sorted({status for status, _ in found}))
    late = [s for status, s in found if s > row.seconds and not (status.startswith("503") and s < 0.1)]
    bad = late or rose > row.memory_mb or kept > BARS["kept"] or watch.slowest_ms > BARS["livez_ms"] or watch.failures
    mark = " <-" if bad else ""
    print(f"{row.name:26} {told:34} {slowest:6.2f} {rose:7.0f} {kept:7.0f} {watch.slowest_ms:7.0f}{mark}", flush=True)
    return not bad


def main() -> int:
    """Print the table; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with served() as (url, pid):
        send(url + "/analyze/skin", image(jpeg(noise(900, 900), 60)))  # the processes have started
        time.sleep(2.0)
        print(f"{'':26} {'status':34} {'s':>6} {'+MB':>7} {'kept':>7} {'livez':>7}")
        kept = [measure(url, pid, row, options.large) for row in rows() if row.name.startswith(options.only)]
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
