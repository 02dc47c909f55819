"""How the measurements of an ECG agree with what cardiologists stated of the same recordings.

    python -m ml_model.training.commands.ecg_measurements --ptb-xl ml_model/Dataset/ptb-xl [--ludb DIR] [--into FILE]
        [--neurokit2] [--pages 60]

Shares with 95 % intervals by patient, of folds 9 and 10 and of LUDB whole. No interval was marked in either, so what is
held against them are statements: of rhythm, blocks and axis; with --neurokit2 the intervals of that library, which is
installed for it (pip install neurokit2). With --pages that many recordings are drawn as pages and read back. Prints the
table, or writes it between the marks of a page and, as JSON, beside it.
"""

from __future__ import annotations

import argparse
import ast
import csv
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ml_model.diagnosis.measured import measured_ecg
from ml_model.ecg.electrodes import Exchange, with_limbs_exchanged
from ml_model.ecg.measurements import measure
from ml_model.ecg.recording import read_wfdb
from ml_model.tasks.measurement_schema import Sex
from ml_model.tasks.registry import ImageTask, load_task
from ml_model.training.reports.ecg_comparisons import Stated, median, of_neurokit2, of_pages, share
from ml_model.training.reports.kept_figures import BEGIN, END, HEAD, Figure, with_table, write

TEST_FOLDS = (9, 10)
EXCHANGES: tuple[Exchange, ...] = ("arms", "right arm and leg")


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


def of_ptb_xl(rows: Sequence[Stated]) -> Iterator[Figure]:
    """The lines for PTB-XL."""

    def of(*codes: str) -> list[Stated]:
        return [row for row in rows if row.statements & {*codes}]

    def without(*codes: str) -> list[Stated]:
        return [row for row in rows if not row.statements & {*codes}]

    normal = of("NORM100")
    others = without("AFIB", "AFLT")
    steady = without("AFIB", "AFLT", "PVC", "PAC", "SVARR")
    yield share(
        "atrial fibrillation or flutter: suspected", of("AFIB", "AFLT"), lambda r: r.flagged("atrial_fibrillation")
    )
    yield share("atrial fibrillation alone: suspected", of("AFIB"), lambda r: r.flagged("atrial_fibrillation"))
    yield share("neither: fibrillation suspected", others, lambda r: r.flagged("atrial_fibrillation"))
    yield share("premature beats (PVC, PAC): found", of("PVC", "PAC", "SVARR"), lambda r: r.flagged("premature_beats"))
    yield share("no premature beats, fibrillation or flutter: found", steady, lambda r: r.flagged("premature_beats"))
    yield share("premature beats of the ventricles (PVC): found", of("PVC"), lambda r: r.flagged("ventricular_beats"))
    yield share("without PVC: ventricular beats found", without("PVC"), lambda r: r.flagged("ventricular_beats"))
    yield share("atrial fibrillation (AFIB): flagged irregular", of("AFIB"), lambda r: r.flagged("irregular_rhythm"))
    yield share("atrial fibrillation: no steady P wave", of("AFIB"), lambda r: r.flagged("no_p_waves"))
    yield share("sinus rhythm (SR): flagged irregular", of("SR"), lambda r: r.flagged("irregular_rhythm"))
    yield share("sinus rhythm: no steady P wave", of("SR"), lambda r: r.flagged("no_p_waves"))
    for name, code in (("atrial fibrillation", "AFIB"), ("atrial flutter (AFLT)", "AFLT"), ("sinus rhythm", "SR")):
        yield share(f"{name}: a finding lowers the claim", of(code), lambda r: r.lowers_claim)
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


def of_ludb(rows: Sequence[Stated]) -> Iterator[Figure]:
    """The lines for LUDB, which chose nothing."""

    def of(*phrases: str) -> list[Stated]:
        return [row for row in rows if any(phrase in one for one in row.statements for phrase in phrases)]

    yield share("LUDB, atrial fibrillation or flutter: suspected", of("atrial fibrillation", "atrial flutter"),
                lambda r: r.flagged("atrial_fibrillation"))  # fmt: skip
    yield share("LUDB, a sinus rhythm of any kind: fibrillation suspected", of("rhythm: sinus"),
                lambda r: r.flagged("atrial_fibrillation"))  # fmt: skip
    yield share("LUDB, atrial fibrillation: flagged irregular", of("atrial fibrillation"),
                lambda r: r.flagged("irregular_rhythm"))  # fmt: skip
    yield share("LUDB, sinus rhythm: flagged irregular", of("rhythm: sinus rhythm"),
                lambda r: r.flagged("irregular_rhythm"))  # fmt: skip
    yield share("LUDB, sinus bradycardia: rate below 61", of("sinus bradycardia"), lambda r: r.value("heart_rate") < 61)
    yield share("LUDB, left axis deviation: below 0", of("left axis deviation"), lambda r: r.value("axis") < 0)
    yield share("LUDB, axis called normal: -30 to 90", of("axis of the heart: normal"),
                lambda r: -30 <= r.value("axis") <= 90)  # fmt: skip


def of_exchanges(name: str, rows: Sequence[Stated]) -> Iterator[Figure]:
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
    parser.add_argument("--neurokit2", action="store_true", help="also compare every fourth recording with neurokit2")
    parser.add_argument("--pages", type=int, default=0, help="how many recordings are also drawn as pages")
    chosen, task = parser.parse_args(arguments), load_task("heart")
    if not isinstance(task, ImageTask):
        raise TypeError("heart is no task of pictures")
    if chosen.into:
        with_table(chosen.into.read_text("utf-8"), ())  # raises before hours of work
    ptb_xl = list(read_ptb_xl(task, chosen.ptb_xl))
    ludb = list(read_ludb(task, chosen.ludb)) if chosen.ludb else []
    figures = [*of_ptb_xl(ptb_xl), *of_exchanges("PTB-XL", ptb_xl)]
    if ludb:
        figures += [*of_ludb(ludb), *of_exchanges("LUDB", ludb)]
    if chosen.neurokit2:
        figures += of_neurokit2("PTB-XL", ptb_xl[::4])
        figures += of_neurokit2("LUDB", ludb) if ludb else ()
    if chosen.pages:
        figures += of_pages("PTB-XL", ptb_xl[:: max(1, len(ptb_xl) // chosen.pages)][: chosen.pages])
    if chosen.into:
        write(figures, chosen.into)
    else:
        print(*HEAD, *figures, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
