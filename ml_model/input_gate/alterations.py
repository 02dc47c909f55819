"""What was done to a picture between its making and its upload, as sentences: cut out of a window, photographed off a
screen or instead of being taken as such pictures are, turned, inverted, mirrored, noisy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ml_model.input_gate.modality_classifier import Recognition, photograph_note
from ml_model.input_gate.screen_photo import screen_photo_note
from ml_model.inputs.images.decoder import LoadedImage
from ml_model.tasks.registry import ImageInput

# Levels of noise at the model's size, from which a picture that was smoothed is no more answered as one without.
UNFIT_NOISE_LEVELS = 12.0


@dataclass(frozen=True)
class Alterations:
    """put_right: what was undone or does no harm. unfit: what makes any answer unfit to be leant on. turned: why a film
    is not to be answered."""

    put_right: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    turned: str | None = None


def alterations(
    image: LoadedImage, grid: float, recognition: Recognition | None, image_input: ImageInput, *, judged: bool
) -> Alterations:
    """Those of one picture; grid: of `screen_photo.grid_height`, recognition: of the gate. Where it is not judged only
    what was undone is told: the answer is of that."""
    undone = tuple(_undone(image, image_input))
    if not judged:
        return Alterations(undone)
    photographed = screen_photo_note(grid, image.colour_levels, image_input)
    unfit = [note for note in (photographed, photograph_note(recognition, image.pixels)) if note]
    if image.noise and image.noise >= UNFIT_NOISE_LEVELS:
        unfit.append(f"the picture is too noisy for an answer to be leant on ({image.noise:.1f} levels of 255)")
    if image.pose.turned:
        unfit.append(image.pose.turned)
    if image.pose.mirrored:
        undone += ("the film looks mirrored: compare the side marker, or the heart lies on the right",)
    return Alterations(undone, tuple(unfit), image.pose.turned)


def _undone(image: LoadedImage, image_input: ImageInput) -> Iterator[str]:
    if image.surround:
        yield image.surround.warning
    if image.pose.inverted:
        yield "black and white were exchanged in this film; they were exchanged back before it was answered"
    if image.noise:
        yield (
            f"the picture has noise of {image.noise:.1f} levels of 255, training pictures have at most "
            f"{image_input.most_noise:g}: it was smoothed before it was answered; send one with less noise"
        )
