"""Which kind of picture is this? One small network over the kinds that the tasks read, and everything else."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from ml_model.inference.bundle import Manifest
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.inputs.images.geometry import resize_rgb
from ml_model.tasks.image_schema import Frozen, ImageInput, PlainName, Text
from ml_model.tasks.tabular_schema import contract_hash

BUNDLE_ID = "input-gate"
OTHER = "other"
# Score from which a picture put right is taken for a film that it is not as it was sent. Of inverted validation films
# that are none as sent all 70 reach it, of 575 ultrasound pictures none (the highest has .97); from .5 on 56 would.
# What is taken for a film as it was sent, but below it, must not be another kind from it on when inverted: so are 80 of
# 81 inverted ultrasound pictures and mammograms that would be answered, and none of 805 validation films.
PUT_RIGHT_FROM = 0.98
SPEC_FILE = Path(__file__).parent / "modality.toml"


class ModalitySpec(Frozen):
    """The kinds, code -> what to call them in a sentence, in the order of the model's outputs; and its input."""

    licence: Text
    input: ImageInput
    kinds: dict[PlainName, Text] = Field(min_length=2)

    @property
    def codes(self) -> tuple[str, ...]:
        """In output order."""
        return tuple(self.kinds)

    @property
    def contract_sha256(self) -> str:
        """Hash of what a bundle is bound to: size of the input, codes in their order."""
        return contract_hash({"input": [self.input.height_px, self.input.width_px], "classes": self.codes})


@functools.cache
def modality_spec() -> ModalitySpec:
    """The kinds of modality.toml."""
    return ModalitySpec.model_validate(tomllib.loads(SPEC_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Recognition:
    """How like each kind a picture is: by code, `scores` (0-1, summing to 1), accepted from `thresholds`. exchanged:
    whether it is refused as it was sent, and would surely be of the expected kind with black and white exchanged.
    inverted_kind: the other kind, a code, that it surely is then; such a picture is not accepted."""

    expected: str
    scores: dict[str, float]
    thresholds: dict[str, float]
    exchanged: bool = False
    inverted_kind: str | None = None

    @property
    def kind(self) -> str:
        """The most probable one."""
        return max(self.scores, key=self.scores.__getitem__)

    @property
    def score(self) -> float:
        """Of the expected kind."""
        return self.scores[self.expected]

    @property
    def threshold(self) -> float:
        """Of the expected kind."""
        return self.thresholds[self.expected]

    @property
    def accepted(self) -> bool:
        """Whether the picture is taken for one of the expected kind."""
        return self.accepts(self.expected)

    def accepts(self, kind: str) -> bool:
        """Whether the picture is taken for one of that kind."""
        if kind == self.expected and self.inverted_kind:
            return False
        return kind in self.thresholds and self.scores[kind] >= self.thresholds[kind]


def overview_of(rgb: Image.Image) -> NDArray[np.uint8]:
    """What the gate's model looks at: a picture, mode RGB, at the size of `modality_spec`."""
    size = modality_spec().input
    return resize_rgb(rgb, size.height_px, size.width_px)


def recognise(
    predictor: Predictor | None, overview: NDArray[np.uint8] | None, expected: str, *, exchanged: bool | None = None
) -> Recognition | None:
    """How like each kind the picture is whose overview this is; None where there is no gate, where no overview was
    asked for, and where the gate does not know the expected kind, a code.

    exchanged: of a film, whether its black and white were told to be exchanged. Then it must be of that kind when put
    right, as it is answered, and surely so where it is not as it was sent. Otherwise it must not surely be of another
    kind with them exchanged, where it is not surely of that kind as it was sent.
    """
    if predictor is None or overview is None:
        return None
    manifest = predictor.bundle.manifest
    if expected not in manifest.thresholds:
        return None
    sent = _recognition(predictor.predict(overview[None]), manifest, expected)
    if exchanged is None or (sent.accepted and not exchanged and sent.score >= PUT_RIGHT_FROM):
        return sent
    put_right = _recognition(predictor.predict(255 - overview[None]), manifest, expected)
    if sent.accepted and not (exchanged and put_right.accepted):
        surely = put_right.kind not in (expected, OTHER) and put_right.scores[put_right.kind] >= PUT_RIGHT_FROM
        return replace(sent, inverted_kind=put_right.kind) if surely else put_right if exchanged else sent
    if not sent.accepted:
        put_right = replace(put_right, thresholds={**manifest.thresholds, expected: PUT_RIGHT_FROM})
    if exchanged:
        return put_right if put_right.accepted else sent
    return replace(sent, exchanged=put_right.accepted)


def _recognition(prediction: Prediction, manifest: Manifest, expected: str) -> Recognition:
    scores = prediction.probabilities[0].tolist()
    return Recognition(expected, dict(zip(manifest.classes, scores, strict=True)), manifest.thresholds)
