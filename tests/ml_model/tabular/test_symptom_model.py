"""Symptom matching and disease ranking: on a small trained bundle, and on the shipped one."""

from __future__ import annotations

import json
import string
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import real_member

from ml_model.errors import BundleInvalid, NothingRecognised
from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle
from ml_model.tabular.symptom_matcher import SymptomMatcher, Vocabulary, normalise
from ml_model.tabular.symptom_model import SymptomModel, recommendations
from ml_model.tasks.registry import SymptomTask, load_task
from ml_model.training.commands.train_tabular import run_symptom_recipe
from ml_model.training.data.splits import SplitError
from ml_model.training.symptoms import bundle as symptom_bundle
from ml_model.training.symptoms import data as symptom_data
from ml_model.training.symptoms import fit as symptom_fit

TASK = load_task("disease")
assert isinstance(TASK, SymptomTask)
PHRASES = tomllib.loads(symptom_bundle.PHRASES.read_text(encoding="utf-8"))

SYMPTOMS = ("fever", "cough", "skin rash", "pelvic pain", "headache", "knee pain", "never seen", "cough.1")
DISEASES = ("flu", "measles", "cystitis", "migraine", "no rows")
CHANCES = np.array(
    [[0.9, 0.8, 0.05, 0.02, 0.5, 0.3], [0.8, 0.3, 0.9, 0.02, 0.2, 0.1], [0.4, 0.02, 0.05, 0.9, 0.1, 0.3],
     [0.1, 0.02, 0.02, 0.05, 0.9, 0.4]]
)  # fmt: skip


def small_task() -> SymptomTask:
    """The shipped task file with the small data's aliases, rules and texts."""
    content = TASK.model_dump(mode="json")
    content["language"]["aliases"] = {"fever": ["high temperature"], "headache": ["sore head"]}
    content["demographics"] = [
        {"reason": "female organs", "diseases": ["cystitis"], "sex": "female", "min_age_years": 5}
    ]
    content["conditions"] = [{"disease": "flu", "described_as": "Influenza", "precautions": ["Rest."]}]
    content["red_flags"] = [{"symptoms": ["pelvic pain"], "message": "See someone today."}]
    return SymptomTask.model_validate(content)


def write_small_data(folder: Path) -> None:
    """Tables in the public layout: 3,000 rows of four diseases, with a repeated and an unused column."""
    rng = np.random.default_rng(1)
    disease = rng.integers(0, 4, 3000)
    present = np.zeros((3000, len(SYMPTOMS)), np.uint8)
    present[:, :6] = rng.random((3000, 6)) < CHANCES[disease]
    present[:, 7] = present[:, 1]
    present[present.sum(axis=1) == 0, 0] = 1
    np.savez(
        folder / "diseases773.npz",
        xbits=np.packbits(present, axis=1), y=disease, classes=np.array(DISEASES), symptoms=np.array(SYMPTOMS),
    )  # fmt: skip
    (folder / "kaggle41").mkdir()
    (folder / "kaggle41" / "symptom_Description.csv").write_text("Influenza,A viral  infection.\n", encoding="utf-8")
    rows = ["symptom,short_description,synonyms", "fever,x,burning hot fever; head pain; fever", "headache,x,head pain"]
    (folder / "symptom_metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("symptoms")
    write_small_data(folder)
    return symptom_bundle.train(small_task(), folder, folder / "out", seed=0)


@pytest.fixture(scope="module")
def small_model(small_bundle: Bundle) -> SymptomModel:
    return SymptomModel.load(small_bundle)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(MODELS_DIR / "disease", task="disease", contract_sha256=TASK.contract_sha256)


@pytest.fixture(scope="module")
def model(bundle: Bundle) -> SymptomModel:
    return SymptomModel.load(bundle)


def test_training_learns_the_table_and_leaves_out_what_has_no_data(small_bundle: Bundle) -> None:
    manifest = small_bundle.manifest
    assert manifest.classes == ("flu", "measles", "cystitis", "migraine")
    assert manifest.metrics.test.symptoms_without_data == ("never seen",)
    assert manifest.metrics.test.diseases_without_data == ("no rows",)
    stored = json.loads(small_bundle.file("vocabulary.json").read_text(encoding="utf-8"))
    assert stored["names"] == ["fever", "cough", "skin rash", "pelvic pain", "headache", "knee pain"]
    assert stored["synonyms"] == {"fever": ["burning hot fever"]}, "claimed twice or a name itself: not kept"


def test_small_model_ranks_by_bayes(small_model: SymptomModel) -> None:
    ranked = small_model.rank(["fever", "cough", "headache"], top_k=4)
    assert [d.disease for d in ranked][0] == "flu"
    assert sum(d.probability for d in ranked) == pytest.approx(1, abs=1e-6)
    assert ranked[0].description == "A viral infection."
    assert ranked[0].precautions == ("Rest.",)
    measles = next(d for d in ranked if d.disease == "measles")
    assert measles.description.startswith(
        "In the synthetic data behind this model, measles came most often with skin rash"
    )
    assert measles.precautions == TASK.general_precautions


def test_probabilities_are_the_written_formula(small_model: SymptomModel) -> None:
    bayes = small_model._bayes
    present = np.array([[1, 0, 0, 1, 0, 0]], np.float32)
    w, t = float(bayes.absent_weight[2]), float(bayes.temperature[2])
    scores = [
        float(bayes.log_prior[d])
        + sum(float(bayes.log_present[d, s]) for s in (0, 3))
        + w * sum(float(bayes.log_absent[d, s]) for s in (1, 2, 4, 5))
        for d in range(4)
    ]
    expected = np.exp(np.array(scores) / t) / np.exp(np.array(scores) / t).sum()
    assert bayes.probabilities(present)[0] == pytest.approx(expected, abs=1e-5)


def test_training_and_serving_give_the_same_probabilities(small_model: SymptomModel) -> None:
    rng = np.random.default_rng(0)
    present = rng.random((50, 6)) < 0.4
    present[:, 0] |= ~present.any(axis=1)
    lists = symptom_fit.Lists(present, np.zeros(50, int), np.arange(50))
    served = small_model._bayes.probabilities(present.astype(np.float32))
    assert symptom_fit.probabilities(small_model._bayes, lists) == pytest.approx(served, abs=1e-5)


def test_age_and_sex_leave_out_only_what_cannot_be(small_model: SymptomModel) -> None:
    names = ["pelvic pain", "fever"]
    everyone = {d.disease: d.probability for d in small_model.rank(names, top_k=9)}
    infant = {d.disease for d in small_model.rank(["fever", "cough"], age_years=3, top_k=9)}
    assert infant == set(everyone) - {"cystitis"}
    assert {d.disease: d.probability for d in small_model.rank(names, 30, "female", top_k=9)} == everyone
    assert {d.disease: d.probability for d in small_model.rank(names, 30, "other", top_k=9)} == everyone
    male = {d.disease: d.probability for d in small_model.rank(["fever", "cough"], 30, "male", top_k=9)}
    whole = {d.disease: d.probability for d in small_model.rank(["fever", "cough"], top_k=9)}
    assert "cystitis" not in male
    assert male["flu"] == pytest.approx(whole["flu"] / (1 - whole["cystitis"]))


def test_symptoms_that_contradict_the_sex_win(model: SymptomModel) -> None:
    names = ["vaginal discharge", "vaginal itching", "vaginal redness", "vulvar irritation"]
    assert model.rank(names, 30, "male") == model.rank(names)


@pytest.mark.parametrize(("names", "message"), [([], "no symptom"), (["feverr"], "unknown symptom 'feverr'")])
def test_ranking_nothing_is_refused(small_model: SymptomModel, names: list[str], message: str) -> None:
    with pytest.raises(NothingRecognised, match=message):
        small_model.rank(names)


def test_recommendations_put_what_is_urgent_first() -> None:
    urgent = recommendations(TASK, ["cough", "sharp chest pain"])
    assert "emergency number" in urgent[0]
    assert urgent[1] == TASK.few_symptoms_note
    assert urgent[2:] == TASK.recommendations
    assert recommendations(TASK, ["cough", "sneezing", "coryza"]) == TASK.recommendations


def test_a_leaking_split_stops_the_training(tmp_path: Path) -> None:
    write_small_data(tmp_path)
    table = symptom_data.read_symptom_table(tmp_path / "diseases773.npz")
    split = symptom_data.split_symptom_table(table, seed=0)
    assert [int((split == k).sum()) > 0 for k in range(3)] == [True, True, True]
    leaking = split.copy()
    leaking[np.flatnonzero(split == 0)[0]] = 2
    with pytest.raises(SplitError, match="symptom vectors are in two splits"):
        symptom_data.check_symptom_split(table, leaking)
    without = replace(table, diseases=(*table.diseases, "unlearned"))
    with pytest.raises(SplitError, match="1 diseases have no row in train, first unlearned"):
        symptom_data.check_symptom_split(without, split)


def test_bundle_is_bound_to_the_task_file_and_to_its_bytes(small_bundle: Bundle, tmp_path: Path) -> None:
    changed = small_task().model_dump(mode="json")
    changed["language"]["aliases"]["fever"] = ["cold"]
    other = SymptomTask.model_validate(changed)
    with pytest.raises(BundleInvalid, match="train it again"):
        load_bundle(small_bundle.path, task="disease", contract_sha256=other.contract_sha256)
    copy = tmp_path / "disease"
    copy.mkdir()
    for name in (*small_bundle.manifest.files, "manifest.json"):
        (copy / name).write_bytes((small_bundle.path / name).read_bytes())
    (copy / "diseases.json").write_bytes((copy / "diseases.json").read_bytes().replace(b"flu", b"flo"))
    with pytest.raises(BundleInvalid, match="SHA-256"):
        load_bundle(copy, task="disease", contract_sha256=small_task().contract_sha256)


def test_a_training_that_fails_while_it_writes_leaves_the_bundle_that_was_there(tmp_path: Path) -> None:
    write_small_data(tmp_path)
    out = tmp_path / "out"
    before = symptom_bundle.train(small_task(), tmp_path, out, seed=0)
    unknown = small_task().model_dump(mode="json")
    unknown["demographics"][0]["diseases"].append("no such disease")
    with pytest.raises(ValueError, match="no such disease"):
        symptom_bundle.train(SymptomTask.model_validate(unknown), tmp_path, out, seed=3)
    after = load_bundle(out, task="disease", contract_sha256=small_task().contract_sha256)
    assert after.sha256 == before.sha256


def test_command_line_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_symptom_recipe("disease", "", ["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "no symptoms tables in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("fever", "fever"), ("high_fever", "fever"), ("Head Ache", "headache"), ("tired", "fatigue"),
        ("tummy ache", "sharp abdominal pain"), ("can’t breathe", "difficulty breathing"),
        ("chest pain", "sharp chest pain"), ("my throat is sore", "sore throat"),
        ("pain in my chest", "sharp chest pain"), ("feverr", "fever"), ("no appetite", "decreased appetite"),
        ("hand pain", "hand or finger pain"), ("shortnes of breth", "shortness of breath"),
    ],
)  # fmt: skip
def test_plain_language_is_read(model: SymptomModel, phrase: str, name: str) -> None:
    assert model.match([phrase]).names == (name,)


def test_paraphrases_and_nonsense_as_the_manifest_says(model: SymptomModel, bundle: Bundle) -> None:
    measured = symptom_bundle.measure_matching(SymptomMatcher(model._matcher._vocabulary))
    assert measured == bundle.manifest.metrics.matching
    assert measured.right >= 0.88
    assert measured.other_symptom <= 0.02
    assert measured.nonsense_matched == 0


def test_none_of_the_measured_phrases_is_an_alias() -> None:
    aliases = {normalise(a) for name, words in TASK.language.aliases.items() for a in words}
    shared = [p for p in PHRASES["meant"] if p in aliases]
    assert shared == []


@pytest.mark.parametrize("phrase", PHRASES["nonsense"]["phrases"])
def test_nonsense_is_left_alone(model: SymptomModel, phrase: str) -> None:
    assert model.match([phrase]).matched == ()


def test_several_symptoms_negation_and_suggestions(model: SymptomModel) -> None:
    assert model.match(["fever and a bad cough"]).names == ("fever", "cough")
    assert model.match(["fever but no cough"]).names == ("fever",)
    assert model.match(["no fever and cough"]).matched == ()
    assert model.match(["no shortness of breath", "not difficulty breathing"]).matched == ()
    assert model.match(["fever", "high temperature"]).names == ("fever",)
    unrecognised = model.match(["bad headake"]).unrecognised[0]
    assert unrecognised.given == "bad headake"
    assert "headache" in unrecognised.suggestions
    assert model.match(["asdfghjkl"]).unrecognised[0].suggestions == ()
    assert model.match(["lip pain"]).matched == (), "a known word is no misspelling of another"
    assert model.match(["rear pain"]).names == ("back pain",)  # whose synonyms hold "pain in the rear"


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_single_slip_in_a_name_is_read_as_it_or_one_as_near(model: SymptomModel, data: st.DataObject) -> None:
    from rapidfuzz.distance import DamerauLevenshtein

    names = [s.name for s in model.symptoms if len(normalise(s.name)) >= 6]
    name = normalise(data.draw(st.sampled_from(names)))
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    kind = data.draw(st.sampled_from(["drop", "double", "swap", "change"]))
    slip = {
        "drop": name[:at] + name[at + 1 :],
        "double": name[:at] + letter + name[at:],
        "swap": name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
        "change": name[:at] + letter + name[at + 1 :],
    }[kind]
    matches = model.match([slip])
    known = model._matcher._known_words
    if any(w in known and w not in name.split() for w in slip.split()):
        return  # the slip made another word of the vocabulary: not to be read as a misspelling
    assert matches.matched, f"{slip!r} for {name!r}"
    spellings = [
        normalise(t) for s in model.symptoms if s.name == matches.matched[0].name for t in (s.name, *s.synonyms)
    ]
    squeezed = slip.replace(" ", "")
    nearest = min(DamerauLevenshtein.distance(squeezed, t.replace(" ", "")) for t in spellings)
    other = any(set(slip.split()) <= set(t.split()) for t in spellings)  # "rear pain" of "pain in the rear"
    assert name in map(normalise, matches.names) or nearest <= 1 or other


@given(st.lists(st.text(max_size=300), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_text_is_answered(model: SymptomModel, texts: list[str]) -> None:
    matches = model.match(texts)
    known = {s.name for s in model.symptoms}
    assert set(matches.names) <= known
    assert {u.given for u in matches.unrecognised} <= set(texts)
    assert all(set(u.suggestions) <= known for u in matches.unrecognised)


def test_shared_word_order_keys_do_not_pick_a_side() -> None:
    vocabulary = Vocabulary(("pain in eye", "eye pain"), {}, {}, frozenset({"in", "my"}), frozenset())
    matcher = SymptomMatcher(vocabulary)
    assert matcher.match(["eye pain"]).names == ("eye pain",)
    assert matcher.match(["pain in my eye"]).matched == ()


def test_vocabulary_is_sorted_and_ids_are_unique(model: SymptomModel) -> None:
    names = [s.name for s in model.symptoms]
    assert names == sorted(names)
    assert len({s.id for s in model.symptoms}) == len(names) == 327
    fever = next(s for s in model.symptoms if s.name == "fever")
    assert fever.id == "fever"
    assert "high temperature" in fever.synonyms
    assert list(fever.synonyms) == sorted(fever.synonyms)


def test_more_symptoms_make_the_model_surer(model: SymptomModel) -> None:
    names = ["sharp chest pain", "shortness of breath", "palpitations", "dizziness", "irregular heartbeat"]
    first = [model.rank(names[:k])[0].probability for k in (1, 3, 5)]
    assert first[0] < 0.2
    assert first == sorted(first)


def test_shipped_figures_meet_the_bars(bundle: Bundle) -> None:
    test = bundle.manifest.metrics.test
    assert test.distinct_vectors.top1.value >= 0.875
    assert test.distinct_vectors.top5.value >= 0.98
    assert test.complete_lists.top5.value >= 0.98
    # Reading short lists as perhaps cut short costs a little on complete ones, and never more than this.
    plain = test.plain_naive_bayes.top1.value
    assert test.complete_lists.top1.value >= plain - 0.003
    assert test.if_all_lists_were_known_to_be_complete.top1.value >= plain - 0.001
    for count in "12345":
        assert test.by_symptoms_given[count].cut_short.ece <= 0.05
    assert sum(f.stat().st_size for f in bundle.path.iterdir()) < 5_000_000


def test_serving_imports_neither_training_nor_its_libraries() -> None:
    code = (
        "import sys; from ml_model.tabular.symptom_model import SymptomModel;"
        "from ml_model.inference.bundle import load_bundle, MODELS_DIR; from ml_model.tasks.registry import load_task;"
        "task = load_task('disease');"
        "SymptomModel.load(load_bundle(MODELS_DIR / 'disease', task='disease', contract_sha256=task.contract_sha256));"
        "heavy = {'sklearn', 'scipy', 'pandas', 'tensorflow', 'ml_model.training'} & set(sys.modules);"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_test_figures_come_from_the_test_split(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "diseases773.npz").write_bytes(real_member("symptoms.zip", "diseases773.npz"))
    fingerprint = file_sha256(tmp_path / "diseases773.npz")
    assert fingerprint == bundle.manifest.data_fingerprints[TASK.datasets[0].name]
    table = symptom_data.read_symptom_table(tmp_path / "diseases773.npz")
    assert table.diseases == bundle.manifest.classes
    split = symptom_data.split_symptom_table(table, bundle.manifest.seed)
    test = symptom_fit.lists_of(table, split == 2)
    bayes = SymptomModel.load(bundle)._bayes
    top1 = float((symptom_fit.probabilities(bayes, test).argmax(axis=1) == test.disease).mean())
    assert top1 == pytest.approx(bundle.manifest.metrics.test.complete_lists.top1.value, abs=1e-4)
