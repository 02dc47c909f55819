"""Whether the heatmaps show what moved the answers: measured by taking away what they mark, and on lesion outlines.

Deletion and insertion: Petsiuk V, Das A, Saenko K. RISE: randomized input sampling for explanation of black-box models.
BMVC 2018. Pointing game: Zhang J et al. Top-down neural attention by excitation backprop. ECCV 2016.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_model.diagnosis.case import Case, PictureView
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.inference.interval import Interval
from ml_model.inference.measured import Explanation
from ml_model.inference.predictor import Predictor
from ml_model.inputs.images.decoder import decode_image, load_image
from ml_model.inputs.images.geometry import place
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.decoded_cache import picture_bytes
from ml_model.training.data.readers import mask_files
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.intervals import resampled

MOST_PICTURES = 100
STEPS = 8  # from the untouched picture to one that is blurred all over, or back
BLUR_SHARE = 1 / 16  # deviation of the Gaussian, of the longer side: nothing of a lesion's texture or edge is left
MASK_LEVEL = 128  # of 0-255, from which a pixel of an outline's picture is inside
SEED = 0


def explanation_evidence(task: ImageTask, samples: Sequence[Sample], predictor: Predictor) -> Explanation | None:
    """Figures for `manifest.metrics.explanation`, on at most MOST_PICTURES of `samples`, spread over the labels.

    Each is explained for the class that its answer names. Each figure is a
    mean over pictures, 0-1, with its interval; `_gain` is by how much the map is better than chance, picture by
    picture. None for a model without maps, and where there are no pictures.
    """
    rng, chosen = np.random.default_rng(SEED), spread_over_labels(samples)
    removed, inside, outlined, empty = [], [], [], 0
    for sample in tqdm(chosen, desc="explain", unit="img"):
        result = diagnose(task, Case(pictures=(picture_bytes(sample),), gate="off"), Engines(pictures=predictor))
        class_id, view = result.decision.diagnosis.class_id, result.views[0]
        if not isinstance(view, PictureView) or not view.maps.size:
            return None
        cells = view.maps[class_id]
        removed.append(removal_scores(predictor, view.pixels, cells, class_id, rng))
        mask = lesion_mask(task, sample)
        if not cells.any():
            empty += 1
        elif mask is not None:
            inside.append(mask_scores(cells, mask))
            outlined.append(sample)
    if not chosen:
        return None
    lesions = {"lesions": len(outlined), **_figures(inside, outlined)} if outlined else {}
    return Explanation.model_validate(
        {"pictures": len(chosen), "empty_maps": empty, **_figures(removed, chosen), **lesions}
    )


def spread_over_labels(samples: Sequence[Sample], most: int = MOST_PICTURES) -> list[Sample]:
    """At most `most` samples, drawn by a fixed seed, taken in turns from each label of each source."""
    taken: Counter[tuple[str, str]] = Counter()
    turns = []
    for index in np.random.default_rng(SEED).permutation(len(samples)).tolist():
        kind = (samples[index].source, samples[index].label)
        turns.append((taken[kind], index))
        taken[kind] += 1
    return [samples[index] for _, index in sorted(turns, key=lambda turn: turn[0])[:most]]


def removal_scores(
    predictor: Predictor,
    pixels: NDArray[np.uint8],
    cells: NDArray[np.float32],
    class_id: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Deletion and insertion of one picture (H, W, 3) by its map (rows, columns), and by cells in random order.

    Each is the area (0-1) under the class's probability over the share of cells that were exchanged. Cells of the
    same strength come in random order.
    """
    blurred = np.asarray(cv2.GaussianBlur(pixels, (0, 0), BLUR_SHARE * max(pixels.shape)), np.uint8)
    strongest_first = np.lexsort((rng.random(cells.size), -cells.ravel())).reshape(cells.shape)
    any_order = rng.permutation(cells.size).reshape(cells.shape)
    whole, nothing = predictor.predict(np.stack([pixels, blurred])).probabilities[:, class_id].tolist()
    scores = {}
    for name, order in (("", strongest_first), ("_random", any_order)):
        lost = _between(predictor, pixels, blurred, order)[:, class_id]
        won = _between(predictor, blurred, pixels, order)[:, class_id]
        scores[f"deletion{name}"] = float(np.trapezoid([whole, *lost, nothing], dx=1 / STEPS))
        scores[f"insertion{name}"] = float(np.trapezoid([nothing, *won, whole], dx=1 / STEPS))
    scores["deletion_gain"] = scores["deletion_random"] - scores["deletion"]
    scores["insertion_gain"] = scores["insertion"] - scores["insertion_random"]
    return scores


def _between(
    predictor: Predictor, before: NDArray[np.uint8], after: NDArray[np.uint8], order: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Probabilities (STEPS - 1, classes) on the way as `before` turns into `after`, cell by cell.

    order: (rows, columns), the flat indices of the cells, first to last.
    """
    rank = np.empty(order.size, np.float32)
    rank[order.ravel()] = np.arange(order.size)
    height_px, width_px = before.shape[:2]
    rank_px = cv2.resize(rank.reshape(order.shape), (width_px, height_px), interpolation=cv2.INTER_NEAREST)
    exchanged = [(rank_px < order.size * step / STEPS)[..., None] for step in range(1, STEPS)]
    return predictor.predict(np.stack([np.where(e, after, before) for e in exchanged])).probabilities


def lesion_mask(task: ImageTask, sample: Sample) -> NDArray[np.bool_] | None:
    """The lesions of a picture as the model sees it, (height_px, width_px); None where none is outlined.

    The outline's picture comes to the model's size as the picture does. What looks at what a picture shows, as some
    geometries and the search for a frame do, would cut an outline elsewhere, so there is none there.
    """
    if task.input.cut_to_content or load_image(picture_bytes(sample), task.input).surround:
        return None
    whole = [decode_image(path.read_bytes(), task.input, whole=True).rgb for path in mask_files(sample)]
    outlines = [place(outline, task.input)[0][..., 0] for outline in whole]
    mask = np.any([outline >= MASK_LEVEL for outline in outlines], axis=0) if outlines else np.zeros(0, bool)
    return mask if mask.any() else None


def mask_scores(cells: NDArray[np.float32], mask: NDArray[np.bool_]) -> dict[str, float]:
    """How a map (rows, columns), not all zero, lies on the lesions of its picture, mask (H, W).

    The share of the map's sum inside, the lesions' share of the area, which an even map would have inside, and
    whether the middle of the strongest cell is inside (1 or 0).
    """
    rows, columns = cells.shape
    share = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    row, column = np.unravel_index(int(cells.argmax()), cells.shape)
    hit = mask[int((row + 0.5) * mask.shape[0] / rows), int((column + 0.5) * mask.shape[1] / columns)]
    mass, area = float((cells * share).sum() / cells.sum()), float(mask.mean())
    return {
        "mass_inside_mask": mass,
        "mask_area": area,
        "mass_gain": mass - area,
        "pointing_game": float(hit),
        "pointing_gain": float(hit) - area,
    }


def _figures(scores: Sequence[Mapping[str, float]], samples: Sequence[Sample]) -> dict[str, Interval]:
    """Mean of each score with its interval over the samples' groups."""
    groups = np.array([s.group for s in samples])
    figures = {}
    for name in scores[0]:
        values = np.array([row[name] for row in scores])
        figures[name] = resampled(groups, lambda rows, v=values: float(v[rows].mean()))  # type: ignore[misc]
    return figures
