"""Kept DICOM files: no name, number, date or place of the patient anywhere, the same pixels, the same answer."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import compressed, dataset, jpeg, look_up_table, shown, write
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from ml_model.deidentify.codestreams import encapsulated_without_texts
from ml_model.deidentify.dicom import deidentified
from ml_model.deidentify.dicom_elements import PROFILE, fate_of
from ml_model.deidentify.kept import KeptFile
from ml_model.errors import InputTooLarge, TooCostly, UnreadableInput
from ml_model.inputs.dicom.header import DicomFacts, read_dicom_header
from ml_model.inputs.upload_limits import ImageLimits

NAME, NUMBER, DAY, PLACE = "SMITH^JOHN^Q", "MRN-4711-0815", "19610823", "Saint Elsewhere"
PLANTED = (NAME, NUMBER, DAY, PLACE)
LIMITS = ImageLimits()
PIXELS = np.random.default_rng(5).integers(0, 4096, (24, 20)).astype(np.uint16)
TEXTS = {"PN": NAME, "LO": NUMBER, "SH": NUMBER, "ST": PLACE, "LT": PLACE, "UT": PLACE, "UC": PLACE, "DA": DAY,
         "DT": DAY + "101112", "AE": PLACE, "UR": PLACE}  # fmt: skip
ENCODINGS = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


def kept(data: bytes) -> KeptFile:
    found = deidentified(data, LIMITS)
    assert (shown(found.data) == shown(data)).all()
    assert facts(found.data) == facts(data)
    for text in PLANTED:
        assert text.encode() not in found.data
    return found


def facts(data: bytes) -> DicomFacts:
    return replace(read_dicom_header(data).facts, person_sha256=None)


def read(copy: KeptFile) -> Any:
    return pydicom.dcmread(io.BytesIO(copy.data))


def film(**more: Any) -> Dataset:
    """With a window, an age and a place in the body."""
    told: dict[str, Any] = {"WindowCenter": "2000", "WindowWidth": "1800", "PatientAge": "052Y", "ViewPosition": "AP"}
    told |= {"StudyInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3.5", "ImagerPixelSpacing": [0.14, 0.14]}
    return dataset(PIXELS, **{word: value for word, value in (told | more).items() if value is not None})


def named() -> Dataset:
    return film(
        PatientName=NAME, PatientID=NUMBER, PatientBirthDate=DAY, PatientSex="F", InstitutionName=PLACE,
        StudyDate="20140218", AccessionNumber=NUMBER, SeriesDescription=PLACE, OperatorsName=NAME, StudyID=NUMBER,
        Manufacturer=PLACE, RequestAttributesSequence=Sequence([film(PatientName=NAME)]),
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_profile_with_its_uids(encoding: str) -> None:
    found = read(kept(write(named(), encoding)))
    emptied = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber", "StudyID")
    assert {word: found[word].value for word in emptied if found[word].value} == {}
    gone = ("SeriesDescription", "Manufacturer", "RequestAttributesSequence")
    assert [word for word in gone if word in found] == []
    assert (found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID) == ("1.2.3.4", "1.2.3.5", "1.2.3")
    assert found.file_meta.TransferSyntaxUID == encoding
    assert (found.PatientIdentityRemoved, found.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert found.DeidentificationMethod.startswith("PS3.15 Basic Profile, Retain UIDs")
    codes = [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113108", "113110"]


def test_the_pixels_are_the_same_bytes_and_a_second_time_changes_nothing() -> None:
    sent = write(named())
    copy = kept(sent)
    assert read(copy).PixelData == PIXELS.tobytes()
    assert kept(copy.data).data == copy.data


def test_every_attribute_of_the_table_has_a_fate() -> None:
    count = sum(len(line.split()) for line in PROFILE.read_text("utf-8").splitlines() if line[:2].isalnum())
    assert count == 652
    fates = [fate_of(int(tag, 16)) for tag in ("00100010", "00080080", "00081030", "00080018", "00101010", "0040a730")]
    assert fates == ["empty", "empty", "remove", "keep", "remove", "replace"]
    assert {fate_of(tag) for tag in (0x00090010, 0x50001234, 0x60203000, 0xFFFCFFFC, 0x00020016)} == {"remove"}


@pytest.mark.parametrize(
    ("told", "age"),
    [
        ({"PatientAge": "052Y"}, "052Y"), ({"PatientAge": "003W"}, "003W"), ({"PatientAge": "089Y"}, "089Y"),
        ({"PatientAge": None, "PatientBirthDate": DAY, "StudyDate": "19990101"}, None),
        ({"PatientAge": "000Y", "PatientBirthDate": DAY, "StudyDate": "19990101"}, None), ({"PatientAge": None}, None),
        ({"PatientAge": "131Y"}, None),
        ({"PatientAge": None, "PatientBirthDate": "18000101", "StudyDate": "19990101"}, None),
    ],
)  # fmt: skip
def test_the_age_stays_to_the_day(told: dict[str, Any], age: str | None) -> None:
    assert read(kept(write(film(**told)))).get("PatientAge") == age


def test_the_oldest_are_ninety() -> None:
    for told in ({"PatientAge": "097Y"}, {"PatientAge": None, "PatientBirthDate": DAY, "StudyDate": "20610823"}):
        assert read(deidentified(write(film(**told)), LIMITS)).PatientAge == "090Y"


TEXT_TAGS = sorted(tag for tag, entry in DicomDictionary.items() if entry[0] in TEXTS and 0x0008 <= tag >> 16 < 0x5000)
PLACES = st.one_of(
    st.tuples(st.just("tag"), st.sampled_from(TEXT_TAGS)),
    st.tuples(st.just("nested"), st.sampled_from(TEXT_TAGS)),
    st.tuples(st.just("private"), st.integers(0x00091000, 0x000910FF)),
    st.tuples(st.just("unknown"), st.integers(0x00080002, 0x0008000E).filter(lambda t: t % 2)),
    st.tuples(st.sampled_from(["preamble", "meta", "behind", "pixels"]), st.just(0)),
)


def plant(made: Dataset, where: str, tag: int, text: str) -> None:
    kind = DicomDictionary[tag][0] if tag in DicomDictionary else "LO"
    if where == "tag":
        made.add_new(tag, kind, text)
    elif where == "nested":
        item, inner = Dataset(), Dataset()
        inner.add_new(tag, kind, text)
        item.DerivationCodeSequence = Sequence([inner])
        made.SourceImageSequence = Sequence([item])
    elif where == "private":
        made.add_new(0x00090010, "LO", text)
        made.add_new(tag, "UN", text.encode())
    elif where == "unknown":
        made.add_new(tag, "LO", text)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.lists(st.tuples(PLACES, st.sampled_from(PLANTED)), min_size=1, max_size=12), st.sampled_from(ENCODINGS[:2]))
def test_a_text_planted_anywhere_is_gone(planted: list[tuple[tuple[str, int], str]], encoding: str) -> None:
    made = film()
    for (where, tag), text in planted:
        plant(made, where, tag, TEXTS.get(DicomDictionary[tag][0], text) if tag in DicomDictionary else text)
    places = {where: text for (where, _), text in planted}
    if "pixels" in places:
        made.PixelData += (places["pixels"] + " " * (len(places["pixels"]) % 2)).encode()
    data = write(made, encoding)
    if "preamble" in places:
        data = places["preamble"].encode().ljust(128, b"\0") + data[128:]
    if "behind" in places:
        behind = Dataset()
        behind.DataSetTrailingPadding = places["behind"].encode()
        data += behind.to_json().encode()
    read(kept(data))


def j2k(comment: bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray((PIXELS >> 4).astype(np.uint8)).save(stream, "JPEG2000", no_jp2=True, irreversible=False)
    code = stream.getvalue()
    body = b"\xff\x64" + (len(comment) + 4).to_bytes(2, "big") + b"\x00\x01" + comment
    at = code.index(b"\xff\x52")
    return code[:at] + body + code[at:]


def test_texts_inside_compressed_pixels_go_and_no_offset_moves() -> None:
    grey = (PIXELS >> 4).astype(np.uint8)
    picture = Image.fromarray(grey)
    exif = Image.Exif()
    exif[0x010E] = NAME
    plain, scans = jpeg(picture), jpeg(picture, progressive=True)
    comment = b"\xff\xfe" + (len(NAME) + 2).to_bytes(2, "big") + NAME.encode()
    second = scans.index(b"\xff\xda", scans.index(b"\xff\xda") + 2)
    frames = (
        (JPEGBaseline8Bit, jpeg(picture, comment=NUMBER.encode(), exif=exif) + PLACE.encode() + b"\0"),
        (JPEGBaseline8Bit, plain[:2] + b"\xff\xff" + comment + plain[2:]),
        (JPEGBaseline8Bit, scans[:second] + comment + scans[second:]),
        (JPEG2000Lossless, j2k(NAME.encode())),
    )
    for syntax, frame in frames:
        sent = compressed(dataset(grey), syntax, frame)
        assert any(text.encode() in sent for text in PLANTED)
        copy = read(kept(sent))
        (stored,) = generate_frames(copy.PixelData, number_of_frames=1)
        assert len(stored) == len(frame) + len(frame) % 2
        assert copy.file_meta.TransferSyntaxUID == syntax


def test_more_segments_than_are_looked_through_are_refused() -> None:
    frame = jpeg(Image.fromarray((PIXELS >> 4).astype(np.uint8)))
    many = frame[:2] + b"\xff\xfe\x00\x02" * 500_001 + frame[2:]
    with pytest.raises(TooCostly, match="500000"):
        encapsulated_without_texts(encapsulate([many]), JPEGBaseline8Bit)


def test_the_end_of_a_thumbnail_is_not_that_of_a_picture_in_two_fragments() -> None:
    grey = np.random.default_rng(6).integers(0, 256, (90, 80)).astype(np.uint8)
    thumbnail, frame = jpeg(Image.new("L", (8, 8))), jpeg(Image.fromarray(grey))
    body = b"Exif\0\0" + NAME.encode() + thumbnail
    frame = frame[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + frame[2:]
    made = dataset(grey, PixelData=encapsulate([frame], fragments_per_frame=2))
    made["PixelData"].is_undefined_length, made["PixelData"].VR = True, "OB"
    kept(write(made, JPEGBaseline8Bit))


def test_run_lengths_that_look_like_a_code_stream_stay() -> None:
    sent = encapsulate([bytes(range(64)) + b"\xff\x4f\xff\x51\x00\x29" + bytes(64)])
    assert encapsulated_without_texts(sent, RLELossless)[: len(sent)] == sent


def test_tables_of_grey_levels_stay() -> None:
    table = look_up_table(0, 8, *range(0, 256, 2))
    table[0].LUTExplanation = NAME
    kept(write(dataset(PIXELS >> 5, VOILUTSequence=table, SpecificCharacterSet="ISO_IR 100")))


@pytest.mark.parametrize(
    ("told", "warned"),
    [({"BurnedInAnnotation": "YES"}, "says that text is burned"), ({"Modality": "US"}, "does not say"),
     ({"Modality": "US", "BurnedInAnnotation": "NO"}, ""), ({}, "")],
)  # fmt: skip
def test_text_in_the_pixels_is_warned_of(told: dict[str, str], warned: str) -> None:
    warnings = kept(write(film(**told))).warnings
    assert [warned in one for one in warnings] == [True] * bool(warned)


def test_what_is_damaged_too_much_or_too_deep_is_bounded() -> None:
    sent = write(named())
    with pytest.raises(UnreadableInput):
        deidentified(sent[: len(sent) // 2], LIMITS)
    with pytest.raises(InputTooLarge):
        deidentified(sent, ImageLimits(max_bytes=1000))
    deep = film(PatientComments=PLACE)
    for _ in range(30):
        deep = film(SourceImageSequence=Sequence([deep]))
        del deep.SourceImageSequence[0].PixelData
    assert len(kept(write(deep)).data) < 4000
    many = film(SourceImageSequence=Sequence([film() for _ in range(9)]))
    with pytest.raises(TooCostly):
        deidentified(write(many), LIMITS, most_elements=100)
