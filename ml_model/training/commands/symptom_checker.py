"""Fits what the symptom checker leaves open on clinical vignettes, measures it, and writes both into the bundle.

    python -m ml_model.training.commands.symptom_checker --vignettes DATA/vignettes/vignettes_dev.jsonl

The knowledge itself (`ml_model/tasks/conditions`, `vocabulary`, `red_flags`) is not fitted. Run it again after each
change of the knowledge: a bundle that was fitted to other knowledge is not served. Takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle, write_bundle
from ml_model.inference.measured_tabular import CheckerMetrics, SymptomMetrics
from ml_model.inference.publishing import fresh_draft, publish
from ml_model.symptoms.checker import Decisions, SymptomChecker
from ml_model.symptoms.engine import CHECKER_FILE, shipped_knowledge
from ml_model.symptoms.inference import Fit
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import SymptomTask, load_tasks
from ml_model.training.commands.command_line import command_parser, run_command
from ml_model.training.reports.card import add_card
from ml_model.training.reports.symptom_card import symptom_card
from ml_model.training.symptoms import checker_measure as measure
from ml_model.training.symptoms.checker_decisions import choose_decisions, set_figures
from ml_model.training.symptoms.checker_fit import cross_validated, fold_of, score
from ml_model.training.symptoms.vignettes import load_vignettes

ROUNDS, QUESTIONS = 3, (3, 5)


def fit_and_measure(bundle: Bundle, vignettes: Path, triage: Path) -> tuple[dict[str, object], CheckerMetrics]:
    """What is stored in CHECKER_FILE, and the figures."""
    knowledge, cases = shipped_knowledge(), load_vignettes(vignettes)
    labels = measure.triage_labels(triage, cases)
    diagnoses = [v.diagnosis for v in cases]
    folds, plain = fold_of(diagnoses), SymptomChecker(knowledge, Fit(), Decisions())
    whole, complaint = (measure.told_of(plain, cases, folds, whole=all_of_it) for all_of_it in (True, False))
    chosen = cross_validated(knowledge, whole, Fit(), ROUNDS)
    decided = choose_decisions(knowledge, whole, chosen, labels)
    checker = SymptomChecker(knowledge, chosen.fit, decided.decisions)
    asked = {
        str(n): measure.ranking_figures(
            [measure.asked_back(checker, c, w, n)[0] for c, w in zip(complaint, whole, strict=True)]
        )
        for n in QUESTIONS
    }
    table = SymptomModel.load(bundle)
    coverage, size, abstained = set_figures(decided)
    metrics = CheckerMetrics(
        vignettes=len(cases),
        diagnoses=len({d.lower() for d in diagnoses}),
        conditions=len(knowledge.conditions),
        findings=len(knowledge.vocabulary.findings),
        unknown=tuple(sorted({d for d, one in zip(diagnoses, whole, strict=True) if not one.truth})),
        unchosen=measure.ranking_figures(score(plain.network, whole).place.tolist()),
        whole_text=measure.ranking_figures(chosen.apart.place.tolist()),
        complaint=measure.ranking_figures(score(checker.network, complaint).place.tolist()),
        after_questions=asked,
        table=measure.ranking_figures([measure.place_in_table(table, checker, one) for one in whole]),
        triage=measure.triage_figures(decided.levels, labels),
        set_coverage=coverage,
        set_size=size,
        abstained=abstained,
    )
    stored: dict[str, object] = {
        "knowledge_sha256": knowledge.sha256,
        "fit": asdict(chosen.fit),
        "decisions": asdict(decided.decisions),
    }
    return stored, metrics


def write(task: SymptomTask, bundle: Bundle, stored: dict[str, object], metrics: CheckerMetrics) -> None:
    """The bundle anew, with the checker."""
    draft, old = fresh_draft(bundle.path), bundle.manifest
    assert isinstance(old.metrics, SymptomMetrics)  # noqa: S101 - of a symptom task  # nosec B101
    names = [name for name in old.files if name not in (CHECKER_FILE, "card.md")]
    for name in names:
        shutil.copy2(bundle.file(name), draft / name)
    (draft / CHECKER_FILE).write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    fields = {name: getattr(old, name) for name in type(old).model_fields if name not in ("files", "format_version")}
    fields["metrics"] = old.metrics.model_copy(update={"checker": metrics})
    made = write_bundle(draft, fields, [*names, CHECKER_FILE])
    add_card(made, symptom_card(task, made.manifest))
    publish(draft, bundle.path)


def run(options: argparse.Namespace) -> int:
    """Fit, measure and write. Raises OSError, ValueError or BundleInvalid where something does not do."""
    task = next(task for task in load_tasks() if isinstance(task, SymptomTask))
    bundle = load_bundle(options.out, task=task.id, contract_sha256=task.contract_sha256)
    stored, metrics = fit_and_measure(bundle, options.vignettes, options.triage)
    write(task, bundle, stored, metrics)
    found = metrics.whole_text
    print(f"first {found.first.value:.3f}, in five {found.in_five.value:.3f}; bundle: {options.out}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line of what is wrong."""
    parser = command_parser(__doc__ or "", "--out")
    parser.set_defaults(out=MODELS_DIR / "disease")  # the bundle that is there, with a checker
    parser.add_argument("--vignettes", type=Path, required=True, help="JSON lines, as docs/symptoms.md describes them")
    parser.add_argument("--triage", type=Path, default=measure.TRIAGE_LABELS, help="how soon each should be seen")
    return run_command(run, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
