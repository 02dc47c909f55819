"""At which speed a page was printed that does not say it: a heart read at half its speed beats too slowly, with waves
that are too long.

The constants are a logistic regression, fitted on every other recording of PTB-XL's folds 1 to 8 as it is and with its
first five seconds stretched to ten; .995 of them are told (cross-validated).
"""

from __future__ import annotations

import numpy as np

from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.measurements import measure

_WEIGHTS = {"heart_rate": -4.66, "qrs": 6.90, "qt": 11.82}  # of the logarithms of 1/min, ms, ms
_BIAS = -89.4
CERTAIN_FROM = 3.0  # none of those recordings as they are reaches 2.2; the pen of a page adds 1


def stretched(recording: EcgRecording) -> float | None:
    """Log-odds that the recording was read at half its speed; None where its beats cannot be measured."""
    measured = {one.code: one.value for one in measure(recording).measurements if one.lead is None}
    values = [measured[code] for code in _WEIGHTS]
    if None in values:
        return None
    return float(np.dot(list(_WEIGHTS.values()), np.log(np.array(values, np.float64))) + _BIAS)
