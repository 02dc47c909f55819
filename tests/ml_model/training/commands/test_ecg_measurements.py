"""The command that holds measurements of PTB-XL against its statements."""

from __future__ import annotations

from pathlib import Path

import pytest
from beats import write_ptb_xl

from ml_model.training.commands.ecg_measurements import BEGIN, END, main


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
    assert rows["atrial fibrillation (AFIB): flagged irregular"][1] == "nan (nan to nan) |"


def test_a_page_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not enough values"):
        main(["--ptb-xl", str(write_ptb_xl(tmp_path)), "--into", str(page)])
    assert page.read_text(encoding="utf-8") == "no marks\n"
