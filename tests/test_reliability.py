"""Every row of docs/reliability.md names the tests that prove it, and they are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from samples import ROOT

NUMBERED = 15


def rows() -> list[list[str]]:
    """Cells of every row of the document's tables, without the heads."""
    lines = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "#"]


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}


def test_every_fault_of_the_list_has_a_row_of_six_cells() -> None:
    assert {row[0] for row in rows()} == {"", *map(str, range(1, NUMBERED + 1))}
    assert {len(row) for row in rows()} == {6}
    assert all(cell for row in rows() for cell in row[1:])


def test_every_row_names_tests_that_are_there() -> None:
    lacking = {}
    for row in rows():
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[-1])
        missing = [f"{p}::{t}" for p, t in named if not (ROOT / p).is_file() or t not in functions(ROOT / p)]
        if missing or not named:
            lacking[row[1]] = missing
    assert lacking == {}
