"""What is asked of DICOM headers alone, in the processes that read files."""

from __future__ import annotations

from dataclasses import dataclass

from ml_model.inputs.dicom.instances import DicomInstance, read_instance
from ml_model.inputs.dicom.study import SourceImage, read_source
from ml_model.sandbox.worker import Announce


@dataclass(frozen=True)
class InstancesOfFiles:
    """Files of one case, of which only the names that DICOM gave them are asked."""

    files: tuple[bytes, ...]

    def read(self, announce: Announce | None = None, /) -> tuple[DicomInstance, ...]:
        """Of those that are DICOM and have them. Raises the errors of `read_instance`."""
        found = (read_instance(data) for data in self.files)
        return tuple(one for one in found if one is not None)


@dataclass(frozen=True)
class SourceOfFile:
    """A DICOM picture beside which something is put in its study. with_patient: whether it is told whose it is."""

    data: bytes
    with_patient: bool

    def read(self, announce: Announce | None = None, /) -> SourceImage | None:
        """None where it names no study. Raises the errors of `read_source`."""
        return read_source(self.data, with_patient=self.with_patient)
