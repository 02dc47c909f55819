"""Trains, measures and writes the bundle of a symptom task."""

from __future__ import annotations

import json
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ml_model.inference.bundle import Bundle, file_sha256, load_bundle, write_bundle
from ml_model.inference.measured import TrainingCost
from ml_model.inference.measured_tabular import Matching, SymptomMetrics, SymptomTest
from ml_model.inference.publishing import fresh_draft, publish
from ml_model.tabular.symptom_matcher import SymptomMatcher, Vocabulary, family_heads
from ml_model.tabular.symptom_model import ARRAYS_FILE, DISEASES_FILE, VOCABULARY_FILE, NaiveBayes
from ml_model.tasks.registry import SymptomTask
from ml_model.training.evaluation.intervals import evidence_level
from ml_model.training.manifest_fields import origin
from ml_model.training.reports.card import add_card
from ml_model.training.reports.symptom_card import symptom_card
from ml_model.training.symptoms.data import (
    SymptomTable,
    read_descriptions,
    read_symptom_table,
    read_synonyms,
    split_symptom_table,
)
from ml_model.training.symptoms.fit import (
    FLOOR,
    Lists,
    calibrate,
    choose_smoothing,
    count_rows,
    evaluate,
    figures,
    fit,
    lists_of,
    probabilities,
)

PHRASES = Path(__file__).parent / "symptom_phrases.toml"
COMMONEST = 4
TOLERANCE = 0.005


LIBRARIES = ("numpy", "rapidfuzz")


def train(task: SymptomTask, folder: Path, out_dir: Path, seed: int) -> Bundle:
    """Split, choose on validation, refit on train and validation, read the test once, write the bundle."""
    began = time.monotonic()
    table = read_symptom_table(folder / task.datasets[0].file)
    split = split_symptom_table(table, seed)
    train_lists, val, test = (lists_of(table, split == at) for at in range(3))
    counts = count_rows(train_lists, len(table.diseases))
    smoothing = choose_smoothing(counts, val)
    tuned = calibrate(fit(counts, smoothing), val, np.random.default_rng(seed), TOLERANCE)
    learned = count_rows(lists_of(table, split < 2), len(table.diseases))
    model = replace(fit(learned, smoothing), absent_weight=tuned.absent_weight, temperature=tuned.temperature)
    vocabulary = build_vocabulary(task, table, folder)
    tested = _test_metrics(model, fit(learned, FLOOR), test, table, seed)
    metrics = SymptomMetrics(
        test=tested,
        matching=measure_matching(SymptomMatcher(vocabulary)),
        training=TrainingCost(minutes=round((time.monotonic() - began) / 60, 2), rows=int(learned.rows.sum())),
    )
    draft = fresh_draft(out_dir)
    _write_files(draft, task, table, model, vocabulary, read_descriptions(folder / task.datasets[2].file))
    recipe = {
        "model": "Bernoulli naive Bayes, weight of unmentioned symptoms and temperature by number of symptoms",
        "smoothing": vars(smoothing),
        "absent_weight": [round(float(v), 3) for v in model.absent_weight],
        "temperature": [round(float(v), 3) for v in model.temperature],
        "tolerance": TOLERANCE,
    }
    low = tested.complete_lists.top5.low
    fields = {
        **origin(task.id, task.contract_sha256, task.licence, draft / ARRAYS_FILE, seed=seed, libraries=LIBRARIES),
        "classes": table.diseases,
        "trained_on": task.datasets[0].name,
        # Synthetic patients are no evidence for real ones, however well they are ranked.
        "evidence": min(evidence_level(low), "limited", key=("insufficient", "limited", "sufficient").index),
        "recipe": recipe,
        "data_fingerprints": {d.name: file_sha256(folder / d.file) for d in task.datasets},
        "metrics": metrics,
    }
    bundle = write_bundle(draft, fields, [ARRAYS_FILE, VOCABULARY_FILE, DISEASES_FILE])
    add_card(bundle, symptom_card(task, bundle.manifest))
    publish(draft, out_dir)
    return load_bundle(out_dir, task=task.id, contract_sha256=task.contract_sha256)


def _test_metrics(model: NaiveBayes, floor: NaiveBayes, test: Lists, table: SymptomTable, seed: int) -> SymptomTest:
    """The one reading of the test split, for the model and for plain naive Bayes on the same lists."""
    measured = len(set(test.disease.tolist()))
    ones = np.ones_like(model.absent_weight)
    plain = figures(probabilities(floor, test), test)
    if_complete = figures(probabilities(replace(model, absent_weight=ones), test), test)
    return SymptomTest(
        **evaluate(model, test, np.random.default_rng(seed + 1)),
        plain_naive_bayes=plain,
        if_all_lists_were_known_to_be_complete=if_complete,
        diseases_measured=measured,
        diseases_not_measured=len(table.diseases) - measured,
        symptoms_without_data=table.never_present,
        diseases_without_data=table.without_rows,
    )


def build_vocabulary(task: SymptomTask, table: SymptomTable, folder: Path) -> Vocabulary:
    """Names of the data, aliases of the task file, trusted synonyms. Raises ValueError for an alias of nothing."""
    language = task.language
    named = {*language.aliases, *(s for flag in task.red_flags for s in flag.symptoms)}
    if unknown := sorted(named - set(table.symptoms)):
        raise ValueError(f"{task.id}.toml names symptoms that the data do not have: {', '.join(unknown)}")
    filler = frozenset(language.filler_words)
    aliases = {name: tuple(sorted(words)) for name, words in language.aliases.items()}
    synonyms = read_synonyms(
        folder / task.datasets[1].file, table.symptoms, aliases, filler, family_heads(language.families)
    )
    return Vocabulary(table.symptoms, aliases, synonyms, filler, frozenset(language.negations), language.families)


def measure_matching(matcher: SymptomMatcher) -> Matching:
    """Share of the phrase set that is read as meant, read as something else, and of nonsense that is matched."""
    phrases = tomllib.loads(PHRASES.read_text(encoding="utf-8"))
    read = {given: matcher.match([given]) for given in phrases["meant"]}
    right = [g for g, name in phrases["meant"].items() if read[g].names == (name,)]
    wrong = [g for g in read if read[g].names and g not in right]
    suggested = [
        g for g, name in phrases["meant"].items() if not read[g].names and name in read[g].unrecognised[0].suggestions
    ]
    nonsense = phrases["nonsense"]["phrases"]
    matched = [g for g in nonsense if matcher.match([g]).names]
    return Matching(
        phrases=len(read),
        right=round(len(right) / len(read), 4),
        other_symptom=round(len(wrong) / len(read), 4),
        suggested_only=round(len(suggested) / len(read), 4),
        nonsense_phrases=len(nonsense),
        nonsense_matched=round(len(matched) / len(nonsense), 4),
        not_right=tuple(sorted(set(read) - set(right))),
        nonsense_that_matched=tuple(matched),
    )


def _write_files(
    out_dir: Path,
    task: SymptomTask,
    table: SymptomTable,
    model: NaiveBayes,
    vocabulary: Vocabulary,
    descriptions: dict[str, str],
) -> None:
    np.savez_compressed(out_dir / ARRAYS_FILE, **vars(model))
    words = {
        "names": vocabulary.names,
        "aliases": vocabulary.aliases,
        "synonyms": vocabulary.synonyms,
        "filler_words": sorted(vocabulary.filler_words),
        "negations": sorted(vocabulary.negations),
        "families": vocabulary.families,
    }
    content = {
        "min_plausible_mass": task.min_plausible_mass,
        "diseases": disease_records(task, table, model, descriptions),
    }
    for name, value in ((VOCABULARY_FILE, words), (DISEASES_FILE, content)):
        (out_dir / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def disease_records(
    task: SymptomTask, table: SymptomTable, model: NaiveBayes, descriptions: dict[str, str]
) -> list[dict[str, Any]]:
    """Name, texts and limits of age and sex of each disease, in output order.

    Raises ValueError when the task file names a disease or a description that does not exist.
    """
    rules = {d: rule for rule in task.demographics for d in rule.diseases}
    known = {c.disease: c for c in task.conditions}
    if unknown := sorted({*rules, *known} - set(table.diseases)):
        raise ValueError(f"{task.id}.toml names diseases that the data do not have: {', '.join(unknown)}")
    if unknown := sorted({c.described_as for c in task.conditions} - set(descriptions)):
        raise ValueError(f"{task.id}.toml names descriptions that the data do not have: {', '.join(unknown)}")
    records = []
    for at, disease in enumerate(table.diseases):
        commonest = [table.symptoms[i] for i in np.argsort(-model.log_present[at], kind="stable")[:COMMONEST]]
        made = task.description_template.format(disease=disease, symptoms=", ".join(commonest))
        text, rule = known.get(disease), rules.get(disease)
        records.append(
            {
                "name": disease,
                "description": descriptions[text.described_as] if text else made,
                "precautions": text.precautions if text else task.general_precautions,
                "sex": rule.sex if rule else None,
                "min_age_years": rule.min_age_years if rule else None,
                "max_age_years": rule.max_age_years if rule else None,
            }
        )
    return records
