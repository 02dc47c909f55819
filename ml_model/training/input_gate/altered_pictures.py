"""What becomes of test pictures that come framed, in a viewer's window, photographed off a screen, turned or noisy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.diagnosis.case import Case, CaseResult
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.inputs.images.decoder import decode_image
from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.image_corruptions import NOISE_LEVELS
from ml_model.training.augmentation.screen_photos import MEASURED_ON
from ml_model.training.augmentation.surrounds import COLOURS, FRAME_SHARES, WINDOWS, framed_by_share, letterboxed
from ml_model.training.data.decoded_cache import as_png, picture_bytes
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.intervals import proportion

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, Generator], Pixels]
Judgement = Callable[[CaseResult, CaseResult], bool]


@dataclass(frozen=True)
class Picture:
    """A test picture with all its pixels and the answer to it as it is."""

    sample: Sample
    pixels: Pixels
    answer: CaseResult


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


FRAMES: Mapping[str, Change] = {
    f"{colour} frame, {share * 100:.0f} %": partial(_framed, share=share, colour=colour)
    for colour in COLOURS
    for share in FRAME_SHARES
} | {f"{colour} bars to 16:9": partial(_barred, colour=colour) for colour in ("black", "white")}
SCREENS: Mapping[str, Change] = {f"window: {name}": draw for name, draw in WINDOWS.items()}
PHOTOS: Mapping[str, Change] = {f"photograph of a screen: {name}": draw for name, draw in MEASURED_ON.items()}
NOISE: Mapping[str, Change] = {
    f"noise, {NOISE_LEVELS:g} levels, by colour": partial(_noisy, alike=False),
    f"noise, {NOISE_LEVELS:g} levels, grey": partial(_noisy, alike=True),
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


def answers_to(task: ImageTask, pictures: Sequence[Picture], change: Change, engines: Engines) -> list[CaseResult]:
    """To the same pictures, changed."""

    def changed(number: int) -> CaseResult:
        pixels = change(pictures[number].pixels, np.random.default_rng(number))
        return _answer(task, as_png(np.ascontiguousarray(pixels)), engines)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(changed, range(len(pictures))))


def altered(result: CaseResult) -> bool:
    """Whether the answer says of the picture that something was around it, or gives a reason to abstain."""
    return result.input_check.cropped is not None or bool(result.input_check.abstain_reasons)


def told(result: CaseResult) -> bool:
    """The same, or whether the picture is refused."""
    return altered(result) or not result.input_check.accepted


def same(result: CaseResult, before: CaseResult) -> bool:
    """Whether the same class is named."""
    return result.decision.diagnosis.class_id == before.decision.diagnosis.class_id


def correct(result: CaseResult, sample: Sample) -> bool:
    """Whether the named class is one that the label can stand for."""
    return result.decision.diagnosis.predicted.code in sample.codes


def line(what: str, pictures: Sequence[Picture], hits: Sequence[bool]) -> str:
    """A row of the table, with the interval by group."""
    found = proportion(np.array(hits, np.bool_), np.array([p.sample.group for p in pictures]))
    return f"| {what} | {len(pictures)} | {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) |"


def rows_of(task: ImageTask, pictures: Sequence[Picture], engines: Engines) -> Iterator[str]:
    """The rows of one task."""
    name = task.id
    yield line(f"{name}: as it is, called framed or photographed", pictures, [altered(p.answer) for p in pictures])
    for what, change in (*FRAMES.items(), *SCREENS.items()):
        answers = answers_to(task, pictures, change, engines)
        hits = [told(a) or same(a, p.answer) for a, p in zip(answers, pictures, strict=True)]
        yield line(f"{name}: {what}, same class or told", pictures, hits)
    for what, change in PHOTOS.items():
        yield line(f"{name}: {what}, told", pictures, [told(a) for a in answers_to(task, pictures, change, engines)])
    yield from _noise_rows(task, pictures, engines)
    if task.input.film:
        yield from _pose_rows(task, pictures, engines)


def _noise_rows(task: ImageTask, pictures: Sequence[Picture], engines: Engines) -> Iterator[str]:
    unsmoothed = task.model_copy(update={"input": task.input.model_copy(update={"most_noise": 0.0})})
    right = [correct(p.answer, p.sample) for p in pictures]
    yield line(f"{task.id}: as it is, right class", pictures, right)
    for what, change in NOISE.items():
        for how, read_as in (("not smoothed", unsmoothed), ("smoothed", task)):
            answers = answers_to(read_as, pictures, change, engines)
            hits = [correct(a, p.sample) for a, p in zip(answers, pictures, strict=True)]
            yield line(f"{task.id}: {what}, {how}, right class", pictures, hits)


def _pose_rows(task: ImageTask, pictures: Sequence[Picture], engines: Engines) -> Iterator[str]:
    for turns in range(1, 4):
        turned = answers_to(task, pictures, partial(_posed, turns=turns), engines)
        hits = [not a.input_check.accepted for a in turned]
        yield line(f"{task.id}: turned by {90 * turns} degrees, refused", pictures, hits)
    inverted = answers_to(task, pictures, partial(_posed, inverted=True), engines)
    put_right = [_says(a, "exchanged back") and same(a, p.answer) for a, p in zip(inverted, pictures, strict=True)]
    yield line(f"{task.id}: inverted, put right and the same class", pictures, put_right)
    mirrored = answers_to(task, pictures, partial(_posed, mirrored=True), engines)
    yield line(f"{task.id}: mirrored, told", pictures, [_says(a, "mirrored") for a in mirrored])
    yield line(f"{task.id}: as it is, called turned or inverted", pictures, [_called_posed(p.answer) for p in pictures])
    yield line(f"{task.id}: as it is, called mirrored", pictures, [_says(p.answer, "mirrored") for p in pictures])


def _called_posed(result: CaseResult) -> bool:
    return _says(result, "exchanged back") or _says(result, "the film lies")


def _says(result: CaseResult, word: str) -> bool:
    return any(word in warning for warning in result.input_check.warnings)
