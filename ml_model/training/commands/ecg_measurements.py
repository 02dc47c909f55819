"""How the measurements of an ECG agree with what cardiologists stated of the same recordings.

    python -m ml_model.training.commands.ecg_measurements --ptb-xl ml_model/Dataset/ptb-xl [--ludb DIR] [--into FILE]

Prints shares with 95 % intervals by patient, of folds 9 and 10, and of LUDB whole. No interval was marked in either, so
what is held against them are statements: of rhythm, blocks and axis. Prints the table, or writes it between the marks
of a page.
"""

from __future__ import annotations

import argparse
import ast
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ml_model.diagnosis.measured import MeasuredEcg, measured_ecg
from ml_model.ecg.electrodes import Exchange, with_limbs_exchanged
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.measurements import measure
from ml_model.ecg.recording import read_wfdb
from ml_model.tasks.measurement_schema import Sex
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.evaluation.intervals import proportion, resampled

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
TEST_FOLDS = (9, 10)
EXCHANGES: tuple[Exchange, ...] = ("arms", "right arm and leg")


@dataclass(frozen=True)
class Stated:
    """One recording: what was stated of it, and what is measured."""

    statements: frozenset[str]
    group: str
    recording: EcgRecording
    measured: MeasuredEcg

    def value(self, code: str) -> float:
        """NaN where it could not be measured."""
        found = next(one.measurement.value for one in self.measured.judged if one.spec.code == code)
        return np.nan if found is None else found

    def flagged(self, code: str) -> bool:
        return any(finding.code == code for finding in self.measured.findings)


def read_ptb_xl(task: ImageTask, root: Path) -> Iterator[Stated]:
    """The recordings of the test folds that are there."""
    with (root / "ptbxl_database.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            header = root / f"{row['filename_lr']}.hea"
            if int(row["strat_fold"]) not in TEST_FOLDS or not header.is_file():
                continue
            sex: Sex = "female" if row["sex"] == "1" else "male"
            stated: dict[str, float] = ast.literal_eval(row["scp_codes"])
            sure = {"NORM100"} if stated.get("NORM") == 100 else set()
            yield _stated(
                task,
                header,
                frozenset({*stated, row.get("heart_axis", "")} | sure),
                row["patient_id"],
                float(row["age"] or "nan"),
                sex,
            )


def read_ludb(task: ImageTask, root: Path) -> Iterator[Stated]:
    """The recordings of LUDB with their statements, split at the bars, as phrases."""
    with (root / "split.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            phrases = frozenset(phrase.strip() for phrase in row["statements"].split("|"))
            yield _stated(task, root / f"{row['file']}.hea", phrases, row["group"], None, None)


def _stated(
    task: ImageTask, header: Path, statements: frozenset[str], group: str, age_years: float | None, sex: Sex | None
) -> Stated:
    recording = read_wfdb(header)
    measured = measured_ecg(task.measurements, recording, age_years, sex, page=False)
    return Stated(statements, group, recording, measured)


def share(what: str, rows: Sequence[Stated], hit: Callable[[Stated], bool]) -> str:
    """A line of the table: how many rows are hits, with the interval."""
    groups = np.array([row.group for row in rows])
    found = proportion(np.array([hit(row) for row in rows], np.bool_), groups)
    return f"| {what} | {len(rows)} | {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) |"


def median(what: str, rows: Sequence[Stated], code: str) -> str:
    """The same of the median of a figure."""
    measured = [row for row in rows if np.isfinite(row.value(code))]
    if not measured:
        return f"| {what} | 0 | not measured |"
    values = np.array([row.value(code) for row in measured])
    found = resampled(np.array([row.group for row in measured]), lambda at: float(np.median(values[at])))
    return f"| {what} | {len(measured)} | {found.value:.0f} ({found.low:.0f} to {found.high:.0f}) |"


def of_ptb_xl(rows: Sequence[Stated]) -> Iterator[str]:
    """The lines for PTB-XL."""

    def of(*codes: str) -> list[Stated]:
        return [row for row in rows if row.statements & {*codes}]

    normal = of("NORM100")
    yield share("atrial fibrillation (AFIB): flagged irregular", of("AFIB"), lambda r: r.flagged("irregular_rhythm"))
    yield share("atrial fibrillation: no steady P wave", of("AFIB"), lambda r: r.flagged("no_p_waves"))
    yield share("sinus rhythm (SR): flagged irregular", of("SR"), lambda r: r.flagged("irregular_rhythm"))
    yield share("sinus rhythm: no steady P wave", of("SR"), lambda r: r.flagged("no_p_waves"))
    yield share("sinus tachycardia (STACH): rate above 99", of("STACH"), lambda r: r.value("heart_rate") > 99)
    yield share("sinus bradycardia (SBRAD): rate below 61", of("SBRAD"), lambda r: r.value("heart_rate") < 61)
    yield share("first-degree AV block (1AVB): long PR", of("1AVB"), lambda r: r.flagged("long_pr"))
    yield share("normal (NORM): long PR", normal, lambda r: r.flagged("long_pr"))
    yield share("complete bundle branch block: wide QRS", of("CLBBB", "CRBBB"), lambda r: r.flagged("wide_qrs"))
    yield share("normal: wide QRS", normal, lambda r: r.flagged("wide_qrs"))
    yield share("normal: long QTc", normal, lambda r: r.flagged("long_qtc"))
    yield share("left axis (LAD, ALAD): below 0", of("LAD", "ALAD"), lambda r: r.value("axis") < 0)
    yield share("right axis (RAD, ARAD): above 80", of("RAD", "ARAD"), lambda r: r.value("axis") > 80)
    for code in ("pr", "qrs", "qt", "qtc_fridericia"):
        yield median(f"normal: median {code}, ms", normal, code)


def of_ludb(rows: Sequence[Stated]) -> Iterator[str]:
    """The lines for LUDB, which chose nothing."""

    def of(phrase: str) -> list[Stated]:
        return [row for row in rows if any(phrase in one for one in row.statements)]

    yield share("LUDB, atrial fibrillation: flagged irregular", of("atrial fibrillation"),
                lambda r: r.flagged("irregular_rhythm"))  # fmt: skip
    yield share("LUDB, sinus rhythm: flagged irregular", of("rhythm: sinus rhythm"),
                lambda r: r.flagged("irregular_rhythm"))  # fmt: skip
    yield share("LUDB, sinus bradycardia: rate below 61", of("sinus bradycardia"), lambda r: r.value("heart_rate") < 61)
    yield share("LUDB, left axis deviation: below 0", of("left axis deviation"), lambda r: r.value("axis") < 0)
    yield share("LUDB, axis called normal: -30 to 90", of("axis of the heart: normal"),
                lambda r: -30 <= r.value("axis") <= 90)  # fmt: skip


def of_exchanges(name: str, rows: Sequence[Stated]) -> Iterator[str]:
    """Electrodes exchanged in the file: found and named, and what is said of the recordings as they are."""
    yield share(f"{name}: as recorded, called exchanged", rows, lambda r: r.measured.exchanged is not None)
    yield share(f"{name}: as recorded, put right", rows, lambda r: r.measured.put_right)
    for exchange in EXCHANGES:
        told = {id(r): measure(with_limbs_exchanged(r.recording, exchange)).exchanged for r in rows}
        found = {row for row, one in told.items() if one}
        named = {row for row, one in told.items() if one and one.exchange == exchange}
        yield share(f"{name}: {exchange} exchanged, found", rows, partial(_among, found))
        yield share(f"{name}: {exchange} exchanged, found by name", rows, partial(_among, named))


def _among(found: set[int], row: Stated) -> bool:
    return id(row) in found


def main(arguments: Sequence[str]) -> int:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptb-xl", type=Path, required=True, help="the folder of PTB-XL")
    parser.add_argument("--ludb", type=Path, help="the folder of LUDB with split.csv")
    parser.add_argument("--into", type=Path, help=f"a page with a line {BEGIN} and a line {END}")
    chosen, task = parser.parse_args(arguments), load_task("heart")
    if not isinstance(task, ImageTask):
        raise TypeError("heart is no task of pictures")
    ptb_xl = list(read_ptb_xl(task, chosen.ptb_xl))
    lines = ["| what | n | figure |", "|---|---|---|", *of_ptb_xl(ptb_xl), *of_exchanges("PTB-XL", ptb_xl)]
    if chosen.ludb:
        ludb = list(read_ludb(task, chosen.ludb))
        lines += [*of_ludb(ludb), *of_exchanges("LUDB", ludb)]
    if chosen.into:
        chosen.into.write_text(with_table(chosen.into.read_text("utf-8"), lines), encoding="utf-8")
    else:
        print(*lines, sep="\n")
    return 0


def with_table(page: str, lines: Sequence[str]) -> str:
    """The page with other lines between its marks."""
    before, rest = page.split(f"{BEGIN}\n", 1)
    return "\n".join((f"{before}{BEGIN}", *lines, f"{END}{rest.split(END, 1)[1]}"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
