"""A user's own scikit-learn symptom model: three files, read only where pickles are allowed.

`disease_model.joblib` (with predict_proba over 0/1 columns), `label_encoder.joblib` (with
classes_) and `symptom_list.json` (the columns in order). A pickle runs whatever code it
holds when it is opened, so nothing here is called without --allow-pickle.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle, Manifest, file_sha256
from ml_model.inference.measured_tabular import SymptomMetrics
from ml_model.tabular.symptom_matcher import Symptom, SymptomMatcher, SymptomMatches, Vocabulary
from ml_model.tabular.symptom_model import RankedDisease
from ml_model.tasks.registry import SymptomTask

MODEL_FILE = "disease_model.joblib"
LABELS_FILE = "label_encoder.joblib"
SYMPTOMS_FILE = "symptom_list.json"
PICKLES_OFF = f"{MODEL_FILE} is not read: a pickle can run any code; start with --allow-pickle if you trust the file"


class UserSymptomModel:
    """Answers like ml_model.tabular.symptom_model.SymptomModel, from a user's classifier."""

    def __init__(self, classifier: Any, labels: Sequence[str], columns: Sequence[str], task: SymptomTask) -> None:
        self._classifier = classifier
        self._labels = tuple(labels)
        self._columns = tuple(" ".join(name.replace("_", " ").split()).lower() for name in columns)
        self._precautions = task.general_precautions
        names = tuple(dict.fromkeys(self._columns))
        aliases = {name: words for name, words in task.language.aliases.items() if name in names}
        language = task.language
        self._matcher = SymptomMatcher(
            Vocabulary(names, aliases, {}, frozenset(language.filler_words), frozenset(language.negations))
        )
        self.symptoms = tuple(Symptom(n.replace(" ", "_"), n, tuple(aliases.get(n, ()))) for n in sorted(names))
        found = self._probabilities(())
        if found.shape != (len(self._labels),) or not np.isfinite(found).all():
            raise BundleInvalid(f"{MODEL_FILE}: gives {found.shape[-1]} probabilities for {len(self._labels)} labels")

    def match(self, given: Sequence[str]) -> SymptomMatches:
        """Read phrases as the model's symptoms."""
        return self._matcher.match(given)

    def rank(
        self, names: Sequence[str], age_years: float | None = None, sex: str | None = None, top_k: int = 5
    ) -> tuple[RankedDisease, ...]:
        """Most probable diseases first. Such a model knows nothing of age and sex."""
        probabilities = self._probabilities(names)
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        return tuple(RankedDisease(self._labels[i], float(probabilities[i]), "", self._precautions) for i in order)

    def _probabilities(self, names: Sequence[str]) -> NDArray[np.float64]:
        present = np.array([[float(column in names) for column in self._columns]])
        probabilities: NDArray[np.float64] = np.asarray(self._classifier.predict_proba(present), np.float64)
        return probabilities.reshape(-1)


def find_user_symptom_model(directory: Path) -> Path | None:
    """The folder, if it holds a user's symptom model."""
    return directory if (directory / MODEL_FILE).is_file() else None


def open_user_symptom_model(directory: Path, task: SymptomTask) -> tuple[Bundle, UserSymptomModel]:
    """Unpickle and check the three files. Raises BundleInvalid naming the file and what is wrong with it."""
    import joblib

    try:
        columns = json.loads((directory / SYMPTOMS_FILE).read_text(encoding="utf-8"))
        columns = columns["symptoms"] if isinstance(columns, dict) else columns
        labels = [str(name) for name in joblib.load(directory / LABELS_FILE).classes_]
        classifier = joblib.load(directory / MODEL_FILE)
        ordered = [labels[int(index)] for index in classifier.classes_]
        model = UserSymptomModel(classifier, ordered, [str(name) for name in columns], task)
    except BundleInvalid:
        raise
    except Exception as error:  # unpickling and a stranger's classifier fail in every way there is
        names = f"{MODEL_FILE}, {LABELS_FILE}, {SYMPTOMS_FILE}"
        raise BundleInvalid(f"{names}: cannot be used together ({type(error).__name__}: {error})") from error
    return _bundle(directory, task, ordered), model


def _bundle(directory: Path, task: SymptomTask, labels: Sequence[str]) -> Bundle:
    sha256 = file_sha256(directory / MODEL_FILE)
    manifest = Manifest(
        task=task.id,
        contract_sha256=task.contract_sha256,
        version=f"user-{sha256[:12]}",
        classes=tuple(labels),
        trained_on="unknown: a user's own file",
        licence="unknown: a user's own file",
        evidence="insufficient",
        created="unknown",
        git_commit="unknown",
        seed=0,
        library_versions={},
        recipe={},
        data_fingerprints={},
        metrics=SymptomMetrics(),
        files={name: file_sha256(directory / name) for name in (MODEL_FILE, LABELS_FILE, SYMPTOMS_FILE)},
    )
    return Bundle(directory, manifest, sha256)
