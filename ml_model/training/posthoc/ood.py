"""How far from the training pictures is too far: fitted on validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from ml_model.inference.bundle import OodLimits
from ml_model.inference.ood import OodDetector, of_length_one

Array = NDArray[np.floating]
COMPONENTS = 64
WARN_SHARE, REFUSE_SHARE = 0.02, 0.005  # of the validation pictures that lie further out


def fit_ood_detector(train: Array, validation: Array, seed: int) -> tuple[OodDetector, OodLimits]:
    """From embeddings (N, D) of training and validation pictures as they are served."""
    scaled = of_length_one(train)
    analysis = PCA(min(COMPONENTS, len(scaled) - 1, scaled.shape[1] // 2), random_state=seed).fit(scaled)
    # What is written, in half the bytes, is what the limits are for.
    familiarity = OodDetector(analysis.mean_.astype(np.float16), analysis.components_.T.astype(np.float16))
    distances = familiarity.distances(validation)
    warn_from, refuse_from = np.quantile(distances, (1 - WARN_SHARE, 1 - REFUSE_SHARE))
    # Room for the tail that so few validation pictures cannot show.
    refuse_from = max(refuse_from, warn_from) * 1.1
    rule = (
        f"warned of beyond {1 - WARN_SHARE:.3f} of the validation pictures, refused beyond {1 - REFUSE_SHARE:.3f} "
        "of them and a tenth more"
    )
    return familiarity, OodLimits(warn_from=float(warn_from), refuse_from=float(refuse_from), rule=rule)
