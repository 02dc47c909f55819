"""Ranks diseases from a list of symptoms: naive Bayes whose view of unmentioned symptoms depends on their number.

log P(disease | list) = prior + sum over given symptoms of log P(s | disease)
                      + w(k) * sum over the others of log(1 - P(s | disease)),   then / T(k)

where k symptoms are given. In a short list an unmentioned symptom is mostly missing rather than
absent, so w is below 1; in a long list it is 1, ordinary Bernoulli naive Bayes. w and the temperature T
were chosen on validation lists, complete ones and ones cut short.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import BundleInvalid, NothingRecognised
from ml_model.inference.bundle import Bundle
from ml_model.tabular.symptom_matcher import MatchedSymptom, Symptom, SymptomMatcher, SymptomMatches, Vocabulary
from ml_model.tasks.registry import SymptomTask

__all__ = [
    "MatchedSymptom",
    "NaiveBayes",
    "RankedDisease",
    "Symptom",
    "SymptomMatches",
    "SymptomModel",
    "recommendations",
]

ARRAYS_FILE = "model.npz"
VOCABULARY_FILE = "vocabulary.json"
DISEASES_FILE = "diseases.json"


@dataclass(frozen=True)
class NaiveBayes:
    """The fitted arrays. C diseases, S symptoms; index k of the last two is the number of symptoms given."""

    log_present: NDArray[np.float32]  # (C, S) log P(symptom | disease)
    log_absent: NDArray[np.float32]  # (C, S) log(1 - P(symptom | disease))
    log_prior: NDArray[np.float32]  # (C,)
    absent_weight: NDArray[np.float32]  # (K,) w(k); longer lists use the last
    temperature: NDArray[np.float32]  # (K,) T(k)

    def __post_init__(self) -> None:
        shape = self.log_present.shape
        if self.log_absent.shape != shape or self.log_prior.shape != shape[:1] or len(shape) != 2:
            raise BundleInvalid(f"arrays of a symptom model do not fit together: {shape}, {self.log_absent.shape}")
        if self.absent_weight.shape != self.temperature.shape or not np.all(self.temperature > 0):
            raise BundleInvalid("arrays of a symptom model: temperatures must be positive, one per weight")

    def log_scores(self, present: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unnormalised log posteriors (N, C) of lists `present` (N, S) in {0, 1}, with w given per list (N,)."""
        given: NDArray[np.float32] = present @ self.log_present.T
        others: NDArray[np.float32] = self.log_absent.sum(axis=1) - present @ self.log_absent.T
        np.multiply(others, weight[:, None], out=others)
        others += given
        others += self.log_prior
        return others

    def probabilities(self, present: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities (N, C), each row summing to 1, of lists (N, S) in {0, 1}."""
        count = np.minimum(present.sum(axis=1).astype(int), len(self.temperature) - 1)
        scores = self.log_scores(present, self.absent_weight[count])
        scores /= self.temperature[count][:, None]
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores


@dataclass(frozen=True)
class RankedDisease:
    """One line of the ranking. `probability` 0..1 among the diseases the model knows."""

    disease: str
    probability: float
    description: str
    precautions: tuple[str, ...]


@dataclass(frozen=True)
class _Disease:
    name: str
    description: str
    precautions: tuple[str, ...]
    sex: str | None
    min_age_years: float | None
    max_age_years: float | None

    def possible(self, age_years: float | None, sex: str | None) -> bool:
        if self.sex and sex in {"female", "male"} and sex != self.sex:
            return False
        if age_years is None:
            return True
        too_young = self.min_age_years is not None and age_years < self.min_age_years
        return not too_young and not (self.max_age_years is not None and age_years > self.max_age_years)


class SymptomModel:
    """A loaded symptom bundle. Immutable; safe to share between threads."""

    def __init__(
        self, bayes: NaiveBayes, vocabulary: Vocabulary, diseases: Sequence[dict[str, Any]], min_plausible_mass: float
    ) -> None:
        self._bayes = bayes
        self._column = {name: at for at, name in enumerate(vocabulary.names)}
        self._matcher = SymptomMatcher(vocabulary)
        self._diseases = tuple(_Disease(**{**d, "precautions": tuple(d["precautions"])}) for d in diseases)
        self._min_plausible_mass = min_plausible_mass
        if bayes.log_present.shape != (len(self._diseases), len(self._column)):
            raise BundleInvalid(
                f"arrays {bayes.log_present.shape} for {len(self._diseases)} diseases and {len(self._column)} symptoms"
            )
        self.symptoms = tuple(
            Symptom(
                id="_".join(name.replace(",", " ").replace("(", " ").replace(")", " ").replace("-", " ").split()),
                name=name,
                synonyms=tuple(sorted({*vocabulary.aliases.get(name, ()), *vocabulary.synonyms.get(name, ())})),
            )
            for name in sorted(vocabulary.names)
        )

    @classmethod
    def load(cls, bundle: Bundle) -> SymptomModel:
        """Read a verified bundle. Raises BundleInvalid when its parts do not fit together."""
        with np.load(bundle.file(ARRAYS_FILE), allow_pickle=False) as arrays:
            bayes = NaiveBayes(**{name: arrays[name] for name in NaiveBayes.__dataclass_fields__})
        stored = json.loads(bundle.file(VOCABULARY_FILE).read_text(encoding="utf-8"))
        vocabulary = Vocabulary(
            names=tuple(stored["names"]),
            aliases={name: tuple(v) for name, v in stored["aliases"].items()},
            synonyms={name: tuple(v) for name, v in stored["synonyms"].items()},
            filler_words=frozenset(stored["filler_words"]),
            negations=frozenset(stored["negations"]),
            families=tuple(tuple(family) for family in stored["families"]),
        )
        content = json.loads(bundle.file(DISEASES_FILE).read_text(encoding="utf-8"))
        if tuple(d["name"] for d in content["diseases"]) != bundle.manifest.classes:
            raise BundleInvalid(f"{bundle.path.name}: {DISEASES_FILE} lists other diseases than the manifest")
        return cls(bayes, vocabulary, content["diseases"], content["min_plausible_mass"])

    def match(self, given: Sequence[str]) -> SymptomMatches:
        """Read phrases as symptoms of the vocabulary; what is not understood comes back with suggestions."""
        return self._matcher.match(given)

    def rank(
        self, names: Sequence[str], age_years: float | None = None, sex: str | None = None, top_k: int = 5
    ) -> tuple[RankedDisease, ...]:
        """Most probable diseases first, from symptom names as `match` returns them.

        sex is "female", "male" or anything else for not known. Age and sex only leave out diseases that
        cannot occur in them, and the rest is renormalised; they are ignored when that would leave less
        than `min_plausible_mass`, because then the symptoms contradict them.
        Raises NothingRecognised for no names or an unknown one.
        """
        if unknown := [name for name in names if name not in self._column]:
            raise NothingRecognised(f"unknown symptom {unknown[0]!r}; names are listed under /symptoms")
        if not names:
            raise NothingRecognised("no symptom was recognised; send at least one, names are listed under /symptoms")
        present = np.zeros((1, len(self._column)), np.float32)
        present[0, [self._column[name] for name in names]] = 1
        probabilities = self._bayes.probabilities(present)[0].astype(np.float64)
        probabilities /= probabilities.sum()
        possible = np.array([d.possible(age_years, sex) for d in self._diseases])
        mass = float(probabilities[possible].sum())
        if mass >= self._min_plausible_mass:
            probabilities = np.where(possible, probabilities, 0.0) / mass
        order = np.argsort(-probabilities, kind="stable")[: max(top_k, 0)]
        return tuple(
            RankedDisease(d.name, float(probabilities[i]), d.description, d.precautions)
            for i in order
            if probabilities[i] > 0
            for d in (self._diseases[i],)
        )


def recommendations(task: SymptomTask, names: Sequence[str]) -> tuple[str, ...]:
    """Advice for a list of symptoms: what is urgent first, then that the list is short, then the general part."""
    given = set(names)
    urgent = [flag.message for flag in task.red_flags if given & set(flag.symptoms)]
    short = [task.few_symptoms_note] if len(given) < task.few_symptoms else []
    return (*urgent, *short, *task.recommendations)
