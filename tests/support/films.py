"""A drawn chest film."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def chest_film(seed: int = 0) -> NDArray[np.uint8]:
    """uint8 RGB (240, 240, 3): lungs dark, spine and belly light, the heart on the right side of the picture."""
    rng = np.random.default_rng(seed)
    grey = np.full((240, 240), 120, np.uint8)
    cv2.rectangle(grey, (0, 0), (240, 40), (60,), cv2.FILLED)
    cv2.rectangle(grey, (90, 0), (150, 60), (150,), cv2.FILLED)
    cv2.rectangle(grey, (0, 195), (240, 240), (200,), cv2.FILLED)
    for x in (70, 170):
        cv2.ellipse(grey, (x, 115), (42, 85), 0, 0, 360, (40,), cv2.FILLED)
    cv2.rectangle(grey, (108, 20), (132, 200), (190,), cv2.FILLED)
    cv2.ellipse(grey, (143, 155), (38, 42), 20, 0, 360, (190,), cv2.FILLED)
    for y in range(45, 190, 18):
        cv2.line(grey, (25, y + 12), (100, y), (95,), 3)
        cv2.line(grey, (215, y + 12), (140, y), (95,), 3)
    soft = cv2.GaussianBlur(grey, (0, 0), 2)
    return np.repeat(np.clip(soft + rng.normal(0, 2, soft.shape), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
