"""Data elements of untrusted DICOM files by pydicom: bounded, silent, and with our errors."""

from __future__ import annotations

import functools
import io
import logging
import math
import re
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ml_model.errors import InputTooLarge, MediDiagnoseError, TooCostly, UnreadableInput
from ml_model.inputs.dicom.transfer_syntax import DEFLATED, JPEG, RLE, UID_ROOT

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MAX_READS = 100_000  # two or three an element; an enhanced series of 200 frames has half of it
_MAX_INFLATED_BYTES = 128 * 2**20  # the largest picture in 16 bits
_INFLATED_AT_ONCE = 2**20
# Of values that become objects, one for each; names, numbers and windows have some hundred bytes.
_MAX_VALUE_BYTES = 16 * 2**10
_MAX_TABLE_BYTES = 256 * 2**10  # of a look-up table: 65,536 entries of 16 bits, with room for texts of them
TABLES = frozenset({0x00283006, *range(0x00281201, 0x00281204), *range(0x00281221, 0x00281224)})
# Group 2 and the character set, in both byte orders: pydicom converts these at once, whether or not they are wanted.
_CONVERTED_WHEN_READ = (b"\2\0", b"\x08\0\5\0", b"\0\x08\0\5")
_HEAD_BYTES = 8
_UNSTATED = 0xFFFFFFFF  # the length of what ends with a delimiter
MIN_BYTES = 132 + 8  # preamble and one empty element
_MAX_NUMBER = 1e12  # larger ones overflow later and mean nothing
_WARNING_MODULES = (re.compile(r"pydicom"), re.compile(r"PIL\.Image$"))
_SETTING_UP = threading.Lock()


class BoundedStream(io.BytesIO):
    """Refuses what pydicom would take memory and minutes for, and skipping beyond the end, which it ignores."""

    reads = 0
    _head = b""  # the last eight bytes that were read at once: tag, kind and length of an element

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_READS:
            raise corrupt(f"it takes more than {_MAX_READS} reads")
        if size is not None and size > _MAX_VALUE_BYTES and self._head.startswith(_CONVERTED_WHEN_READ):
            raise _too_long(size, _MAX_VALUE_BYTES)
        found = super().read(size)
        if size == _HEAD_BYTES:
            self._head = found
        return found

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 0 and offset > self.getbuffer().nbytes:
            raise truncated()
        return super().seek(offset, whence)


def truncated() -> UnreadableInput:
    return UnreadableInput(
        "the content starts as DICOM but is truncated (the file ends before the picture does); "
        "export the picture again and resend it"
    )


def corrupt(what: str) -> UnreadableInput:
    return UnreadableInput(f"the content starts as DICOM but is corrupt ({what}); export the picture again")


def _too_long(size: int, most: int) -> TooCostly:
    return TooCostly(f"an element of the DICOM file has {size} bytes, at most {most} are read; export the file again")


def require_short(element: object) -> None:
    """Raises TooCostly for an element that was not converted yet and has more values than it can mean."""
    from pydicom.dataelem import RawDataElement

    if not isinstance(element, RawDataElement) or element.VR == "SQ":
        return
    most, size = _MAX_TABLE_BYTES if element.tag in TABLES else _MAX_VALUE_BYTES, len(element.value or b"")
    if size > most:
        raise _too_long(size, most)


def set_up_pydicom() -> None:
    """No values in logs, and our decoder beside pydicom's: once a process, however many threads ask at the same time.

    The service asks when it starts, everything else when the first DICOM file arrives.
    """
    with _SETTING_UP:  # a cache alone lets several threads in, and pydicom refuses a plugin that it has
        _register_decoders()


@functools.cache
def _register_decoders() -> None:
    from pydicom import config
    from pydicom.pixels.decoders.base import get_decoder

    config.settings.reading_validation_mode = config.IGNORE
    logger = logging.getLogger("pydicom")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    for syntax in sorted(JPEG - {f"{UID_ROOT}.4.50"} | {RLE}):
        get_decoder(syntax).add_plugin("imagecodecs", ("ml_model.inputs.dicom.pixels", "decode_frame"))


def _ignore_warnings() -> None:
    """pydicom's warnings quote values. The filters are touched only where needed: threads share them."""
    for module in _WARNING_MODULES:
        wanted = ("ignore", None, Warning, module, 0)
        if wanted not in warnings.filters[:2]:
            warnings.filterwarnings("ignore", module=module.pattern)


@contextmanager
def our_errors(what: Callable[[], str]) -> Iterator[None]:
    try:
        set_up_pydicom()
        _ignore_warnings()
        yield
    except MediDiagnoseError:
        raise
    except MemoryError as error:
        raise InputTooLarge("the DICOM picture does not fit into this server's memory; send a smaller one") from error
    except Exception as error:  # pydicom and codecs meet untrusted bytes with every kind of exception
        raise corrupt(what()) from error


def opened(data: bytes) -> BoundedStream:
    """The file to be read; a deflated data set as an uncompressed one. Raises InputTooLarge, UnreadableInput."""
    from pydicom.filereader import read_dataset, read_preamble

    stream = BoundedStream(data)
    read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != DEFLATED:
        return BoundedStream(data)
    plain, inflated = f"{UID_ROOT}.1".encode().ljust(len(DEFLATED), b"\0"), BoundedStream()
    inflated.write(data[: stream.tell()].replace(DEFLATED.encode(), plain))
    inflater, left = zlib.decompressobj(-zlib.MAX_WBITS), _MAX_INFLATED_BYTES
    waiting: bytes | memoryview = memoryview(data)[stream.tell() :]
    while left > 0 and (part := inflater.decompress(waiting, min(left, _INFLATED_AT_ONCE))):
        left -= inflated.write(part)
        waiting = inflater.unconsumed_tail
    if not inflater.eof and left <= 0:
        raise InputTooLarge(
            f"the DICOM file inflates to more than {_MAX_INFLATED_BYTES // 2**20} MiB; send a single frame"
        )
    if not inflater.eof:
        raise truncated()
    inflated.seek(0)
    return inflated


def values_of(dataset: Dataset, keyword: str) -> list[Any]:
    """What is absent or malformed reads as empty. Raises TooCostly."""
    if keyword in dataset:
        require_short(dataset.get_item(keyword))
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom converts when asked, and every kind of value has its own exceptions
        return []
    several = value if isinstance(value, list) or hasattr(value, "append") else [value]
    return [each for each in several if each not in (None, "")]


def text_of(dataset: Dataset, keyword: str) -> str:
    return str(next(iter(values_of(dataset, keyword)), "")).strip(" \0")


def decimals(dataset: Dataset, keyword: str) -> list[float]:
    """Empty when one of them is no finite number."""
    try:
        numbers = [float(value) for value in values_of(dataset, keyword)]
    except (TypeError, ValueError):
        return []
    return numbers if all(math.isfinite(n) and abs(n) <= _MAX_NUMBER for n in numbers) else []


def integer(dataset: Dataset, keyword: str, default: int) -> int:
    return int(next(iter(decimals(dataset, keyword)), default))


def items_of(element: object) -> list[Dataset]:
    """Items of a sequence, read within bounds; none of what is no sequence."""
    from pydicom.dataelem import RawDataElement
    from pydicom.filereader import read_sequence

    if not isinstance(element, RawDataElement):
        return list(element.value or []) if getattr(element, "VR", None) == "SQ" else []  # type: ignore[attr-defined]
    value = element.value or b""
    implicit = element.is_implicit_VR or element.VR == "UN"
    return list(read_sequence(BoundedStream(value), implicit, element.is_little_endian, len(value), "iso8859"))


def first_item(dataset: Dataset, keyword: str) -> Dataset:
    """The first item of a sequence, read within bounds and alone; empty when there is none."""
    return item_of(dataset, keyword, 1)


def item_of(dataset: Dataset, keyword: str, number: int) -> Dataset:
    """An item of a sequence, counted from 1, read within bounds, those before it only where their lengths are not
    stated; empty when there is none."""
    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset
    from pydicom.filereader import read_sequence_item

    element = dataset.get_item(keyword) if keyword in dataset else None
    if isinstance(element, RawDataElement):
        if not element.value:
            return Dataset()
        implicit = element.is_implicit_VR or element.VR == "UN"
        stream, order = BoundedStream(element.value), "little" if element.is_little_endian else "big"
        for _ in range(number - 1):
            start, head = stream.tell(), stream.read(_HEAD_BYTES)
            length = int.from_bytes(head[4:], order)
            if len(head) < _HEAD_BYTES:
                return Dataset()
            if length == _UNSTATED:
                stream.seek(start)
                read_sequence_item(stream, implicit, element.is_little_endian, "iso8859")
            else:
                stream.seek(start + _HEAD_BYTES + length)
        if stream.tell() >= len(element.value):
            return Dataset()
        item = read_sequence_item(stream, implicit, element.is_little_endian, "iso8859")
        return item if item is not None else Dataset()
    items = element.value if element is not None and element.value else []
    return items[number - 1] if number <= len(items) else Dataset()
