"""Sets of other places: where they are found, what is measured on them, and what they do to the evidence."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_tasks import thresholds
from PIL import Image
from predictions import fixed, predicted
from samples import image_task

from ml_model.inference.bundle import MODELS_DIR, Manifest, write_bundle
from ml_model.inference.interval import Interval
from ml_model.inference.measured import External
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.readers import DatasetNotFound, read_external
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.external import external_figures
from ml_model.training.job import Job
from ml_model.training.pipeline import add_metrics
from ml_model.training.recipe import Phase, Recipe
from ml_model.training.reports.source_sections import external_section

BUS = "BUS breast ultrasound"


def breast() -> ImageTask:
    return image_task("breast")


def of_label(label: str, count: int) -> list[Sample]:
    codes = {d.name: d.labels for d in breast().external}[BUS][label]
    return [Sample(Path("x"), BUS, label, codes, f"{label}{n}", "external") for n in range(count)]


def six(benign: float, malignant: float) -> list[float]:
    """Probabilities of the six categories: of normal what is left over."""
    return [max(0, 1 - benign - malignant), benign, 0, malignant, 0, 0]


def test_a_set_is_measured_in_its_own_labels_and_judges_from_25_cases_of_each() -> None:
    samples = [*of_label("benign", 30), *of_label("malignant", 25)]
    answers = [six(0.9, 0.1)] * 20 + [six(0.2, 0.6)] * 10 + [six(0.3, 0.5)] * 20 + [six(0.1, 0.05)] * 5
    evaluator = fixed(breast(), predicted(answers), findings={"suspicious_lesion": thresholds(0.08, 0.3)})
    figures = external_figures(evaluator, samples)[BUS]
    assert (figures.count, figures.groups, figures.labels) == (55, 55, ("benign", "malignant"))
    assert figures.judged
    assert figures.accuracy.value == pytest.approx((20 + 20) / 55, abs=1e-4)  # five malignant ones are called normal
    told = (20 * 20 + 0 * 10) / 30 / 25  # of .5 the 20 benign ones of .1 lie below
    assert figures.macro_auc is not None
    found = figures.findings["suspicious_lesion"]
    assert found.auc.value == pytest.approx(told, abs=1e-4)
    assert found.suspected is not None
    assert (found.suspected.value, found.sensitivity.value) == (pytest.approx(0.8), pytest.approx(0.8))
    assert found.specificity.value == pytest.approx(20 / 30, abs=1e-4)
    few = external_figures(fixed(breast(), predicted(answers[1:])), samples[1:])[BUS]
    assert few.judged
    fewer = external_figures(fixed(breast(), predicted(answers[:-1])), samples[:-1])[BUS]
    assert not fewer.judged
    assert external_figures(fixed(breast(), predicted([])), []) == {}


def test_sets_are_found_below_external_and_hold_nothing_to_train_on(tmp_path: Path) -> None:
    assert read_external(tmp_path, breast()) == []
    folder = tmp_path / "external" / "breast_ultrasound_bus"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "a.png")
    (folder / "split.csv").write_text("file,label,group,split\na.png,malignant,p1,external\n")
    (found,) = read_external(tmp_path, breast())
    assert (found.path, found.source, found.split) == (folder / "a.png", BUS, "external")
    assert found.codes == ("birads_4", "birads_5", "birads_6")
    assert read_external(tmp_path / "external", breast()) == [found]
    (folder / "split.csv").write_text("file,label,group,split\na.png,malignant,p1,train\n")
    with pytest.raises(DatasetNotFound, match=r"a.png has the split 'train', not 'external'"):
        read_external(tmp_path, breast())


def test_recordings_of_several_labels_are_found_by_their_headers_and_those_of_none_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "external" / "ecg_ludb" / "records100"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}.hea").write_text("x")
    rows = "records100/a,STTC|HYP,a,external,rhythm\nrecords100/b,,b,external,rhythm\n"
    (folder.parent / "split.csv").write_text(f"file,label,group,split,statements\n{rows}")
    (found,) = read_external(tmp_path, image_task("heart"))
    assert (found.path, found.label, found.codes) == (folder / "a.hea", "STTC+HYP", ("sttc", "hyp"))
    (folder.parent / "split.csv").write_text("file,label,group,split\nrecords100/a,STTC|AF,a,external\n")
    with pytest.raises(DatasetNotFound, match=r"label 'STTC\|AF' is not one of LUDB's"):
        read_external(tmp_path, image_task("heart"))


def measured(low: float, judged: bool = True) -> External:
    interval = Interval(value=0.9, low=low, high=0.95)
    return External(count=60, accuracy=interval, macro_auc=interval, groups=60, labels=("a", "b"), judged=judged)


@pytest.mark.parametrize(
    ("low", "judged", "evidence"), [(0.86, True, "limited"), (0.5, True, "insufficient"), (0.5, False, "limited")]
)
def test_the_evidence_is_the_worse_of_home_and_abroad(tmp_path: Path, low: float, judged: bool, evidence: str) -> None:
    shipped = MODELS_DIR / "histopathology"
    for name in ("manifest.json", "model.onnx", "familiarity.npz", "card.md"):
        shutil.copy(shipped / name, tmp_path)
    given = Manifest.model_validate_json((shipped / "manifest.json").read_bytes())
    fields = given.model_dump(mode="json", exclude={"files", "format_version"})
    write_bundle(tmp_path, {**fields, "metrics": given.metrics, "evidence": "limited"}, ["model.onnx"])
    recipe = Recipe(task="histopathology", phases=(Phase("all", 1, 32, 1e-3),))
    job = Job(image_task("histopathology"), recipe, [], np.zeros((0, 8, 8, 3), np.uint8), tmp_path)
    add_metrics(job, external={"elsewhere": measured(low, judged)})
    added = Manifest.model_validate_json((tmp_path / "manifest.json").read_bytes())
    assert added.evidence == evidence
    assert added.image_metrics.external == {"elsewhere": measured(low, judged)}
    assert "| elsewhere | 60 | 60 | 0.900 (" in (tmp_path / "card.md").read_text(encoding="utf-8")


def test_the_card_says_where_a_model_was_not_measured_abroad() -> None:
    assert external_section(None) == ""
    assert external_section({}).endswith("\nNot measured abroad.")
    few = external_section({"elsewhere": measured(0.8, judged=False)})
    assert "| elsewhere | 60 | 60 | 0.900 (0.800-0.950) | not measured | 0.900 (0.800-0.950) | too few cases" in few
