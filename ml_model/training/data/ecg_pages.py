"""ECG records as pages for training and measuring: every record gets looks of its own, the same in every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.page_style import random_style
from ml_model.ecg.recording import read_wfdb
from ml_model.training.augmentation.page_photos import photograph
from ml_model.training.data.samples import Sample

FURTHER_LOOKS = 2  # ten would have room
FIRST_FURTHER_LOOK = 10_001


def with_page_styles(samples: Sequence[Sample], per_record: int) -> list[Sample]:
    """Each record for training `per_record` times, every other page photographed; the others once, as drawn.

    Their layout becomes an attribute, so that figures are given for each. Samples that are pictures stay as they are.
    """
    drawn: list[Sample] = []
    for number, sample in enumerate(samples):
        if sample.path.suffix != ".hea":
            drawn.append(sample)
            continue
        copies = per_record if sample.split == "train" else 1
        for copy in range(copies):
            look = 1 + number * per_record + copy
            layout = random_style(np.random.default_rng(look)).layout
            attributes = {**sample.attributes, "layout": layout}
            drawn.append(replace(sample, look=look, photographed=copy % 2 == 1, attributes=attributes))
    return drawn


def in_more_looks(samples: Sequence[Sample]) -> list[Sample]:
    """Each record of these samples as FURTHER_LOOKS pages, as drawn, in looks of their own."""
    return [
        replace(sample, look=FIRST_FURTHER_LOOK + 10 * number + copy, photographed=False)
        for copy in range(FURTHER_LOOKS)
        for number, sample in enumerate(samples)
    ]


def page_of(sample: Sample) -> NDArray[np.uint8]:
    """The page (H, W, 3) RGB of a sample with a look; one without has the usual look."""
    recording = read_wfdb(sample.path)
    if not sample.look:
        return draw_page(recording).pixels
    rng = np.random.default_rng(sample.look)
    page = draw_page(recording, random_style(rng)).pixels
    return photograph(page, rng) if sample.photographed else page
