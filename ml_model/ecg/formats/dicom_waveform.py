"""Reader of DICOM waveforms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.leads import (
    FileSignals,
    LeadSignal,
    RecordingLimits,
    lead_of,
    require_rate,
    require_size,
    required_unit,
)
from ml_model.errors import TooCostly, UnreadableInput, UnsupportedFormat

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Of SCP-ECG ("5.6.3-9-61"), of ISO/IEEE 11073 ("2:61"), and the latter's context-free number (131389).
_DICOM_LEAD_CODE = re.compile(r"(?:5\.6\.3-9-|2:|1313(?=\d\d))(?P<number>\d{1,2})")
_BRACKETS = re.compile(r"^([^(]*)\(.*\)")  # from the first to the last
_CONTEXT_FREE_START = 28  # 131328 is code 0
_DICOM_LEADS = {1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF"} | {n + 2: f"V{n}" for n in range(1, 7)}
_SAMPLE_KINDS = {
    (8, "SB"): "i1",
    (8, "UB"): "u1",
    (16, "SS"): "i2",
    (16, "US"): "u2",
    (32, "SL"): "i4",
    (32, "UL"): "u4",
}
_MAX_OFFSET_S = 600.0
_MAX_GROUPS = 64  # recorders write one, or one for each lead
_BYTE_KINDS = (None, "OB", "OW", "UN")


@dataclass(frozen=True)
class _Group:
    """One multiplex group of a DICOM waveform: leads recorded together."""

    rate_hz: float
    offset_s: float
    original: bool
    samples: int
    leads: dict[str, LeadSignal]


def read_dicom_waveform(data: bytes, limits: RecordingLimits) -> FileSignals:
    """Leads of the rhythm group; of several groups when each holds only some leads, each at its own time.

    Raises UnsupportedFormat (no waveform in it), UnreadableInput (truncated, corrupt), OutOfRange, InputTooLarge.
    """
    from ml_model.inputs.dicom.elements import our_errors

    try:
        with our_errors(lambda: "its waveform makes no sense"):
            return _waveform(data, limits)
    except UnreadableInput as error:
        if "picture" not in str(error):
            raise
        # The bounds are those of pictures; their words are not for a recording.
        raise _corrupt_dicom("it ends too early, or its header makes no sense") from error


def _waveform(data: bytes, limits: RecordingLimits) -> FileSignals:
    from pydicom import dcmread

    from ml_model.inputs.dicom.elements import opened, text_of
    from ml_model.inputs.dicom.transfer_syntax import uid_name

    tags = ["SOPClassUID", "WaveformSequence"]  # nothing about the patient is even read
    dataset = dcmread(opened(data), force=True, stop_before_pixels=True, specific_tags=tags)
    items = _items(dataset, "WaveformSequence")
    if not items and "SOPClassUID" not in dataset:
        raise _corrupt_dicom("it ends before it says what it is")
    if not items:
        kind = uid_name(text_of(dataset, "SOPClassUID"))
        raise UnsupportedFormat(
            f"a DICOM file of SOP class {kind} holds no waveform; send an ECG waveform object, or a picture as one"
        )
    if len(items) > _MAX_GROUPS:
        raise TooCostly(f"the DICOM waveform has {len(items)} groups, at most {_MAX_GROUPS} are read; send fewer")
    byte_order = "<" if dataset.original_encoding[1] else ">"
    return _joined([_group(item, byte_order, limits) for item in items], limits)


def _corrupt_dicom(what: str) -> UnreadableInput:
    return UnreadableInput(f"the DICOM waveform is truncated or corrupt ({what}); export the recording again")


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence; none when it is absent."""
    from ml_model.inputs.dicom.elements import items_of

    return items_of(dataset.get_item(keyword)) if keyword in dataset else []


def _bytes_of(item: Dataset, keyword: str) -> bytes:
    from pydicom.dataelem import RawDataElement

    from ml_model.inputs.dicom.elements import values_of

    raw = item.get_item(keyword) if keyword in item else None
    if isinstance(raw, RawDataElement) and raw.VR in _BYTE_KINDS:
        return raw.value or b""
    value = next(iter(values_of(item, keyword)), b"")
    return value if isinstance(value, bytes) else b""


def _group(item: Dataset, byte_order: str, limits: RecordingLimits) -> _Group:
    from ml_model.inputs.dicom.elements import decimals, integer, text_of

    count, samples = integer(item, "NumberOfWaveformChannels", 0), integer(item, "NumberOfWaveformSamples", 0)
    require_size(count, samples, limits)
    stored_as = (integer(item, "WaveformBitsAllocated", 0), text_of(item, "WaveformSampleInterpretation"))
    if stored_as not in _SAMPLE_KINDS:
        raise UnsupportedFormat(
            f"a DICOM waveform of {stored_as[0]} bits in the encoding {stored_as[1][:4]!r} is not read; "
            "export it with 16-bit samples"
        )
    kind = np.dtype(byte_order + _SAMPLE_KINDS[stored_as])
    content = _bytes_of(item, "WaveformData")
    if len(content) < count * samples * kind.itemsize:
        raise _corrupt_dicom(f"{len(content)} bytes of samples, {count * samples * kind.itemsize} are announced")
    stored = np.frombuffer(content, kind, count * samples).reshape(samples, count)
    recorded = np.ones(stored.shape, np.bool_)
    if len(padding := _bytes_of(item, "WaveformPaddingValue")[: kind.itemsize]) == kind.itemsize:
        recorded = stored != np.frombuffer(padding, kind)[0]
    channels = _items(item, "ChannelDefinitionSequence")
    if len(channels) != count:
        raise _corrupt_dicom(f"{len(channels)} channels are described, {count} are announced")
    leads: dict[str, LeadSignal] = {}
    for index, channel in enumerate(channels):
        lead = _dicom_lead(channel)
        if lead and lead not in leads:
            leads[lead] = _dicom_values(channel, lead, stored[:, index], recorded[:, index])
    offset_s = next(iter(decimals(item, "MultiplexGroupTimeOffset")), 0.0) / 1000
    rate_hz = require_rate(next(iter(decimals(item, "SamplingFrequency")), 0.0))
    original = text_of(item, "WaveformOriginality") != "DERIVED"
    return _Group(rate_hz, min(max(offset_s, 0.0), _MAX_OFFSET_S), original, samples, leads)


def _dicom_lead(channel: Dataset) -> str | None:
    from ml_model.inputs.dicom.elements import first_item, text_of

    source = first_item(channel, "ChannelSourceSequence")
    if coded := _DICOM_LEAD_CODE.fullmatch(text_of(source, "CodeValue")):
        number = int(coded["number"]) - (_CONTEXT_FREE_START if coded[0].startswith("1313") else 0)
        return _DICOM_LEADS.get(number)
    told = _BRACKETS.sub(r"\1", text_of(source, "CodeMeaning"))
    return lead_of(told) or lead_of(text_of(source, "CodeValue")) or lead_of(text_of(channel, "ChannelLabel"))


def _dicom_values(channel: Dataset, lead: str, stored: NDArray[np.integer], recorded: NDArray[np.bool_]) -> LeadSignal:
    """Raises UnreadableInput when the channel does not say what its values mean."""
    from ml_model.inputs.dicom.elements import decimals, first_item, text_of

    sensitivity = next(iter(decimals(channel, "ChannelSensitivity")), 0.0)
    if not sensitivity:
        raise _corrupt_dicom(f"lead {lead} has no sensitivity")
    scale = sensitivity * next(iter(decimals(channel, "ChannelSensitivityCorrectionFactor")), 1.0)
    baseline = next(iter(decimals(channel, "ChannelBaseline")), 0.0)
    unit = required_unit(text_of(first_item(channel, "ChannelSensitivityUnitsSequence"), "CodeValue"), lead)
    values = stored.astype(np.float64) * scale + baseline
    values[~recorded] = np.nan
    return LeadSignal(values.astype(np.float32), unit)


def _joined(groups: Sequence[_Group], limits: RecordingLimits) -> FileSignals:
    """The group of the most leads, originals before averaged beats; the leads it lacks from others like it."""
    best = max(groups, key=lambda group: (group.original, len(group.leads), group.samples))
    alike = [g for g in groups if g is not best and (g.original, g.rate_hz) == (best.original, best.rate_hz)]
    taken: dict[str, _Group] = {}
    for group in (best, *alike):
        for lead in group.leads:
            taken.setdefault(lead, group)
    used = list(taken.values()) or [best]
    first_s = min(group.offset_s for group in used)
    starts = {id(group): round((group.offset_s - first_s) * group.rate_hz) for group in used}
    length = max(starts[id(group)] + group.samples for group in used)
    require_size(1, length, limits)
    leads = {}
    for lead, group in taken.items():
        values = np.full(length, np.nan, np.float32)
        values[starts[id(group)] : starts[id(group)] + group.samples] = group.leads[lead].values
        leads[lead] = LeadSignal(values, group.leads[lead].unit)
    return FileSignals("DICOM", best.rate_hz, leads)
