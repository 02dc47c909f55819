"""Pictures of other kinds before a model alone: which of them its measure of familiarity refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from samples import image_task, measured_test, write_tiny

from ml_model.inference.bundle import load_bundle, write_bundle
from ml_model.inference.measured import ImageMetrics, Refused
from ml_model.inference.ood import OOD_FILE, OodDetector
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.modality_classifier import OTHER
from ml_model.tasks.registry import ImageTask
from ml_model.training.commands.ood_evaluation import refused_by_distance, some_of_each_kind
from ml_model.training.data.samples import Sample
from ml_model.training.reports.uncertainty_section import trust_sections

COLOURS = {"reddish": (150, 90, 60), "bluish": (40, 60, 150), "too small": (150, 90, 60)}


def skin() -> ImageTask:
    return image_task("skin")


def pictures(folder: Path, kind: str, count: int, side: int = 224) -> list[Sample]:
    found = []
    for number in range(count):
        path = folder / f"{kind}-{number}.png"
        Image.new("RGB", (side, side), COLOURS[kind]).save(path)
        found.append(Sample(path, kind, OTHER, (OTHER,), path.stem, "test"))
    return found


def test_a_share_of_every_other_kind_is_refused(tmp_path: Path) -> None:
    """The tiny model's embedding is the mean colour, and it knows reddish pictures; its own kind is not counted."""
    task = skin()
    bundle = write_tiny(task, tmp_path)
    known = np.array(COLOURS["reddish"], np.float64)
    OodDetector(known / np.linalg.norm(known), np.zeros((3, 1))).write(bundle.path / OOD_FILE)
    fields = bundle.manifest.model_dump(mode="json", exclude={"files", "format_version"})
    fields["familiarity"] = {"warn_from": 0.1, "refuse_from": 0.2, "rule": "beyond nearly all"}
    write_bundle(bundle.path, fields, ["model.onnx", OOD_FILE])
    predictor = Predictor(load_bundle(bundle.path, task=task.id, contract_sha256=task.contract_sha256))
    red, blue = pictures(tmp_path, "reddish", 3), pictures(tmp_path, "bluish", 1)
    kinds = {task.input.modality: blue, "mixed": red + blue, "reddish": red}
    small = {"too small": pictures(tmp_path, "too small", 2, side=task.input.min_side_px - 1)}
    refused = refused_by_distance(task, predictor, kinds | small)
    assert refused == {"mixed": Refused(count=4, refused=0.25), "reddish": Refused(count=3, refused=0.0)}
    metrics = ImageMetrics(test=measured_test(familiarity={"own_refused": 0.0}), strangers=refused)
    card = trust_sections(task, predictor.bundle.manifest.model_copy(update={"metrics": metrics}))
    assert "| mixed | 4 | 0.250 |" in card


def test_some_test_pictures_of_each_kind_are_taken() -> None:
    def sample(kind: str, source: str, split: str, number: int) -> Sample:
        return Sample(Path(f"{source}{number}"), source, kind, (kind,), str(number), split)

    samples = [sample("dermatoscopy", s, split, i) for s in "ab" for split in ("train", "test") for i in range(9)]
    samples += [sample(OTHER, s, "test", i) for s in ("photographs", "drawn: noise") for i in range(3)]
    found = some_of_each_kind(samples, most=5)
    assert {kind: len(own) for kind, own in found.items()} == {"dermatoscopy": 5, "drawn: noise": 3, "photographs": 3}
    assert {s.split for own in found.values() for s in own} == {"test"}
    assert {s.source for s in found["dermatoscopy"]} == {"a", "b"}
