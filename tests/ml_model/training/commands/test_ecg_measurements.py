"""The command that holds measurements of PTB-XL against its statements."""

from __future__ import annotations

from pathlib import Path

import pytest
from beats import write_ptb_xl
from samples import ROOT

from ml_model.ecg import beats, measurements, waves
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.commands.ecg_measurements import main, read_ptb_xl
from ml_model.training.reports.ecg_comparisons import of_pages
from ml_model.training.reports.kept_figures import BEGIN, END, kept_beside, with_table


def test_the_table_of_the_test_folds_is_written_between_the_marks(tmp_path: Path) -> None:
    root, page = write_ptb_xl(tmp_path, records=50), tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    assert main(["--ptb-xl", str(root), "--into", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n| what | n | figure |\n")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "old" not in text
    rows = {row.split(" | ")[0][2:]: row.split(" | ")[1:] for row in text.splitlines() if row.startswith("| ")}
    # Of 50 recordings, five in a fold and each of those with another statement, ten are in folds 9 and 10.
    assert rows["normal (NORM): long PR"][0] == "2"
    assert rows["normal: wide QRS"][1].startswith("0.000 (0.000 to ")
    assert rows["PTB-XL: as recorded, called exchanged"][0] == "10"
    assert rows["atrial fibrillation (AFIB): flagged irregular"] == ["0", "not measured |"]
    assert with_table(f"{BEGIN}\n{END}", kept_beside(page)) in text


def test_the_page_shows_the_figures_that_the_command_kept_and_all_of_them(tmp_path: Path) -> None:
    page = ROOT / "docs" / "ecg.md"
    text, kept = page.read_text(encoding="utf-8"), kept_beside(page)
    assert with_table(text, kept) == text
    root, other = write_ptb_xl(tmp_path, records=10), tmp_path / "page.md"
    other.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    main(["--ptb-xl", str(root), "--into", str(other)])
    own = [figure.what for figure in kept_beside(other)]
    assert own == [
        figure.what
        for figure in kept
        if not figure.what.startswith(("LUDB", "pages")) and "neurokit2" not in figure.what
    ]


def test_the_page_states_the_constants_of_the_code() -> None:
    text = " ".join((ROOT / "docs" / "ecg.md").read_text(encoding="utf-8").split())
    task = load_task("heart")
    assert isinstance(task, ImageTask)
    rate = next(spec for spec in task.measurements if spec.code == "heart_rate").above
    assert rate is not None
    assert rate.graver is not None
    for stated in (
        f"at {beats.RATE_HZ} Hz without what is above 40 Hz",
        f"correlation of the QRS complexes from {beats._ALIKE_FROM}",
        f"crosses {100 * waves._QRS_SHARE:g} % of its highest value",
        f"when it is {measurements._LEAST_P_MV:g} mV high",
        f"begins at least {1000 * measurements._LEAST_PR_S:g} ms before the QRS complex",
        f"is that {1000 * measurements._ST_AFTER_J_S:g} ms behind the QRS complex",
        f"a rate above {rate.graver.beyond:g}.",
    ):
        assert stated in text


def test_pages_are_drawn_framed_turned_and_read_back(tmp_path: Path) -> None:
    task = load_task("heart")
    assert isinstance(task, ImageTask)
    rows = list(read_ptb_xl(task, write_ptb_xl(tmp_path, records=50)))[:1]
    figures = {figure.what: figure.value for figure in of_pages("these", rows)}
    assert figures["pages of these: read as signal"] == 1
    assert figures["pages of these: read as signal in a frame of 7 px"] == 1
    assert figures["pages of these: on its side, read as signal and turned the right way"] == 1
    assert figures["pages of these: upright, turned all the same"] == 0


def test_a_page_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not enough values"):
        main(["--ptb-xl", str(write_ptb_xl(tmp_path)), "--into", str(page)])
    assert page.read_text(encoding="utf-8") == "no marks\n"
