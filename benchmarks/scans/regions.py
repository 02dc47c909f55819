"""How well the region of interest of POST /process-image lies on the lesions that were outlined by hand (masks of
BUSI), by Dice, the 95 % Hausdorff distance (of the longer side) and the pointing game: is the map's peak in it.

    python benchmarks/scans/regions.py ml_model/Dataset --split val

Beside it: the map alone from half its peak, and GrabCut begun from the map.
"""

from __future__ import annotations

import argparse
import csv
import glob
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from backend.services.rendering.heatmaps import Heatmap, explaining_view, heatmap_of
from backend.services.scans import region_of_interest as interest
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import Predictor
from ml_model.tasks.registry import ImageTask, load_task

Mask = NDArray[np.bool_]
DRAWN, RESAMPLES = 21, 2000


def lesions(root: Path, split: str) -> Iterator[tuple[NDArray[np.uint8], Mask, Heatmap]]:
    """Picture, lesion and map of the class that is named, of each picture that has a lesion."""
    task = load_task("breast")
    assert isinstance(task, ImageTask)
    bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
    engines = Engines(pictures=Predictor(bundle))
    with (root / "breast_ultrasound" / "split.csv").open(encoding="utf-8", newline="") as rows:
        chosen = [row for row in csv.DictReader(rows) if row["split"] == split and row["label"] != "normal"]
    for row in chosen:
        file = root / row["file"]
        result = diagnose(task, Case(pictures=(file.read_bytes(),), gate="off"), engines)
        class_id = result.decision.diagnosis.class_id
        view = explaining_view(result, class_id)
        assert view is not None
        rgb = np.asarray(Image.open(file).convert("RGB"))
        masks = [
            Image.open(one).convert("L").resize(rgb.shape[1::-1])
            for one in glob.glob(f"{glob.escape(str(file.with_suffix('')))}_mask*")
        ]
        yield rgb, np.any([np.asarray(one) > 127 for one in masks], axis=0), heatmap_of(view, class_id, "")


def grabcut(rgb: NDArray[np.uint8], strength: NDArray[np.float32]) -> Mask:
    """Begun with what the map says."""
    marks = np.full(strength.shape, cv2.GC_PR_BGD, np.uint8)
    for least, mark in ((0.6, cv2.GC_PR_FGD), (0.8, cv2.GC_FGD)):
        marks[strength >= least] = mark
    marks[strength < 0.25] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    empty = (np.zeros((1, 65)), np.zeros((1, 65)))
    cv2.grabCut(cv2.GaussianBlur(rgb, (0, 0), 2), marks, None, *empty, 3, cv2.GC_INIT_WITH_MASK)
    return np.asarray(interest._tidy((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), strength))


def dice(one: Mask, other: Mask) -> float:
    """0-1; 0 where one of them is empty."""
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def hausdorff_95(one: Mask, other: Mask) -> float:
    """Between the outlines, as a share of the longer side; 1 where one of them is empty."""
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (one, other)]
    if not all(edge.any() for edge in edges):
        return 1.0
    far = [ndimage.distance_transform_edt(~a)[b] for a, b in (edges, edges[::-1])]
    return float(np.percentile(np.concatenate(far), 95)) / max(one.shape)


def interval(values: list[float]) -> str:
    """Mean with its 95 % bootstrap interval."""
    drawn = np.random.default_rng(DRAWN).choice(values, (RESAMPLES, len(values))).mean(axis=1)
    return f"{np.mean(values):.3f} ({np.percentile(drawn, 2.5):.3f}-{np.percentile(drawn, 97.5):.3f})"


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="val", choices=("val", "test"))
    args = parser.parse_args()
    ways: dict[str, list[tuple[float, float]]] = {"map alone": [], "levels within the map": [], "GrabCut": []}
    pointing = []
    for rgb, lesion, heatmap in lesions(args.data, args.split):
        strength = interest.map_over(heatmap, rgb.shape[1::-1])
        region = interest.region_of(rgb, heatmap)
        nothing = np.zeros_like(lesion)
        found = (strength >= 0.5, region.mask if region else nothing, grabcut(rgb, strength))
        for way, mask in zip(ways, found, strict=True):
            ways[way].append((dice(mask, lesion), hausdorff_95(mask, lesion)))
        pointing.append(float(lesion[np.unravel_index(int(strength.argmax()), lesion.shape)]))
    print(f"BUSI, {args.split}, {len(pointing)} pictures with a lesion; pointing game {interval(pointing)}")
    print("| way | Dice | 95 % Hausdorff distance, of the longer side |")
    print("|---|---|---|")
    for way, figures in ways.items():
        print(f"| {way} | {' | '.join(interval(list(column)) for column in zip(*figures, strict=True))} |")


if __name__ == "__main__":
    main()
