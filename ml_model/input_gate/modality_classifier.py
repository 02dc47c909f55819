"""Which kind of picture is this? One small network over the kinds that the tasks read, and everything else; and a rule
by which skin that was photographed without a dermatoscope is told from what a dermatoscope shows."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from ml_model.inference.bundle import Manifest
from ml_model.inference.predictor import MODEL_FILE, Prediction, Predictor
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
PHOTOGRAPHS_FILE = Path(__file__).parent / "skin_photographs.toml"
# Of a picture of so many cells a side: light and colour of its parts, and how much is in waves of so many a side, of
# the lightness and of its red against green.
_CELLS, _PARTS = 112, 8
_LIGHT_WAVES = (0.5, 1, 2, 4, 8, 16, 32, 48, 80)
_COLOUR_WAVES = (0.5, 2, 8, 32, 80)


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


class PhotographRule(Frozen):
    """Weights of the gate's embedding followed by `picture_statistics`: from a weighted sum plus `offset` of 0 on a
    picture that should be of `kind` is a photograph. model_sha256: of the graph whose embedding it weighs."""

    kind: PlainName
    told: Text
    model_sha256: str
    offset: float
    weights: tuple[float, ...]

    @functools.cached_property
    def _column(self) -> NDArray[np.float64]:
        return np.array(self.weights)

    def score(self, embedding: NDArray[np.float32], statistics: NDArray[np.float32]) -> float:
        """From 0 on it is a photograph."""
        return float(np.concatenate([embedding, statistics]) @ self._column) + self.offset


@functools.cache
def photograph_rule() -> PhotographRule:
    """That of skin_photographs.toml."""
    return PhotographRule.model_validate(tomllib.loads(PHOTOGRAPHS_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Recognition:
    """How like each kind a picture is: by code, `scores` (0-1, summing to 1), accepted from `thresholds`. exchanged:
    whether it is refused as it was sent, and would surely be of the expected kind with black and white exchanged.
    inverted_kind: the other kind, a code, that it surely is then; such a picture is not accepted. embedding: of the
    graph that `photograph_rule` is for, None of another."""

    expected: str
    scores: dict[str, float]
    thresholds: dict[str, float]
    exchanged: bool = False
    inverted_kind: str | None = None
    embedding: NDArray[np.float32] | None = None

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
    known = manifest.files[MODEL_FILE] == photograph_rule().model_sha256
    return Recognition(
        expected, dict(zip(manifest.classes, scores, strict=True)), manifest.thresholds,
        embedding=prediction.embedding[0] if known else None,
    )  # fmt: skip


def photograph_note(recognition: Recognition | None, pixels: NDArray[np.uint8]) -> str | None:
    """A sentence on a picture, uint8 RGB (H, W, 3), that was photographed where another means is read; None where
    nothing says so, or nothing was looked at."""
    rule = photograph_rule()
    if recognition is None or recognition.embedding is None or recognition.expected != rule.kind:
        return None
    return rule.told if rule.score(recognition.embedding, picture_statistics(pixels)) >= 0 else None


def picture_statistics(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(29,) of uint8 RGB (H, W, 3), in CIE Lab: logarithms of the energy by waves; spread along the edges, difference
    of the middle, mean and spread of each channel; lightness along the edges at least and at most; spread inside."""
    cells = cv2.resize(pixels, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(cells, cv2.COLOR_RGB2LAB)
    mean, deviation = (one[:, 0] for one in cv2.meanStdDev(lab))
    waves = [
        np.log(_energy_by_waves(np.asarray(cv2.extractChannel(lab, channel), np.float32), edges) + 1e-3)
        for channel, edges in ((0, _LIGHT_WAVES), (1, _COLOUR_WAVES))
    ]
    parts = cv2.resize(lab, (_PARTS, _PARTS), interpolation=cv2.INTER_AREA)
    edge = np.concatenate([parts[0], parts[-1], parts[1:-1, 0], parts[1:-1, -1]])
    middle = parts[3:5, 3:5].mean(axis=(0, 1)) - edge.mean(axis=0)
    light = edge[:, 0].min(), edge[:, 0].max()
    inside = parts[2:6, 2:6].std(axis=(0, 1))
    return np.concatenate([*waves, edge.std(axis=0), middle, mean, deviation, light, inside]).astype(np.float32)


def _energy_by_waves(channel: NDArray[np.floating], edges: tuple[float, ...]) -> NDArray[np.float64]:
    """Mean energy of the terms of a cosine transform between each two numbers of waves a side."""
    bands, counts = _bands(edges)
    return np.bincount(bands, np.square(cv2.dct(channel)).ravel(), len(counts))[1:-1] / counts[1:-1]


@functools.cache
def _bands(edges: tuple[float, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Between which edges each term lies, 0 before the first, and how many lie there."""
    half_waves = np.arange(_CELLS)
    bands = np.digitize(np.hypot(half_waves[:, None], half_waves).ravel() / 2, edges)
    return bands, np.bincount(bands, minlength=len(edges) + 1)
