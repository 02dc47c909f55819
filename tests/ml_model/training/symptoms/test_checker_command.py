"""The command that fits and measures the checker, on ten made vignettes and a made network, and what it leaves."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from made_knowledge import condition, made_knowledge, made_vocabulary

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle
from ml_model.inference.measured_tabular import CheckerMetrics, SymptomMetrics
from ml_model.symptoms.checker import SymptomChecker, Words
from ml_model.symptoms.engine import CHECKER_FILE, SymptomEngine, read_choices
from ml_model.tasks.registry import load_task
from ml_model.training.commands import symptom_checker as command
from ml_model.training.symptoms import checker_decisions, checker_fit
from ml_model.training.symptoms.checker_measure import TRIAGE_LABELS, triage_labels
from ml_model.training.symptoms.vignettes import Vignette

KNOWLEDGE = made_knowledge(
    made_vocabulary("fever", "rash", "cough", "headache"),
    [
        condition("flu", usual=("fever",), often=("cough",), incidence="very_common"),
        condition("measles", usual=("rash",), often=("fever",), incidence="rare", urgency="emergency"),
        condition("migraine", always=("headache",), incidence="very_common", synonyms=("sick headache",)),
    ],
)
TOLD = {
    "Flu": "Fever and cough", "Measles": "Rash and fever", "Sick headache": "Headache", "Gout": "Fever",
    "flu": "Cough",
}  # fmt: skip


def run(folder: Path, *more: str) -> int:
    files = ["--vignettes", str(folder / "told.jsonl"), "--triage", str(folder / "triage.csv")]
    return command.main([*files, "--out", str(folder / "disease"), *more])


def write_told(folder: Path) -> None:
    names = [*TOLD, *TOLD]
    with (folder / "told.jsonl").open("w", encoding="utf-8") as stream:
        for name in names:
            parts = dict.fromkeys(("absent_findings", "physical_history", "family_history", "social_history"), "-")
            row = {"correct_diagnosis": name, "demographics": "30 year old female", "chief_complaints": TOLD[name]}
            stream.write(json.dumps({**row, "presentation": f"{TOLD[name]} for two days", **parts}) + "\n")
    with (folder / "triage.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["diagnosis", "level"])
        writer.writerows([name, "emergency" if name == "Measles" else "self_care"] for name in names)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundle, fitted anew to the made knowledge."""
    folder = tmp_path_factory.mktemp("fitted")
    shutil.copytree(MODELS_DIR / "disease", folder / "disease")
    write_told(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "shipped_knowledge", lambda: KNOWLEDGE)
        patch.setattr(checker_fit, "GRID", {"prior_power": (0.1, 1.0)})
        patch.setattr(checker_decisions, "MASSES", (0.1, 0.5))
        assert run(folder) == 0
    return folder / "disease"


def opened(path: Path) -> Bundle:
    return load_bundle(path, task="disease", contract_sha256=load_task("disease").contract_sha256)


def checker_figures(bundle: Bundle) -> CheckerMetrics:
    assert isinstance(bundle.manifest.metrics, SymptomMetrics)
    assert bundle.manifest.metrics.checker is not None
    return bundle.manifest.metrics.checker


def test_the_bundle_holds_what_was_chosen_and_is_served_with_its_knowledge(
    fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = opened(fitted)
    monkeypatch.setattr("ml_model.symptoms.engine.knowledge_sha256", lambda folder: KNOWLEDGE.sha256)
    stored = json.loads(bundle.file(CHECKER_FILE).read_text(encoding="utf-8"))
    assert stored["knowledge_sha256"] == KNOWLEDGE.sha256
    assert stored["fit"]["prior_power"] in (0.1, 1.0)
    choices = SymptomEngine.load(bundle).choices
    assert choices == read_choices(stored)
    assert (asdict(choices[0]), asdict(choices[1])) == (stored["fit"], stored["decisions"])
    assert SymptomChecker(KNOWLEDGE, *choices).assess(Words("headache")).ranking[0].condition.id == "migraine"


def test_everything_else_of_the_bundle_stays(fitted: Path) -> None:
    new, old = opened(fitted).manifest, opened(MODELS_DIR / "disease").manifest
    assert {**new.files, "card.md": "", CHECKER_FILE: ""} == {**old.files, "card.md": "", CHECKER_FILE: ""}
    assert isinstance(new.metrics, SymptomMetrics)
    assert isinstance(old.metrics, SymptomMetrics)
    assert new.metrics.model_copy(update={"checker": None}) == old.metrics.model_copy(update={"checker": None})
    assert new.classes == old.classes


def test_figures_are_of_every_vignette_and_the_card_shows_them(fitted: Path) -> None:
    bundle = opened(fitted)
    found = checker_figures(bundle)
    assert (found.vignettes, found.diagnoses, found.conditions, found.findings) == (10, 4, 3, 4)
    assert found.unknown == ("Gout",), "counted as missed"
    assert found.whole_text.in_five.value == 0.8
    assert set(found.after_questions) == {str(n) for n in command.QUESTIONS}
    assert {label: sum(row.values()) for label, row in found.triage.sent.items() if sum(row.values())} == {
        "none": 8, "emergency": 2,
    }  # fmt: skip
    card = bundle.file("card.md").read_text(encoding="utf-8")
    assert "10 vignettes of 4 diagnoses" in " ".join(card.split())
    assert "counted as missed: Gout." in card


def test_a_service_with_other_knowledge_says_to_fit_again(fitted: Path) -> None:
    with pytest.raises(BundleInvalid, match="fit it again"):
        SymptomEngine.load(opened(fitted))


def cut(path: Path) -> None:
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")


def unlabelled(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("self_care", "whenever", 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("triage.csv", cut, "its 9 lines are not of the 10 vignettes"),
        ("triage.csv", unlabelled, "'whenever' is no level"),
        ("told.jsonl", Path.unlink, "No such file"),
        ("told.jsonl", lambda path: path.write_text("{}\n", encoding="utf-8"), "line 1 is no vignette"),
    ],
)
def test_what_does_not_fit_ends_in_one_line_and_leaves_the_bundle(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    damage: Callable[[Path], object],
    says: str,
) -> None:
    shutil.copytree(MODELS_DIR / "disease", tmp_path / "disease")
    write_told(tmp_path)
    damage(tmp_path / name)
    before = opened(tmp_path / "disease").sha256
    assert run(tmp_path) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert opened(tmp_path / "disease").sha256 == before


def test_the_labels_of_the_dev_half_are_levels() -> None:
    with TRIAGE_LABELS.open(encoding="utf-8", newline="") as stream:
        names = [row["diagnosis"] for row in csv.DictReader(stream)]
    assert len(triage_labels(TRIAGE_LABELS, [Vignette(name, "", "") for name in names])) == 184
    with pytest.raises(ValueError, match="are not of the 184 vignettes"):
        triage_labels(TRIAGE_LABELS, [Vignette(name, "", "") for name in reversed(names)])
