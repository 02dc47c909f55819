"""What can be told without the subject: a model of the frame of the picture alone, to hold a network's figure against.

Lines, letters, arms and collimation differ between machines and wards, and so may the share of the ill.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_model.inference.measured import FrameFigures, Part
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import label_space, target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.evaluator import SUBGROUP_DRAWS, subgroup_rows
from ml_model.training.evaluation.metrics import Scored, bootstrap, called, macro_auc

CELLS, FRAME_CELLS = 32, 3  # the frame: the outer 3 of 32 cells on each side, 34 % of the picture
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)  # inverse; chosen by folds of the training groups
FOLDS = 5
SPLITS = ("train", "test")


def frame_features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, values): levels 0-255 of the cells along the borders of pictures (N, H, W, 3)."""
    ring = np.ones((CELLS, CELLS), bool)
    ring[FRAME_CELLS:-FRAME_CELLS, FRAME_CELLS:-FRAME_CELLS] = False
    small = (cv2.resize(p, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for p in pixels)
    return np.stack([s[ring].ravel() for s in small]).astype(np.float32)


def frame_only(task: ImageTask, samples: Sequence[Sample], pixels: NDArray[np.uint8]) -> dict[str, FrameFigures]:
    """Macro AUC on the test split of a linear model of the frame, trained on each source's own training pictures.

    By source, and by view where that is known. pixels: (N, H, W, 3) in the order of `samples`.
    """
    features, figures = frame_features(pixels), {}
    for source in sorted({s.source for s in samples}):
        space = label_space(task, source)
        rows = {split: [i for i, s in enumerate(samples) if (s.source, s.split) == (source, split)] for split in SPLITS}
        masks = {split: target_masks([samples[i] for i in r], task.codes) for split, r in rows.items()}
        truth = {split: mask @ space.projection > 0 for split, mask in masks.items()}
        if not all(t.any(axis=0).all() for t in truth.values()):
            continue  # a small trial run may lack a class
        p = _answers(features, rows, truth["train"].argmax(axis=1), [samples[i].group for i in rows["train"]])
        test = [samples[i] for i in rows["test"]]
        scored = Scored(truth["test"], called(p, multi_label=False), p, np.array([s.group for s in test]))
        for part, chosen in subgroup_rows(test).items():
            if part.attribute is None:
                figures[part.title] = _figure(part, scored.rows(chosen))
    return figures


def _answers(
    features: NDArray[np.float32], rows: dict[str, list[int]], labels: NDArray[np.int64], groups: list[str]
) -> NDArray[np.float64]:
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(labels, labels, groups))
    model = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=PENALTIES,
            cv=folds,
            class_weight="balanced",
            max_iter=1000,
            l1_ratios=(0,),
            scoring="neg_log_loss",
            use_legacy_attributes=False,
        ),
    )
    model.fit(features[rows["train"]], labels)
    p: NDArray[np.float64] = model.predict_proba(features[rows["test"]])
    return p


def _figure(part: Part, scored: Scored) -> FrameFigures:
    auc = bootstrap(scored, macro_auc, draws=SUBGROUP_DRAWS)
    return FrameFigures(**dict(part), count=len(scored.truth), macro_auc=auc)
