"""Whether the electrodes of the limbs were exchanged: the chest leads say what leads I and II should look like.

Both constants below were fitted on the typical beats of PTB-XL's folds 1 to 8, as recorded and with the leads exchanged
in the file; `python -m ml_model.training.commands.ecg_measurements` counts what they find in folds 9 and 10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.beats import BEFORE_S, RATE_HZ
from ml_model.ecg.leads import EcgRecording

Array = NDArray[np.float64]
Exchange = Literal["arms", "right arm and leg"]
Misplaced = Literal["right arm and right leg", "left arm and right leg", "both arms and both legs"]

# Between two legs there is no voltage: which of leads I, II and III is flat tells what took a leg's place. In the
# typical beats of PTB-XL's folds 1 to 8 none is less than 0.11 as high as the highest of the three.
_FLAT_LEADS: tuple[tuple[int, Misplaced], ...] = (
    (0, "both arms and both legs"),
    (1, "right arm and right leg"),
    (2, "left arm and right leg"),
)
_FLAT_BELOW = 0.08
_LEAST_MV = 0.2  # of the highest of the three

# Leads I and II out of V1 to V6, by least squares; rows are V1 to V6.
_OF_CHEST = np.array(
    ((-0.690, -0.067), (0.310, -0.054), (0.050, 0.135), (-0.110, 0.111), (0.012, -0.097), (0.416, 0.586))
)
# Logistic regression: correlation of lead I with what the chest leads say of it, over the beat, the QRS complex and the
# T wave; P wave of lead I, upright to inverted; the same correlation of lead II, over the beat and the T wave.
_WEIGHTS: dict[Exchange, tuple[tuple[float, ...], float]] = {
    "arms": ((-3.1, -1.0, -1.5, -1.4, -1.1, -0.5), 1.0),
    "right arm and leg": ((-0.7, -0.5, -0.4, -1.9, -4.4, -1.9), 1.3),
}
_TOLD_FROM: dict[Exchange, float] = {"arms": 1.0, "right arm and leg": 2.0}
_LEG_BEFORE_ARMS = 1.0  # of score: either exchange turns some beats so that both seem to have been made
_CERTAIN_FROM = 5.0  # none of 2,090 recordings as they are reaches 4
# Which limb lead stands where, and its sign, to put it right; each exchange undoes itself.
_UNDONE: dict[Exchange, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "arms": ((0, 2, 1, 4, 3, 5), (-1, 1, 1, 1, 1, 1)),
    "right arm and leg": ((2, 1, 0, 5, 4, 3), (-1, -1, -1, 1, 1, 1)),
}
_STEP = RATE_HZ // 100
_WINDOW = slice(int((BEFORE_S - 0.25) * 100), int((BEFORE_S + 0.40) * 100))  # of a beat at 100 Hz
_P, _QRS, _T = slice(1, 17), slice(13, 31), slice(31, None)  # of the window
_P_SCALE_MV = 0.08


@dataclass(frozen=True)
class ExchangedLeads:
    """score: log-odds; of electrodes told by a flat lead none. certain: so sure that the leads may be put right."""

    exchange: Exchange | Misplaced
    score: float = 0.0

    @property
    def certain(self) -> bool:
        return self.exchange == "arms" and self.score >= _CERTAIN_FROM


def exchanged_leads(beat: Array) -> ExchangedLeads | None:
    """What was exchanged, by a typical beat (time, 12) at RATE_HZ; None where nothing was, or a lead is missing."""
    part = beat[::_STEP][_WINDOW]
    if not np.isfinite(part).all() or not part[:, 6:].any():
        return None
    if flat := _by_flat_lead(part):
        return flat
    one, two = part[:, 0], part[:, 1]
    told_one, told_two = (part[:, 6:] @ _OF_CHEST).T
    p = one[_P] - np.median(one[_P])
    features = (
        _match(one, told_one), _match(one[_QRS], told_one[_QRS]), _match(one[_T], told_one[_T]),
        float(np.tanh(p[np.abs(p).argmax()] / _P_SCALE_MV)), _match(two, told_two), _match(two[_T], told_two[_T]),
    )  # fmt: skip
    scores = {name: float(np.dot(weights, features) + bias) for name, (weights, bias) in _WEIGHTS.items()}
    best: Exchange = "right arm and leg"
    if scores[best] < scores["arms"] + _LEG_BEFORE_ARMS:
        best = "arms"
    return ExchangedLeads(best, scores[best]) if scores[best] >= _TOLD_FROM[best] else None


def _by_flat_lead(part: Array) -> ExchangedLeads | None:
    """A leg's electrode on an arm: one of leads I to III is flat, though the three agree with each other."""
    limbs = part[:, :3]
    heights = np.ptp(limbs, axis=0)
    highest = heights.max()
    if highest < _LEAST_MV or np.ptp(limbs @ (1, -1, 1)) > _FLAT_BELOW * highest:
        return None
    return next((ExchangedLeads(name) for lead, name in _FLAT_LEADS if heights[lead] < _FLAT_BELOW * highest), None)


def _match(seen: Array, told: Array) -> float:
    """Cosine of the angle between two signals around 0 mV, -1 to 1."""
    return float((seen @ told) / np.sqrt((seen @ seen) * (told @ told) + 1e-12))


def with_limbs_exchanged(recording: EcgRecording, exchange: Exchange) -> EcgRecording:
    """The recording as it would be with two electrodes exchanged; exchanged twice it is itself."""
    order, sign = _UNDONE[exchange]
    signal_mv = recording.signal_mv.copy()
    signal_mv[:, :6] = recording.signal_mv[:, order] * np.array(sign, np.float32)
    return replace(recording, signal_mv=signal_mv)
