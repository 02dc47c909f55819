"""The resources of one answer: made, named, and put into a bundle in which every reference resolves."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from fhir.resources.R4B.bundle import Bundle, BundleEntry
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.domainresource import DomainResource
from fhir.resources.R4B.identifier import Identifier
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.reference import Reference

from backend.services.interop.answered import AnsweredCase
from backend.services.interop.fhir.terms import URI, notes
from backend.services.rendering.messages import DISCLAIMER

REPORT, OBSERVED, ASSESSED, STUDY = "report", "observation/", "risk", "study/"  # names of resources, or how they begin
STATUS = "preliminary"  # of whatever is stated: nobody has looked at it


@dataclass
class Entries:
    """What was made of one case so far, by name. An id follows from the record's and the name, so that the same record
    always gives the same bundle."""

    case: AnsweredCase
    resources: dict[str, DomainResource] = field(default_factory=dict)

    def add(self, name: str, kind: type[DomainResource], **elements: Any) -> Reference:
        """Make a resource and refer to it. Raises ValueError where there is one of that name."""
        if name in self.resources:
            raise ValueError(f"two resources are called {name!r}")
        self.resources[name] = kind(id=self._id(name), **elements)
        return self.reference(name)

    def reference(self, name: str) -> Reference:
        """To a resource that was added. Raises KeyError."""
        return Reference(reference=_urn(self._id(name)), type=self.resources[name].get_resource_type())

    def references(self, *beginnings: str) -> list[Reference] | None:
        """To all whose names begin so; None where there are none, since FHIR knows no empty list."""
        return [self.reference(name) for name in self.resources if name.startswith(beginnings)] or None

    def observe(self, name: str, code: CodeableConcept, *texts: str, **said: Any) -> Reference:
        """Add an observation of the model's about the patient. texts: notes beside the one on research use."""
        return self.add(
            OBSERVED + name, Observation, status=STATUS, code=code, subject=self.reference("patient"),
            device=self.reference("device"), issued=self.case.answered_at, note=notes(*texts, DISCLAIMER), **said,
        )  # fmt: skip

    def bundle(self) -> Bundle:
        """All of them, the report first."""
        names = sorted(self.resources, key=lambda name: name != REPORT)
        return Bundle(
            id=str(self.case.record_id),
            type="collection",
            identifier=Identifier(system=URI, value=_urn(str(self.case.record_id))),
            timestamp=self.case.answered_at,
            entry=[BundleEntry(fullUrl=_urn(self._id(name)), resource=self.resources[name]) for name in names],
        )

    def _id(self, name: str) -> str:
        return str(uuid.uuid5(self.case.record_id, name))


def _urn(id_: str) -> str:
    return f"urn:uuid:{id_}"
