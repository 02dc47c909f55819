"""The page of a site: figures of the served runtime beside those at home, and operating points that would fit."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from made_tasks import sets, thresholds
from numpy.typing import NDArray
from PIL import Image
from predictions import fixed, predicted
from samples import image_task, measured_test, tiny_probabilities, write_tiny

from ml_model.audit import main
from ml_model.diagnosis.case import InputCheck
from ml_model.inference.bundle import load_bundle
from ml_model.inference.interval import Interval
from ml_model.inference.local.settings import read_local_settings, with_local_points
from ml_model.inference.measured import ImageMetrics
from ml_model.input_gate.image_quality import Quality
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.metrics import auc
from ml_model.training.posthoc.calibration import by_group_folds
from ml_model.training.posthoc.findings import finding_thresholds
from ml_model.training.site.command import LOCAL_FILE, offer
from ml_model.training.site.figures import PointsMeasured, SiteEvaluation
from ml_model.training.site.operating_points import points_measured
from ml_model.training.site.served import Served

CODE = "suspicious_lesion"
MALIGNANT, BENIGN = ("birads_4", "birads_5", "birads_6"), ("birads_2", "birads_3")


def breast() -> ImageTask:
    return image_task("breast")


def six(score: float) -> list[float]:
    """Probabilities of the six categories with so much for the malignant ones."""
    return [0, 1 - score, 0, score, 0, 0]


def points(there: NDArray[np.bool_], scores: NDArray[np.float64], *, rule_out: float | None = 0.05) -> PointsMeasured:
    """Of cases of a patient each, at the served thresholds `rule_out` and 0.5."""
    samples = [
        Sample(Path("x"), "s", "", MALIGNANT if ill else BENIGN, f"p{n}", "external") for n, ill in enumerate(there)
    ]
    raw = predicted([six(float(score)) for score in scores])
    check = InputCheck("breast_ultrasound", Quality(0, 0, 0, 0, 0, 0))
    served = Served(samples, raw, [check] * len(samples), {}, gated=False)
    evaluator = fixed(breast(), raw, findings={CODE: thresholds(rule_out, 0.5)})
    return points_measured(evaluator, served)[""]


def noisy(ill: int, well: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rng, there = np.random.default_rng(3), np.array([True] * ill + [False] * well)
    return there, np.clip(rng.normal(np.where(there, 0.6, 0.4), 0.15), 0.01, 0.99)


def test_points_are_those_of_the_recipes_and_measured_on_cases_they_have_not_seen() -> None:
    there, scores = noisy(60, 60)
    found = points(there, scores)
    samples = [Sample(Path("x"), "s", "", MALIGNANT if i else BENIGN, f"p{n}", "e") for n, i in enumerate(there)]
    told = np.array([six(float(s)) for s in scores], np.float32)
    assert found.points[CODE].chosen == finding_thresholds(breast(), samples, told, 0.9)[CODE]
    kept, called = np.zeros(120, bool), np.zeros(120, bool)
    for others, own in by_group_folds([s.group for s in samples]):
        limits = finding_thresholds(breast(), [samples[i] for i in others], told[others], 0.9)[CODE]
        assert limits.rule_out_below is not None
        kept[own], called[own] = told[own, 3] >= limits.rule_out_below, told[own, 3] >= limits.rule_in_from
    assert found.crossed is not None
    crossed, served = found.crossed.findings[CODE], found.as_served.findings[CODE]
    assert crossed.sensitivity is not None
    assert crossed.sensitivity.value == pytest.approx(kept[there].mean(), abs=1e-4)
    assert crossed.suspected.value == pytest.approx(called[there].mean(), abs=1e-4)  # type: ignore[union-attr]
    assert crossed.specificity.value == pytest.approx((~called[~there]).mean(), abs=1e-4)  # type: ignore[union-attr]
    assert served.suspected.value == pytest.approx((scores[there] >= 0.5).mean(), abs=1e-4)  # type: ignore[union-attr]
    assert crossed.sensitivity != served.sensitivity


def test_a_finding_that_the_bundle_never_rules_out_is_not_ruled_out_here_either() -> None:
    found = points(*noisy(60, 60), rule_out=None)
    chosen = found.points[CODE].chosen
    assert chosen is not None
    assert (chosen.rule_out_below, chosen.never_ruled_out) == (None, "too few")
    assert found.crossed is not None
    assert found.crossed.findings[CODE].sensitivity.value == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ill", "well", "said"),
    [
        (24, 60, "too few cases: 24 with it and 60 without any finding; 25 of each are needed"),
        (60, 20, "too few cases: 60 with it and 20 without any finding; 25 of each are needed"),
    ],
)
def test_of_too_few_cases_nothing_is_offered(ill: int, well: int, said: str) -> None:
    found = points(*noisy(ill, well))
    assert (found.points[CODE].chosen, found.points[CODE].why_not, found.crossed) == (None, said, None)


def test_cases_of_too_few_patients_are_too_few() -> None:
    there, scores = noisy(40, 40)
    samples = [
        Sample(Path("x"), "s", "", MALIGNANT if i else BENIGN, f"p{n % 20}" if i else f"p{n}", "external")
        for n, i in enumerate(there)
    ]
    raw = predicted([six(float(score)) for score in scores])
    served = Served(samples, raw, [], {}, gated=False)
    point = points_measured(fixed(breast(), raw, findings={CODE: thresholds(0.05, 0.5)}), served)[""].points[CODE]
    assert point.why_not is not None
    assert "in four fifths of them 16 groups (patients) are with it; 19 are needed to promise 95 %" in point.why_not


def interval(value: float) -> Interval:
    return Interval(value=value, low=value - 0.01, high=value + 0.01)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.bool_], NDArray[np.float64]]:
    """A folder of grey pictures, a tiny model, and each picture's label and score."""
    root = tmp_path_factory.mktemp("site")
    task, levels = breast(), list(range(20, 240, 4))
    write_tiny(
        task, root / "models", findings={CODE: thresholds(0.02, 0.3)}, prediction_sets=sets(task), evidence="limited",
        metrics=ImageMetrics(test=measured_test(count=93, groups=80, macro_auc=interval(0.97))),
    )  # fmt: skip
    scores = np.array([tiny_probabilities(task, np.full((4, 4, 3), v, np.uint8))[3:].sum() for v in levels])
    there = np.argsort(np.argsort(scores)) % 3 > 0  # unrelated to the score, nearly
    for n, level in enumerate(levels):
        path = root / "cases" / ("Malignant" if there[n] else "benign") / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (level,) * 3).save(path)
    rows = [
        f"{'Malignant' if ill else 'benign'}/{n}.png,{'Malignant' if ill else 'benign'},p{n}"
        for n, ill in enumerate(there)
    ]
    (root / "cases" / "broken.png").write_bytes(b"no picture")
    (root / "cases" / "split.csv").write_text("\n".join(["file,label,group", *rows, "broken.png,benign,p999"]) + "\n")
    return root, there, scores


def test_one_command_writes_the_page_and_its_figures(
    site: tuple[Path, NDArray[np.bool_], NDArray[np.float64]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, there, scores = site
    into = root / "page.md"
    command = ["--evaluate", str(root / "cases"), "--task", "breast", "--models", str(root / "models")]
    assert main([*command, "--into", str(into)]) == 0, capsys.readouterr().err
    told = json.loads(into.with_suffix(".json").read_text(encoding="utf-8"))
    assert (told["here"]["count"], told["here"]["groups"], told["here"]["labels"]) == (55, 55, ["benign", "malignant"])
    assert told["labels"]["malignant"]["cases"] == there.sum() == 36
    assert told["labels"]["malignant"]["told"] == pytest.approx(scores.mean(), abs=2e-3)
    assert not told["here"]["judged"]  # 19 benign ones
    found = told["here"]["findings"][CODE]
    assert found["auc"]["value"] == pytest.approx(auc(there, scores), abs=1e-3)
    assert found["suspected"]["value"] == pytest.approx((scores[there] >= 0.3).mean(), abs=1e-3)
    assert 1 - found["sensitivity"]["value"] == pytest.approx((scores[there] < 0.02).mean(), abs=1e-3)
    assert told["home"]["macro_auc"]["value"] == 0.97
    assert list(told["unread"].values()) == [1]
    page = into.read_text(encoding="utf-8")
    assert "**Too small to judge**: 19 cases of the rarest label, 25 of each are needed." in page
    assert "0.970 (0.960-0.980) at home" in page
    missed = int((scores[there] < 0.02).sum())
    assert missed == 10
    assert f" open and {missed} ruled out; of those without it" in page
    assert "**More are ruled out than the target of 95 % kept allows**, beyond chance." in page
    assert "1 files could not be read (" in page
    assert "none: too few cases: 36 with it and 19 without any finding; 25 of each are needed" in page
    assert str(root) not in page


def test_the_operating_points_are_written_for_the_model_that_was_measured(
    site: tuple[Path, NDArray[np.bool_], NDArray[np.float64]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, there, _ = site
    folders = ["Malignant" if ill else "benign" for ill in there]
    rows = [f"{folder}/{n}.png,{('benign', 'malignant')[n % 2]},p{n}" for n, folder in enumerate(folders)]
    (root / "cases" / "split.csv").write_text("\n".join(["file,label,group", *rows]) + "\n", encoding="utf-8")
    into, file = root / "again.md", root / "local.json"
    command = ["--evaluate", str(root / "cases"), "--task", "breast", "--models", str(root / "models")]
    assert main([*command, "--into", str(into), "--write", str(file), "--by", "Ward 3"]) == 0, capsys.readouterr().err
    told = SiteEvaluation.model_validate_json(into.with_suffix(".json").read_bytes())
    point = told.points[""].points[CODE]
    assert point.chosen is not None
    written = read_local_settings(file).points["breast"]
    own = written.findings[""][CODE]
    assert (own.rule_out_below, own.rule_in_from) == (point.chosen.rule_out_below, point.chosen.rule_in_from)
    assert (written.made_by, written.data, written.cases, written.groups) == ("Ward 3", "cases", 55, 55)
    bundle = load_bundle(root / "models" / "breast", task="breast", contract_sha256=breast().contract_sha256)
    held = with_local_points(bundle, written).manifest.findings[CODE]
    assert held.rule_in_from == own.rule_in_from != bundle.manifest.findings[CODE].rule_in_from
    assert f"SHA-256 {written.sha256}" in capsys.readouterr().out
    monkeypatch.chdir(root)
    check_asking(told, file, capsys, monkeypatch)


def check_asking(
    told: SiteEvaluation, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written where nobody is there, where it is refused, or where there is nothing to be written."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # which is no terminal
    offer(told, None, None)
    assert "not written; give --write FILE" in capsys.readouterr().out
    for answer, there_now in (("no", False), ("", False), ("y", True)):
        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
        offer(told, None, "Ward 3")
        assert LOCAL_FILE.is_file() == there_now
    assert LOCAL_FILE.read_bytes() == file.read_bytes()
    offer(told.model_copy(update={"points": {}}), Path("nothing.json"), None)
    assert "none can be chosen on these cases" in capsys.readouterr().out
    assert not Path("nothing.json").exists()


class Terminal(io.StringIO):
    """Somebody who can be asked."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "breast"], "give one folder"),
        (["--evaluate", "."], "--evaluate: which model? give --task"),
    ],
)
def test_a_command_that_lacks_something_is_told_what(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "brest"], "no task file brest.toml; known tasks: brain-mri, breast"),
        (["--task", "heart-risk"], "only tasks of pictures and recordings are evaluated"),
        (["--task", "breast", "--into", "page.json"], "names the page; its figures are written beside it"),
        (["--task", "breast", "--into", "no/page.md"], "there is no folder no"),
    ],
)
def test_what_cannot_be_evaluated_is_said(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--evaluate", str(tmp_path), *arguments]) == 2
    assert said in capsys.readouterr().err
