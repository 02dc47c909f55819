"""What a known age adds to the answers: learnt from the ages and labels of training, weighed on validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from ml_model.inference.bundle import AgeEffect
from ml_model.inference.calibration import with_age
from ml_model.training.data.labels import target_masks
from ml_model.training.data.samples import Sample, ages_years
from ml_model.training.posthoc.calibration import clearly_better, negative_log_likelihoods

RANGE_PERCENTILES = (1, 99)  # of the training ages; few are beyond, too few to say anything of them
MIN_WEIGHT = 0.05


def fit_age_effect(
    codes: Sequence[str], train: Sequence[Sample], validated: Sequence[Sample], probabilities: NDArray[np.float32]
) -> AgeEffect | None:
    """From the training samples' ages and the calibrated answers to the validation samples, (N, classes).

    How much likelier an age makes each class follows from a logistic regression on training, without any picture.
    Pictures may show the age themselves, so only that share of it counts, up to the whole, which makes the answers on
    validation likeliest; None where that is not clearly better than leaving the age out, or too few ages are known.
    """
    ages, masks = ages_years(train), target_masks(train, codes)
    usable = np.isfinite(ages) & (masks.sum(axis=1) == 1)
    if not masks[usable].any(axis=0).all():
        return None
    whole = _whole_effect(ages[usable], masks[usable].argmax(axis=1))
    asked, truth = ages_years(validated), target_masks(validated, codes)

    def losses(share: float) -> NDArray[np.float64]:
        return negative_log_likelihoods(with_age(probabilities, asked, _share_of(whole, share)), truth)

    share = float(minimize_scalar(lambda x: losses(x).mean(), bounds=(0, 1), method="bounded").x)
    clear = clearly_better(losses(share), losses(0), [s.group for s in validated])
    return _share_of(whole, share) if clear and share > MIN_WEIGHT else None


def _whole_effect(ages: NDArray[np.float64], labels: NDArray[np.int64]) -> AgeEffect:
    """log P(class | age) - log P(class), a line for each class but for what all of them share."""
    youngest, oldest = (float(round(x)) for x in np.percentile(ages, RANGE_PERCENTILES))
    reference = float(round(np.median(ages)))
    decades = (np.clip(ages, youngest, oldest) - reference) / 10
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(decades[:, None], labels)
    slope, intercept = fitted.coef_[:, 0], fitted.intercept_
    if len(slope) == 1:  # of two classes only the second one's is given
        slope, intercept = np.array([0, slope[0]]), np.array([0, intercept[0]])
    added = intercept - np.log(np.bincount(labels) / len(labels))
    return AgeEffect(
        reference_years=reference,
        youngest_years=youngest,
        oldest_years=oldest,
        at_reference=tuple(added - added.mean()),
        per_decade=tuple(slope - slope.mean()),
    )


def _share_of(whole: AgeEffect, share: float) -> AgeEffect:
    scaled = {n: tuple(round(share * v, 5) for v in getattr(whole, n)) for n in ("at_reference", "per_decade")}
    return whole.model_copy(update=scaled)
