"""Cases: a mutated upload, made again from its name alone."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fuzzing.formats import rasters, tagged, texts
from fuzzing.keeping import TEXT, seeds_to_keep
from fuzzing.parts import Layout, mutated
from fuzzing.seeds import SEEDS, Upload, seeds

FAMILIES = tuple(SEEDS)
PICTURES = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PDF", "DICOM")
RECORDINGS = ("DICOM-ECG", "WFDB", "CSV", "EDF")
KEPT = "KEPT-"  # before a format: of files that are to be kept
LONGEST_BYTES = 120_000  # of a run or of repeated parts; 25 times that in one case of fifty
_LAYOUTS: dict[str, Layout] = {
    "PNG": rasters.PNG, "JPEG": rasters.JPEG, "WEBP": rasters.WEBP, "TIFF": tagged.TIFF, "BMP": rasters.BMP,
    "GIF": rasters.GIF, "AVIF": rasters.AVIF, "PDF": texts.PDF, "DICOM": tagged.DICOM, "DICOM-ECG": tagged.DICOM,
    "CSV": texts.CSV, "EDF": texts.EDF, "SYMPTOMS": texts.JSON, "FACTORS": texts.JSON, "FORM": texts.FORM,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """The `index`-th mutant of a format under one seed of the random numbers."""

    seed: int
    family: str
    index: int

    @classmethod
    def named(cls, name: str) -> Case:
        """The inverse of `str(case)`."""
        seed, family, index = name.split(":")
        return cls(int(seed), family, int(index))

    def __str__(self) -> str:
        return f"{self.seed}:{self.family}:{self.index}"

    def random(self) -> random.Random:
        """The case's own random numbers, for choices beside its bytes."""
        return random.Random(f"choices of {self}")

    def upload(self, longest: int = LONGEST_BYTES) -> Upload:
        """The files that are sent. Of a record of several files one is changed."""
        rng = random.Random(str(self))
        family, made = self.family.removeprefix(KEPT), seeds_of(self.family)
        files = list(rng.choice(made))
        at = rng.randrange(len(files))
        name, data = files[at]
        layout = _layout(family, name)
        text = TEXT if family != self.family and rng.random() < 0.5 else b""
        longest *= 25 if rng.random() < 0.02 else 1
        others = [upload[min(at, len(upload) - 1)][1] for upload in made]
        files[at] = name, mutated(data, layout, rng, others, longest, text)
        return tuple(files)


def seeds_of(family: str) -> tuple[Upload, ...]:
    """What a case of a format is made of."""
    return seeds_to_keep(family.removeprefix(KEPT)) if family.startswith(KEPT) else seeds(family)


def _layout(family: str, name: str) -> Layout:
    if family == "WFDB":
        return texts.WFDB_HEADER if name.endswith(".hea") else texts.BYTES
    return _LAYOUTS[family]
