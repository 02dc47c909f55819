"""The command that measures what becomes of pictures that are not what they seem."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

from pictures import chest_film
from PIL import Image
from samples import ROOT, image_task, write_tiny

from ml_model.inference.bundle import MODELS_DIR
from ml_model.input_gate import alterations
from ml_model.input_gate.modality_classifier import BUNDLE_ID
from ml_model.inputs import film_pose
from ml_model.tasks.registry import load_image_tasks
from ml_model.training.commands.altered_pictures import main
from ml_model.training.data.splits import SPLITS
from ml_model.training.reports.kept_figures import BEGIN, END, Figure, kept_beside, with_table, write

PAGE = ROOT / "docs" / "pictures.md"


def write_films(root: Path) -> None:
    """A data set of drawn films, one of each label in each split."""
    rows = ["file,label,group,split"]
    for number, (split, label) in enumerate(product(SPLITS, ("NORMAL", "PNEUMONIA"))):
        name = f"{split}/{label}/IM-{number:04d}.png"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chest_film(number)).save(root / name)
        rows.append(f"{name},{label},{number},{split}")
    (root / "split.csv").write_text("\n".join(rows), encoding="utf-8")


def test_figures_are_written_between_the_marks_and_are_those_of_the_page(tmp_path: Path) -> None:
    write_films(tmp_path / "data" / "chest_xray")
    write_tiny(image_task("xray"), tmp_path / "models")
    shutil.copytree(MODELS_DIR / BUNDLE_ID, tmp_path / "models" / BUNDLE_ID)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    before = [Figure(f"{task}: told before", 3, 1.0, 0.5, 1.0, 3) for task in ("xray", "skin")]
    write(before, page)
    options = ["--data", str(tmp_path / "data"), "--models", str(tmp_path / "models"), "--task", "xray"]
    assert main([*options, "--into", str(page)]) == 0
    kept = kept_beside(page)
    assert page.read_text(encoding="utf-8") == "before\n" + with_table(f"{BEGIN}\n{END}\nafter\n", kept)
    assert kept.pop(0) == before[1], "of a task that was not measured"
    assert [figure.what for figure in kept] == [
        figure.what for figure in kept_beside(PAGE) if figure.what.startswith("xray: ")
    ]
    value = {figure.what.removeprefix("xray: "): figure.value for figure in kept}
    assert {figure.n for figure in kept} == {2}
    for told in (
        "grey frames of 1 to 40 %, the same or told",
        "photographs of a screen, dark_room, called so",
        "noise of 12 levels by colour, told",
        "turned by 90 degrees, refused",
        "turned by 180 degrees, refused",
        "inverted, refused",  # the gate knows no drawn film for one
        "mirrored, told",
    ):
        assert value[told] == 1, told
    assert value["inverted, put right"] == 0, "none that is refused counts"
    for false_alarm in ("framed or photographed", "noisy", "turned or inverted", "mirrored"):
        assert value[f"as it is, called {false_alarm}"] == 0


def test_the_page_shows_the_figures_that_the_command_kept_of_every_task() -> None:
    text, kept = PAGE.read_text(encoding="utf-8"), kept_beside(PAGE)
    assert with_table(text, kept) == text
    measured = {figure.what.split(":")[0] for figure in kept}
    assert measured == {task.id for task in load_image_tasks() if not task.signal}


def test_the_page_states_the_constants_of_the_code() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for stated in (
        f"a share of {film_pose.CERTAIN_FROM:g} of the evidence".replace("0.", "."),
        f"| the same, with {film_pose.MIRRORED_FROM:g} |".replace("0.", "."),
        f"from {alterations.UNFIT_NOISE_LEVELS:g} levels on a reason to abstain",
    ):
        assert stated in text
