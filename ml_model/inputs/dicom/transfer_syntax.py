"""Transfer syntaxes of DICOM: which are read, and by what."""

from __future__ import annotations

import re

UID_ROOT = "1.2.840.10008.1.2"
DEFLATED = f"{UID_ROOT}.1.99"
NATIVE = frozenset({UID_ROOT, f"{UID_ROOT}.1", f"{UID_ROOT}.2", DEFLATED})
_LOSSY_JPEG = frozenset({f"{UID_ROOT}.4.50", f"{UID_ROOT}.4.51"})
JPEG_2000 = frozenset({f"{UID_ROOT}.4.90", f"{UID_ROOT}.4.91"})
JPEG_LS = frozenset({f"{UID_ROOT}.4.80", f"{UID_ROOT}.4.81"})
JPEG = _LOSSY_JPEG | JPEG_LS | {f"{UID_ROOT}.4.57", f"{UID_ROOT}.4.70"}
RLE = f"{UID_ROOT}.5"
_COMPRESSED = JPEG | JPEG_2000 | {RLE}


def uid_name(uid: str) -> str:
    """The registered name of a UID, or the UID itself; only for messages."""
    from pydicom.uid import UID

    return UID(uid).name if re.fullmatch(r"[\d.]{1,64}", uid) else "not stated"


_HTJ2K = frozenset(f"{UID_ROOT}.4.{number}" for number in (201, 202, 203))
_VIDEO = frozenset(
    f"{UID_ROOT}.4.{number}{ending}" for number in range(100, 109) for ending in ("", ".1")
)  # MPEG-2, MPEG-4 (H.264) and HEVC; fragmentable, too
_REFERENCED = frozenset({f"{UID_ROOT}.4.94", f"{UID_ROOT}.4.95", f"{UID_ROOT}.4.204", f"{UID_ROOT}.4.205"})  # JPIP


def instead_of(syntax: str) -> str:
    """What to send in place of pixels in a transfer syntax that is not read."""
    if syntax in _VIDEO:
        return "it is a video: export the frame to be answered as a still picture, uncompressed or as JPEG"
    if syntax in _HTJ2K:
        return "it is High-Throughput JPEG 2000 (HTJ2K): export the picture uncompressed or as JPEG 2000"
    if syntax in _REFERENCED:
        return "its pixels are on a server (JPIP), not in the file: export the picture with its pixels"
    return "export the picture uncompressed or as JPEG 2000"


def codec_of(syntax: str, bits_stored: int) -> str:
    """pydicom's name of the codec for a compressed transfer syntax; empty where there is none.

    Never gdcm, even where it is installed: damaged files end its process.
    """
    from pydicom.pixels.decoders.base import get_decoder

    if syntax not in _COMPRESSED:
        return ""
    name = "pillow" if syntax in JPEG_2000 or (syntax in _LOSSY_JPEG and bits_stored == 8) else "imagecodecs"
    return name if name in get_decoder(syntax).available_plugins else ""
