"""The knowledge as it is shipped, and files of knowledge that do not fit."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from made_knowledge import ROWS, condition, finding, made_vocabulary

from ml_model.symptoms.conditions import FREQUENCIES, load_conditions
from ml_model.symptoms.engine import shipped_knowledge
from ml_model.symptoms.knowledge import SymptomKnowledge, load_knowledge
from ml_model.symptoms.urgency import LEVEL_OF
from ml_model.symptoms.vocabulary import FindingVocabulary, load_vocabulary
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import TASKS_DIR

# The project's claim: general practice and emergency medicine.
LEAST_CONDITIONS = 450


@pytest.fixture(scope="module")
def knowledge() -> SymptomKnowledge:
    return shipped_knowledge()


def test_there_are_enough_conditions_each_once(knowledge: SymptomKnowledge) -> None:
    ids, names = ([getattr(c, field).lower() for c in knowledge.conditions] for field in ("id", "name"))
    assert len(ids) >= LEAST_CONDITIONS
    assert len(set(ids)) == len(ids)
    assert len(set(names)) == len(names)


def test_every_condition_can_be_told_and_judged(knowledge: SymptomKnowledge) -> None:
    for c in knowledge.conditions:
        assert any(getattr(c, row) for row in ("always", "usual", "often", "sometimes")), f"{c.id}: no finding"
        assert re.fullmatch(r"[A-Z]\d[\dA-Z](\.[\dA-Z]{1,2})?", c.icd10), c.id
        assert c.urgency in LEVEL_OF, c.id
        assert c.care, c.id


def test_every_finding_that_a_file_names_is_known(knowledge: SymptomKnowledge) -> None:
    named: set[str] = set()
    for path in (TASKS_DIR / "conditions").glob("*.toml"):
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["conditions"]:
            named |= {f for row in ROWS for f in table[row]}
    rules = tomllib.loads((TASKS_DIR / "red_flags" / "rules.toml").read_text(encoding="utf-8"))["rules"]
    named |= {f for rule in rules for row in ("any", "all", "any_too", "none") for f in rule.get(row, ())}
    assert len(named) > 500
    assert {f for f in named if knowledge.vocabulary.resolve(f) is None} == set()


def test_every_finding_is_asked_for_in_words(knowledge: SymptomKnowledge) -> None:
    for f in knowledge.vocabulary.findings.values():
        assert f.ask.endswith("?"), f.id
        assert f.phrases, f.id


def test_the_ids_of_earlier_versions_stay(knowledge: SymptomKnowledge, disease_model: SymptomModel) -> None:
    assert len(disease_model.symptoms) == 327
    assert [s.id for s in disease_model.symptoms if knowledge.vocabulary.resolve(s.id) is None] == []


def test_the_hash_is_of_every_file(knowledge: SymptomKnowledge, tmp_path: Path) -> None:
    for folder in ("vocabulary", "conditions", "red_flags"):
        (tmp_path / folder).mkdir()
        for path in (TASKS_DIR / folder).iterdir():
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    rules = tmp_path / "red_flags" / "rules.toml"
    rules.write_text(rules.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    again = load_knowledge(tmp_path)
    assert again.sha256 != knowledge.sha256
    assert (len(again.conditions), len(again.red_flags)) == (len(knowledge.conditions), len(knowledge.red_flags))


VOCABULARY = made_vocabulary("fever", "high_fever", parents={"high_fever": "fever"})


def written(folder: Path, **changed: object) -> Path:
    """One condition as a file, which TOML and JSON write alike but for the braces."""
    table = condition("flu", usual=("fever",)).model_dump(mode="json") | changed
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    (folder / "made.toml").write_text("\n".join(["[[conditions]]", *lines]) + "\n", encoding="utf-8")
    return folder


def test_a_condition_is_read_by_the_findings_own_ids(tmp_path: Path) -> None:
    vocabulary = FindingVocabulary([finding("fever")], {"pyrexia": "fever"})
    found = load_conditions(written(tmp_path, usual=["pyrexia"]), vocabulary)
    assert found[0].usual == ("fever",)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"often": ["no_such"]}, "made.toml: flu: often names no_such, which the vocabulary does not know"),
        ({"often": ["fever"]}, "flu: fever is in two of its rows"),
        ({"urgency": "whenever"}, "urgency"),
        ({"icd10": "flu"}, "icd10"),
        ({"age": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]}, "the largest of age and of sex must be 1"),
        ({"unknown": 1}, "Extra inputs"),
        ({"onset": []}, "onset"),
    ],
)
def test_a_condition_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        load_conditions(written(tmp_path, **changed), VOCABULARY)


def test_a_condition_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "other.toml").write_bytes((tmp_path / "made.toml").read_bytes())
    with pytest.raises(ValueError, match="other.toml: flu: there is another condition of that id"):
        load_conditions(tmp_path, VOCABULARY)


def test_what_a_finding_implies_goes_all_the_way_up(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        '[fever]\nname = "fever"\nkind = "symptom"\nphrases = ["fever"]\nask = "Fever?"\n'
        '[high_fever]\nname = "high fever"\nkind = "symptom"\nis_a = ["fever"]\nphrases = ["hot"]\nask = "High?"\n'
        '[forty]\nname = "40"\nkind = "sign"\nis_a = ["high_fever"]\nphrases = ["40"]\nask = "Forty?"\n'
        '[pyrexia_of_old]\nsame_as = "fever"\n',
        encoding="utf-8",
    )
    vocabulary = load_vocabulary(tmp_path)
    assert vocabulary.ancestors("forty") == {"high_fever", "fever"}
    assert vocabulary.descendants("fever") == {"high_fever", "forty"}
    assert (vocabulary.resolve("pyrexia_of_old"), vocabulary.resolve("forty")) == ("fever", "forty")
    assert vocabulary.resolve("no_such") is None
    assert vocabulary.findings["fever"].phrases == ("fever", "pyrexia of old")


@pytest.mark.parametrize(
    ("parents", "aliases", "says"),
    [
        ({"a": "b", "b": "a"}, {}, "implies itself"),
        ({"a": "no_such"}, {}, "is_a names 'no_such'"),
        ({}, {"x": "no_such"}, "x: is the same as no_such"),
        ({}, {"a": "b"}, "must be a finding while a is none"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(parents: dict[str, str], aliases: dict[str, str], says: str) -> None:
    findings = [finding(id_, is_a=(parents[id_],) if id_ in parents else ()) for id_ in ("a", "b")]
    with pytest.raises(ValueError, match=says):
        FindingVocabulary(findings, aliases)


def test_how_often_is_a_number_in_one_table() -> None:
    assert set(FREQUENCIES) == {"always", "usual", "often", "sometimes", "rare"}
    assert all(0 < share < 1 for share in FREQUENCIES.values()), "no finding is certain"
