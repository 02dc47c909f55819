"""The weights that tell how a chest film lies are fitted to films that lie upright."""

from __future__ import annotations

from pathlib import Path

from pictures import chest_film
from PIL import Image
from samples import image_task

from ml_model.inputs.film_pose import cells_of, in_all_poses
from ml_model.training.data.samples import Sample
from ml_model.training.input_gate.film_pose import fitted_weights


def test_a_film_fits_the_weights_best_as_it_lies(tmp_path: Path) -> None:
    samples = []
    for seed in range(4):
        path = tmp_path / f"{seed}.png"
        Image.fromarray(chest_film(seed)).save(path)
        samples.append(Sample(path, "drawn", "NORMAL", ("normal",), str(seed), "train"))
    weights = fitted_weights(image_task("xray"), samples)
    scores = (in_all_poses(cells_of(Image.fromarray(chest_film(9)))) * weights / 1000).sum(axis=(1, 2))
    assert scores.argmax() == 0
    assert scores[0] > scores[1:].max() + 3
