"""Concepts, codes and quantities as FHIR writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from fhir.resources.R4B.annotation import Annotation
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.coding import Coding
from fhir.resources.R4B.extension import Extension
from fhir.resources.R4B.quantity import Quantity

from ml_model.tasks.coding import UCUM, Concept

SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "MDC": "urn:iso:std:iso:11073:10101",
    "I10": "http://hl7.org/fhir/sid/icd-10",
}
UNITS_OF_MEASURE = "http://unitsofmeasure.org"
URI = "urn:ietf:rfc:3986"
INTERPRETATIONS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT_REASONS = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
ABSENT_EXTENSION = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
Interpretation = Literal["POS", "NEG", "IND", "N", "L", "H"]
_INTERPRETED: dict[Interpretation, str] = {
    "POS": "Positive", "NEG": "Negative", "IND": "Indeterminate", "N": "Normal", "L": "Low", "H": "High",
}  # fmt: skip
AbsentReason = Literal["unknown", "masked"]
_ABSENT: dict[AbsentReason, str] = {"unknown": "Unknown", "masked": "Masked"}
_PARTITION = 2**16  # of ISO/IEEE 11073: DICOM writes partition and code apart, FHIR as one number


def concept(text: str, known: Concept | None = None) -> CodeableConcept:
    """Our words, and the concept that they stand for, where the task file names one."""
    return CodeableConcept(text=text, coding=[_coding(known)] if known else None)


def _coding(known: Concept) -> Coding:
    code = known.value
    if known.scheme == "MDC":
        partition, _, own = code.partition(":")
        code = str(int(partition) * _PARTITION + int(own))
    return Coding(system=SYSTEMS[known.scheme], code=code, display=known.meaning)


def icd10(text: str, code: str | None) -> CodeableConcept:
    """A condition of the symptom checker, whose file has the code alone."""
    coding = [Coding(system=SYSTEMS["I10"], code=code)] if code else None
    return CodeableConcept(text=text, coding=coding)


def interpretation(code: Interpretation, text: str | None = None) -> list[CodeableConcept]:
    """text: what it is called in the answer."""
    return [CodeableConcept(coding=[Coding(system=INTERPRETATIONS, code=code, display=_INTERPRETED[code])], text=text)]


def absent(code: AbsentReason, text: str | None = None) -> CodeableConcept:
    """Why there is no value."""
    return CodeableConcept(coding=[Coding(system=ABSENT_REASONS, code=code, display=_ABSENT[code])], text=text)


def absent_extension(code: AbsentReason) -> Extension:
    """The same of an element that is no observation's."""
    return Extension(url=ABSENT_EXTENSION, valueCode=code)


def number(value: float) -> Decimal:
    """With the digits that the answer has."""
    return Decimal(repr(value))


def quantity(value: float, unit: str) -> Quantity:
    """unit: as task files write it; one without a code of UCUM stands as a word."""
    code = UCUM.get(unit)
    system = UNITS_OF_MEASURE if code else None
    return Quantity(value=number(value), unit=unit if unit != "1" else None, system=system, code=code)


def probability(value: float) -> Quantity:
    """value: 0-1."""
    return Quantity(value=number(value), unit="probability", system=UNITS_OF_MEASURE, code="1")


def notes(*texts: str) -> list[Annotation]:
    """Each text once."""
    return [Annotation(text=text) for text in dict.fromkeys(texts) if text]


def percentage(probability: float) -> Decimal:
    """Of a risk assessment, whose decimals are per cent: 0.25 -> 25."""
    return 100 * number(probability)
