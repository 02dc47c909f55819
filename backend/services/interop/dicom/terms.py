"""Concepts as structured reports write them: of published terminologies, and our own where none means the same."""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept

from backend.services.rendering.messages import SERVICE_NAME
from ml_model.tasks.coding import Concept

OWN = "99MEDIDIAG"  # PS3.16 8.2: a private scheme begins with 99
LONGEST_MEANING = 64


def own(value: str, meaning: str) -> CodedConcept:
    """One of ours. meaning: in words, cut where it is longer than a meaning may be."""
    return CodedConcept(value, OWN, meaning[:LONGEST_MEANING])


def concept(value: str, words: str, known: Concept | None) -> CodedConcept:
    """What a task file calls so, by the concept that it names, else by our own code."""
    if known is None:
        return own(value, words)
    return CodedConcept(known.value, known.scheme, known.meaning[:LONGEST_MEANING])


def schemes() -> list[CodingSchemeIdentificationItem]:
    """Whose our own codes are."""
    return [CodingSchemeIdentificationItem(OWN, name="task files", responsible_organization=SERVICE_NAME)]


STATES = {
    "suspected": own("suspected", "Suspected"),
    "indeterminate": own("indeterminate", "Not ruled out"),
    "ruled_out": own("ruled_out", "Ruled out"),
}
FINDING_STATE = own("finding_state", "State of the finding")
RULE_OUT_BELOW, RULE_IN_FROM = own("rule_out_below", "Ruled out below"), own("rule_in_from", "Suspected from")
CLASS_PROBABILITIES = own("class_probabilities", "Calibrated probabilities of the classes")
NAMED_CLASS, SETTLED = own("named_class", "Most probable class"), own("settled", "Whether it can be leant on")
YES, NO = own("yes", "Yes"), own("no", "No")
TRIAGE = own("triage", "How soon to act")
MAP_PEAK = own("map_peak", "Peak of the activation map: influence, not location")
IN_QUESTION = own("in_question", "Class still in question")
EXPLAINED_CLASS = own("explained_class", "Class whose score it explains")
QUALITATIVE_EVALUATIONS = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
