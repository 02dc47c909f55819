"""What becomes of test pictures that come framed, in a viewer's window, photographed off a screen, turned or noisy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.diagnosis.case import Case, CaseResult
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.inference.bundle import Bundle
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.inputs.images.decoder import decode_image
from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.image_corruptions import NOISE_LEVELS
from ml_model.training.augmentation.screen_photos import MEASURED_ON
from ml_model.training.augmentation.surrounds import COLOURS, FRAME_SHARES, WINDOWS, framed_by_share, letterboxed
from ml_model.training.data.decoded_cache import as_png, picture_bytes
from ml_model.training.data.samples import Sample
from ml_model.training.reports.kept_figures import Figure, counted

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, Generator], Pixels]
Line = Callable[[str, Iterable[bool]], Figure]


@dataclass(frozen=True)
class Picture:
    """A test picture with all its pixels and the answer to it as it is."""

    sample: Sample
    pixels: Pixels
    answer: CaseResult


class Remembering(Predictor):
    """Answers a picture that it has seen from memory: one cut free of its frame is such a picture as a rule."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._seen = dict[bytes, Prediction]()

    def predict(self, images: NDArray[np.uint8]) -> Prediction:
        """The same as of every `Predictor`."""
        key = hashlib.sha256(images.tobytes()).digest()
        if key not in self._seen:
            self._seen[key] = super().predict(images)
        return self._seen[key]


def _noisy(pixels: Pixels, rng: Generator, *, alike: bool) -> Pixels:
    """Gaussian noise of `NOISE_LEVELS`, in each colour for itself, or the same in all."""
    noise = rng.normal(0, NOISE_LEVELS, (*pixels.shape[:2], 1 if alike else 3))
    return np.rint(pixels + noise).clip(0, 255).astype(np.uint8)


def _framed(pixels: Pixels, _rng: Generator, *, share: float, colour: str) -> Pixels:
    return framed_by_share(pixels, share, COLOURS[colour])


def _barred(pixels: Pixels, _rng: Generator, *, colour: str) -> Pixels:
    return letterboxed(pixels, 16 / 9, COLOURS[colour])


def _posed(
    pixels: Pixels, _rng: Generator, *, turns: int = 0, inverted: bool = False, mirrored: bool = False
) -> Pixels:
    side = pixels[:, ::-1] if mirrored else pixels
    return np.rot90(255 - side if inverted else side, turns)


# Of each kind every picture is changed in one way, the ways taking turns.
FRAMES: Mapping[str, Sequence[Change]] = {
    f"{colour} frames of 1 to 40 %": [partial(_framed, share=share, colour=colour) for share in FRAME_SHARES]
    for colour in COLOURS
} | {"bars to 16:9": [partial(_barred, colour=colour) for colour in ("black", "white")]}
SCREENS: Sequence[Change] = list(WINDOWS.values())
NOISE: Mapping[str, Change] = {
    f"noise of {NOISE_LEVELS:g} levels by colour": partial(_noisy, alike=False),
    f"noise of {NOISE_LEVELS:g} levels, grey": partial(_noisy, alike=True),
}


def read_pictures(task: ImageTask, samples: Sequence[Sample], engines: Engines) -> list[Picture]:
    """Each decoded at full size, and answered as it is."""

    def read(sample: Sample) -> Picture:
        data = picture_bytes(sample)
        rgb = decode_image(data, task.input, full_size=True).rgb
        return Picture(sample, np.asarray(rgb), _answer(task, data, engines))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(read, samples))


def _answer(task: ImageTask, data: bytes, engines: Engines) -> CaseResult:
    """With refusals told as warnings."""
    return diagnose(task, Case(pictures=(data,), gate="warn"), engines)


def answers_to(
    task: ImageTask, pictures: Sequence[Picture], changes: Sequence[Change], engines: Engines
) -> list[CaseResult]:
    """To the same pictures, the changes taking turns."""

    def changed(number: int) -> CaseResult:
        change = changes[number % len(changes)]
        pixels = change(pictures[number].pixels, np.random.default_rng(number))
        return _answer(task, as_png(np.ascontiguousarray(pixels)), engines)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(changed, range(len(pictures))))


def called_photograph(result: CaseResult) -> bool:
    """Whether the answer says that the picture was photographed off a screen."""
    return _says(result, "photograph of a screen")


def called_altered(result: CaseResult) -> bool:
    """Whether it says so, or that something was around the picture."""
    return any(result.input_check.crops) or called_photograph(result)


def told(result: CaseResult) -> bool:
    """Whether it says one of these, abstains, or tells of a refusal."""
    return called_altered(result) or bool(result.decision.abstain_reasons) or not result.input_check.accepted


def same(result: CaseResult, before: CaseResult) -> bool:
    """Whether each finding is in the same state."""
    states, earlier = ([f.state for f in one.decision.findings] for one in (result, before))
    return states == earlier


def correct(result: CaseResult, sample: Sample) -> bool:
    """Whether the named class is one that the label can stand for."""
    return result.decision.diagnosis.predicted.code in sample.codes


def figures_of(task: ImageTask, pictures: Sequence[Picture], engines: Engines) -> Iterator[Figure]:
    """The lines of one task."""

    def of(what: str, hits: Iterable[bool]) -> Figure:
        return counted(f"{task.id}: {what}", list(hits), [p.sample.group for p in pictures])

    yield of("as it is, called framed or photographed", (called_altered(p.answer) for p in pictures))
    for kind, changes in (*FRAMES.items(), ("viewer's windows", SCREENS)):
        answers = answers_to(task, pictures, changes, engines)
        pairs = list(zip(answers, pictures, strict=True))
        yield of(f"{kind}, findings in the same states", (same(a, p.answer) for a, p in pairs))
        yield of(f"{kind}, the same or told", (told(a) or same(a, p.answer) for a, p in pairs))
    for name, photographed in MEASURED_ON.items():
        answers = answers_to(task, pictures, [photographed], engines)
        yield of(f"photographs of a screen, {name}, called so", map(called_photograph, answers))
        yield of(f"photographs of a screen, {name}, called so, abstained from or refused", map(told, answers))
    yield from _noise_figures(task, pictures, engines, of)
    if task.input.film:
        yield from _pose_figures(task, pictures, engines, of)


def _noise_figures(task: ImageTask, pictures: Sequence[Picture], engines: Engines, of: Line) -> Iterator[Figure]:
    unsmoothed = task.model_copy(update={"input": task.input.model_copy(update={"most_noise": 0.0})})
    yield of("as it is, right class", (correct(p.answer, p.sample) for p in pictures))
    yield of("as it is, called noisy", (_says(p.answer, "noise") for p in pictures))
    for what, change in NOISE.items():
        for how, read_as in (("not smoothed", unsmoothed), ("smoothed", task)):
            answers = answers_to(read_as, pictures, [change], engines)
            hits = (correct(a, p.sample) for a, p in zip(answers, pictures, strict=True))
            yield of(f"{what}, {how}, right class", hits)
        yield of(f"{what}, told", (_says(a, "noise") for a in answers))
        yield of(f"{what}, abstained from for it", (_says(a, "too noisy") for a in answers))


def _pose_figures(task: ImageTask, pictures: Sequence[Picture], engines: Engines, of: Line) -> Iterator[Figure]:
    for turns in range(1, 4):
        turned = answers_to(task, pictures, [partial(_posed, turns=turns)], engines)
        yield of(f"turned by {90 * turns} degrees, refused", (_says(a, "the film lies") for a in turned))
    inverted = answers_to(task, pictures, [partial(_posed, inverted=True)], engines)
    righted = [a.input_check.accepted and _says(a, "exchanged back") for a in inverted]
    yield of("inverted, put right", righted)
    yield of("inverted, refused", (not a.input_check.accepted for a in inverted))
    hits = (right and same(a, p.answer) for right, a, p in zip(righted, inverted, pictures, strict=True))
    yield of("inverted, put right, findings in the same states", hits)
    mirrored = answers_to(task, pictures, [partial(_posed, mirrored=True)], engines)
    yield of("mirrored, told", (_says(a, "mirrored") for a in mirrored))
    yield of("as it is, called turned or inverted", (_called_posed(p.answer) for p in pictures))
    yield of("as it is, called mirrored", (_says(p.answer, "mirrored") for p in pictures))


def _called_posed(result: CaseResult) -> bool:
    return _says(result, "exchanged back") or _says(result, "the film lies")


def _says(result: CaseResult, word: str) -> bool:
    return any(word in warning for warning in result.input_check.warnings)
