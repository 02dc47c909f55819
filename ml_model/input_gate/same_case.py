"""Are several pictures views of one case? Their probabilities are averaged, so that is for the answer to say. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ml_model.inputs.dicom.header import DicomFacts


def note_on_views(headers: Sequence[DicomFacts | None]) -> str | None:
    """A sentence where several pictures are, or may be, not of one person and side; None for a single picture, and
    where their headers say that they belong together. headers: of each picture, None for a file without one."""
    if len(headers) < 2:
        return None
    persons = {facts.person_sha256 if facts else None for facts in headers}
    sides = {facts.laterality for facts in headers if facts and facts.laterality}
    averaged = f"{len(headers)} pictures were averaged as views of one case"
    if len(persons - {None}) > 1:
        return f"{averaged}, but their headers name {len(persons - {None})} persons: send each person's alone"
    if len(sides) > 1:
        return f"{averaged}, but their headers name the sides {' and '.join(sorted(sides))}: send each side's alone"
    if None in persons:
        return f"{averaged}; nothing in the files says that they are of one person"
    return None
