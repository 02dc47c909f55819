"""95 % intervals that count groups (patients, lesions, vectors): rows of one group are no witnesses of their own; and
how far a figure can be trusted by its interval, in one word that the service shows beside each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from ml_model.inference.interval import Interval

TAILS = (0.025, 0.975)
EVIDENCE = ("insufficient", "limited", "sufficient")


def rounded(value: float, low: float, high: float) -> Interval:
    """An interval as manifests hold it, to four digits."""
    return Interval(value=round(float(value), 4), low=round(float(low), 4), high=round(float(high), 4))


def resampled(
    groups: NDArray[Any], figure: Callable[[NDArray[np.int64]], float], *, draws: int = 500, seed: int = 0
) -> Interval:
    """`figure` of row numbers, with the 2.5 and 97.5 percentiles over resampled groups. groups: (N,), of each row."""
    _, group_of = np.unique(groups, return_inverse=True)
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(np.bincount(group_of))[:-1])
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        chosen = rng.integers(0, len(members), len(members))
        values.append(figure(np.concatenate([members[i] for i in chosen])))
    return rounded(figure(np.arange(len(groups))), *np.nanquantile(values, TAILS))


def proportion(hits: NDArray[np.bool_], groups: NDArray[Any]) -> Interval:
    """Share of the rows (N,) that are hits, 0-1, with its Clopper-Pearson interval at the effective number of rows.

    A bootstrap gives a share of 1 the interval 1 to 1, however few rows there are. Korn EL, Graubard BI. Confidence
    intervals for proportions with small expected number of positive counts estimated from survey data. Survey
    Methodology 1998;24:193-201. All NaN without rows.
    """
    if not len(hits):
        return Interval(value=np.nan, low=np.nan, high=np.nan)
    share, count = float(hits.mean()), effective_count(hits, groups)
    found = share * count
    low = beta.ppf(TAILS[0], found, count - found + 1) if share > 0 else 0.0
    high = beta.ppf(TAILS[1], found + 1, count - found) if share < 1 else 1.0
    return rounded(share, low, high)


def effective_count(hits: NDArray[np.bool_], groups: NDArray[Any]) -> float:
    """How many independent rows would tell the share as surely: share (1 - share) / variance of the clustered mean.

    The variance is that of a ratio of group totals, G / (G - 1) * sum over groups (hits - share * rows)^2 / N^2. At
    most N rows; at least what the groups are worth, N^2 / sum of rows^2, which is their number G where they are equally
    large. That is also what counts for a share of 0 or 1, which shows no variance. Kish L. Survey sampling. 1965.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    rows, total, share = np.bincount(group_of), len(hits), float(hits.mean())
    worth = float(total**2 / (rows**2).sum())
    if len(rows) == 1 or share in (0, 1):
        return worth
    apart = np.bincount(group_of, weights=hits - share)
    variance = len(rows) / (len(rows) - 1) * float((apart**2).sum()) / total**2
    return float(np.clip(share * (1 - share) / variance, worth, total)) if variance else float(total)


def evidence_level(auc_low: float) -> str:
    """From the lower end of the 95 % interval of the test AUC: insufficient < .70 <= limited < .85 <= sufficient."""
    if not auc_low >= 0.70:  # so written that an AUC that could not be measured (NaN) is insufficient
        return "insufficient"
    return "limited" if auc_low < 0.85 else "sufficient"


def weakest(levels: Iterable[str]) -> str:
    """The level that claims least."""
    return min(levels, key=EVIDENCE.index)
