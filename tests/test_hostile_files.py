"""Files made to stop the service: each is read or refused for a reason soon, and in little memory."""

from __future__ import annotations

import time

import pytest
from hostile.cost_of_reading import outcome
from hostile.files import BY_NAME, HOSTILE, Hostile

# What is said of them where they are as large as the limits let in.
REFUSED = {
    "gif-picture-blocks": "too_costly: the GIF has more than 200000 blocks",
    "avif-meta": "unreadable_input: the content starts as AVIF but is corrupt (more than 1000 boxes)",
    "avif-items": "too_costly: the AVIF describes itself in more than 262144 bytes",
    "avif-exif-words": "too_costly: the AVIF describes itself in more than 262144 bytes",
    "tiff-spare-strips": "too_costly: the TIFF lists 3987100 strips or tiles, at most 100000",
    "tiff-long-orientation": "unreadable_input: the content starts as TIFF but its tag 274 is corrupt",
    "dicom-character-set": "too_costly: an element of the DICOM file has 31900000 bytes",
    "dicom-brackets": "too_costly: an element of the DICOM file has 31900000 bytes",
    "dicom-rows": "too_costly: an element of the DICOM file has 31900000 bytes",
    "csv-commas": "unsupported_format: the first 65536 characters of the text hold no table",
    "json-keys": "invalid_json: the field '023817' is there twice",
    "json-brackets": "invalid_json: ",
    "json-deep-symptoms-900": "invalid_json: lists and objects are nested more than 32 times",
}
READ = {
    "jpeg-fill-start": "LoadedImage",
    "png-exif": "LoadedImage",
    "dicom-items": "LoadedImage",
    "csv-rows": "unreadable_input: the sampling rate is not in the text",
    "csv-tabs": "EcgRecording",
    "csv-underscores": "EcgRecording",
    "wfdb-signal-word": "unreadable_input: 2 files were received, but no WFDB header",
    "dicom-wave-groups": "too_costly: the DICOM waveform has 221 groups, at most 64",
}


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: one.name)
def test_a_hostile_file_costs_little(hostile: Hostile) -> None:
    data = hostile.make(hostile.sizes[0])
    began = time.process_time()
    said = outcome(hostile.reader, data)
    assert time.process_time() - began < 4, said
    assert not said.endswith("!")
    assert said.startswith(READ.get(hostile.name, ""))


@pytest.mark.parametrize("name", REFUSED)
def test_the_largest_are_refused_for_their_reason(name: str) -> None:
    hostile = BY_NAME[name]
    assert outcome(hostile.reader, hostile.make(hostile.sizes[-1])).startswith(REFUSED[name])
