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

from ml_model.errors import InputTooLarge, MediDiagnoseError, UnreadableInput
from ml_model.inputs.dicom.transfer_syntax import DEFLATED, JPEG, RLE, UID_ROOT

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MAX_READS = 100_000  # two or three an element; an enhanced series of 200 frames has half of it
_MAX_INFLATED_BYTES = 256 * 2**20
MIN_BYTES = 132 + 8  # preamble and one empty element
_MAX_NUMBER = 1e12  # larger ones overflow later and mean nothing
_SETTING_UP = threading.Lock()


class BoundedStream(io.BytesIO):
    """Refuses what pydicom would take memory and minutes for, and skipping beyond the end, which it ignores."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_READS:
            raise corrupt(f"its header takes more than {_MAX_READS} reads")
        return super().read(size)

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
    for module in (r"pydicom", r"PIL\.Image$"):
        wanted = ("ignore", None, Warning, re.compile(module), 0)
        if wanted not in warnings.filters[:2]:
            warnings.filterwarnings("ignore", module=module)


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


def inflated(data: bytes) -> bytes:
    """A deflated data set as an uncompressed one, bounded; anything else as it is."""
    from pydicom.filereader import read_dataset, read_preamble

    stream = BoundedStream(data)
    read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != DEFLATED:
        return data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(memoryview(data)[stream.tell() :], _MAX_INFLATED_BYTES)
    if not inflater.eof and len(inflated) >= _MAX_INFLATED_BYTES:
        raise InputTooLarge(
            f"the DICOM file inflates to more than {_MAX_INFLATED_BYTES // 2**20} MiB; send a single frame"
        )
    if not inflater.eof:
        raise truncated()
    plain = f"{UID_ROOT}.1".encode().ljust(len(DEFLATED), b"\0")
    return data[: stream.tell()].replace(DEFLATED.encode(), plain) + inflated


def values_of(dataset: Dataset, keyword: str) -> list[Any]:
    """What is absent or malformed reads as empty."""
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


def first_item(dataset: Dataset, keyword: str) -> Dataset:
    """The first item of a sequence, read within bounds; empty when there is none."""
    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset
    from pydicom.filereader import read_sequence

    element = dataset.get_item(keyword) if keyword in dataset else None
    if isinstance(element, RawDataElement):
        implicit = element.is_implicit_VR or element.VR == "UN"
        value = element.value or b""
        items = read_sequence(BoundedStream(value), implicit, element.is_little_endian, len(value), "iso8859")
    else:
        items = element.value if element is not None else None
    return items[0] if items else Dataset()
