"""Vignettes as they are read, and which conditions their diagnoses mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_knowledge import condition

from ml_model.training.symptoms.vignettes import load_vignettes, meant, normal_name

PARTS = {
    "correct_diagnosis": "Crohn's disease",
    "demographics": "25 year old Female",
    "chief_complaints": "Belly pain",
    "presentation": "For months, worse after meals — and loose stools",
    "absent_findings": "No fever",
    "physical_history": "Asthma",
    "family_history": "-",
    "social_history": "",
}


def test_a_vignette_is_all_of_its_text_with_the_histories_under_their_headings(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    second = {**PARTS, "correct_diagnosis": "Flu", "family_history": "Heart disease", "social_history": "Smoker"}
    path.write_text(f"{json.dumps(PARTS)}\n\n{json.dumps(second)}\n", encoding="utf-8")
    first, other = load_vignettes(path)
    assert first.diagnosis == "Crohn's disease"
    assert first.text == (
        "25 year old Female.\nBelly pain.\nFor months, worse after meals — and loose stools.\nNo fever.\n"
        "Past history: Asthma"
    )
    assert first.complaints == "25 year old Female. Belly pain"
    assert other.text.endswith("Past history: Asthma.\nFamily history: Heart disease.\nSocial history: Smoker")


@pytest.mark.parametrize("line", ["{", json.dumps({"correct_diagnosis": "Flu"}), "[]"])
def test_a_line_that_is_no_vignette_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(f"{json.dumps(PARTS)}\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2 is no vignette"):
        load_vignettes(path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crohn's Disease", "crohn"),
        ("Crohn’s disease", "Crohn"),
        ("Haemorrhoids", "Hemorrhoids"),
        ("Diarrhoea", "diarrhea"),
        ("Tumour of the breast", "Tumor breast"),
        ("COVID-19", "covid 19"),
    ],
)
def test_names_that_mean_the_same_are_the_same(one: str, other: str) -> None:
    assert normal_name(one) == normal_name(other)


def test_a_diagnosis_means_its_name_its_synonyms_and_their_category() -> None:
    conditions = [
        condition("crohn", name="Crohn disease", icd10="K50.9", synonyms=("regional enteritis",)),
        condition("crohn-colitis", name="Crohn colitis", icd10="K50.1"),
        condition("colitis", name="Ulcerative colitis", icd10="K51.9"),
    ]
    both = {"crohn", "crohn-colitis"}
    assert meant(conditions, "Crohn's disease") == meant(conditions, "Regional enteritis") == both
    assert meant(conditions, "ulcerative colitis") == {"colitis"}
    assert meant(conditions, "Colitis") == {"colitis"}, "a lay name is a name"
    assert meant(conditions, "Flu") == frozenset()
