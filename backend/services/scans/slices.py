"""The slices of a series as they were sent, put into order, and those of them that are answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from backend.services.batches.archive import ZIP_STARTS, ZipLimits, members
from backend.services.diagnosis import ImageDiagnosis
from backend.telemetry import RequestContext
from ml_model.errors import EmptyInput, InputTooLarge, InvalidValue, UnsupportedFormat
from ml_model.inputs.dicom.slices import SliceFacts
from ml_model.inputs.file_type import sniff_format

_HELD_BYTES = 128_000_000  # of the slices that are answered, and of those on their way to be looked at
_LOOKED_AT_ONCE = 16  # headers


@dataclass(frozen=True)
class Slice:
    """position: in the order of the series, from 1; frame: of a file of several, from 1."""

    position: int
    facts: SliceFacts
    data: bytes
    frame: int | None = None


@dataclass(frozen=True)
class Series:
    """chosen: those that are answered, of all `count`. other_files: of the zip, that are no slices of this series."""

    chosen: tuple[Slice, ...]
    count: int
    other_files: int = 0


def read_series(
    file: IO[bytes], wanted: int, limits: ZipLimits, images: ImageDiagnosis, context: RequestContext
) -> Series:
    """Of a zip the series with most slices, of a DICOM file of several frames these; `wanted` of them, evenly spread.

    Raises ArchiveRefused, EmptyInput, InputTooLarge, UnsupportedFormat (no DICOM slice is in it) and InvalidValue (the
    slices are of several persons).
    """
    start = file.read(4)
    file.seek(0)
    if not start:
        raise EmptyInput("the file is empty (0 bytes); send a zip of DICOM slices, or a DICOM file of several frames")
    return (
        _of_zip(file, wanted, limits, images, context)
        if start in ZIP_STARTS
        else _of_frames(file, wanted, limits, images, context)
    )


def evenly(count: int, wanted: int) -> list[int]:
    """Indices in the middles of `wanted` equal parts of 0 to count - 1; all where there are fewer."""
    parts = min(count, wanted)
    return [(2 * part + 1) * count // (2 * parts) for part in range(parts)]


def _of_frames(
    file: IO[bytes], wanted: int, limits: ZipLimits, images: ImageDiagnosis, context: RequestContext
) -> Series:
    data = file.read(limits.member_bytes + 1)
    if len(data) > limits.member_bytes:
        raise InputTooLarge(f"a file has more than {limits.member_bytes} bytes; send a zip of single slices")
    facts = images.slices((data,), context)[0] if sniff_format(data) == "DICOM" else None
    if facts is None:
        raise UnsupportedFormat("this is neither a zip nor a DICOM picture; send a zip of the slices of a series")
    chosen = (Slice(index + 1, facts, data, index + 1) for index in evenly(facts.frames, wanted))
    return Series(tuple(chosen), facts.frames)


def _of_zip(file: IO[bytes], wanted: int, limits: ZipLimits, images: ImageDiagnosis, context: RequestContext) -> Series:
    found: list[tuple[int, SliceFacts]] = []
    files = 0
    for block in _blocks(file, limits):
        looked = images.slices(tuple(block), context)
        found += [(files + place, facts) for place, facts in enumerate(looked) if facts]
        files += len(block)
    if not found:
        raise UnsupportedFormat("no DICOM slice is in the zip; put the files of one CT or MR series into it")
    (series, _), *_ = Counter(facts.series_sha256 for _, facts in found).most_common(1)
    own = sorted(((p, f) for p, f in found if f.series_sha256 == series), key=_in_space)
    if len({facts.person_sha256 for _, facts in own}) > 1:
        raise InvalidValue("the slices of the series name several persons; send those of one")
    chosen = {own[index][0]: index for index in evenly(len(own), wanted)}
    file.seek(0)
    contents = _contents(file, limits, chosen.keys() & {place for place, _ in own})
    slices = [Slice(index + 1, own[index][1], contents[place]) for place, index in chosen.items()]
    return Series(tuple(sorted(slices, key=lambda one: one.position)), len(own), files - len(own))


def _in_space(one: tuple[int, SliceFacts]) -> tuple[bool, float, int, int]:
    """Along the body; where the headers do not say that, as the device counted; else as they lie in the zip."""
    place, facts = one
    unknown = facts.place_mm is None
    return unknown, 0.0 if unknown or facts.place_mm is None else facts.place_mm, facts.number or 0, place


def _blocks(file: IO[bytes], limits: ZipLimits) -> Iterator[list[bytes]]:
    """The files of a zip, some at a time."""
    block, held = list[bytes](), 0
    for _, data in members(file, limits):
        block.append(data)
        held += len(data)
        if len(block) == _LOOKED_AT_ONCE or held > _HELD_BYTES:
            yield block
            block, held = [], 0
    if block:
        yield block


def _contents(file: IO[bytes], limits: ZipLimits, wanted: set[int]) -> dict[int, bytes]:
    """Of those files of a zip that are answered, by their place in it."""
    found, held = dict[int, bytes](), 0
    for place, (_, data) in enumerate(members(file, limits)):
        if place in wanted:
            held += len(data)
            if held > _HELD_BYTES:
                raise InputTooLarge(
                    f"the {len(wanted)} slices to be answered have more than {_HELD_BYTES // 10**6} MB together; ask "
                    "for fewer with slices="
                )
            found[place] = data
    return found
