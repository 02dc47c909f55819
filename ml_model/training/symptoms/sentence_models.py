"""Fits the models that hear self-harm and danger in whole sentences, to sentences written for it.

    python -m ml_model.training.symptoms.sentence_models

Sentences that tell of neither are also made of phrases of findings, as people complain of them. Strength of the penalty
and threshold are chosen in ten folds. Run it again after each change of a file of `sentences/`.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml_model.symptoms.checker import SELF_HARM_FINDINGS
from ml_model.symptoms.conditions import FREQUENCIES, Condition, load_conditions
from ml_model.symptoms.knowledge import DANGER_FILE, SELF_HARM_FILE
from ml_model.symptoms.red_flags import RedFlagRule, load_red_flags
from ml_model.symptoms.self_harm.reader import SelfHarmReader
from ml_model.symptoms.self_harm.words import Said, words_of
from ml_model.symptoms.sentences import PLACES, features, passages
from ml_model.symptoms.vocabulary import FindingVocabulary, load_vocabulary
from ml_model.tasks.registry import TASKS_DIR

SENTENCES = Path(__file__).parent / "sentences"
FOLDER = TASKS_DIR / "red_flags"
PENALTIES = (3.0, 10.0, 30.0, 100.0)  # inverse, as scikit-learn's C
FOLDS, SEED = 10, 0
LEAST_WEIGHT = 0.02
COMPLAINTS = 8000
AS_GOOD = 0.01  # a stronger penalty is taken where it hears that much less at most
_FRAMES = (
    "{a}", "I have {a}.", "{a} and {b}", "{a}, {b}, {c}", "I've had {a} and {b} for {n} days.",
    "My {who} has {a}, {b}.", "Since yesterday {a}. No {b}.",
    "I am a {age} year old {sex}. Since last week {a} and {b}, all the time. No {c}.",
    "{a} when I {b}, and I need to know what to do.", "what can I do about {a}?", "I want to know if {a} is dangerous",
    "I keep having {a}, should I take something?", "My {who} is {age} and has {a} since this morning, also {b}.",
    "i cant sleep because of {a}", "Every night {a}. I hope it gets better, {b} too.",
    "it is {a}, worse at night, no {b}", "I don't have {a} any more, but {b} is still there.",
    "{a} again, I'm tired of it. {b}, {c}.",
)  # fmt: skip
_WHO = ("son", "daughter", "husband", "wife", "mum", "dad", "baby", "friend", "gran")


class Knowledge(NamedTuple):
    """What sentences are made of."""

    vocabulary: FindingVocabulary
    conditions: tuple[Condition, ...]
    red_flags: tuple[RedFlagRule, ...]


@dataclass(frozen=True)
class Told:
    """sentences, told (N,): whether each tells. ordinary: made ones, none of which does."""

    sentences: tuple[str, ...]
    told: NDArray[np.bool_]
    ordinary: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Of the sentences and what is said of each."""
        told = "\n".join(f"{int(tells)} {text}" for text, tells in zip(self.sentences, self.told, strict=True))
        return hashlib.sha256(told.encode()).hexdigest()


def self_harm_told(ordinary: Sequence[str] = ()) -> Told:
    """`self_harm*.txt` and the class `present` of others.toml tell, all else does not."""
    rows = [
        (line, path.name.startswith("self_harm"))
        for path in _texts("*.txt")
        for line in _lines(path.read_text("utf-8"))
    ]
    rows += [(line, kind == "present") for name in ("dangers", "others") for kind, line in _classes(name)]
    return _told(rows, ordinary)


def danger_told(ordinary: Sequence[str] = ()) -> Told:
    """dangers.toml tells; what is harmless, said in figures or long past does not."""
    rows = [(line, True) for _, line in _classes("dangers")]
    rows += [(line, False) for kind, line in _classes("others") if kind != "present"]
    rows += [(line, False) for path in _texts("look_alikes*.txt") for line in _lines(path.read_text("utf-8"))]
    return _told(rows, ordinary)


def _told(rows: Sequence[tuple[str, bool]], ordinary: Sequence[str]) -> Told:
    sentences, told = zip(*rows, strict=True)
    return Told(sentences, np.array(told), tuple(ordinary))


def _texts(pattern: str) -> list[Path]:
    return sorted(SENTENCES.glob(pattern))


def _classes(name: str) -> list[tuple[str, str]]:
    table = tomllib.loads((SENTENCES / f"{name}.toml").read_text(encoding="utf-8"))
    return [(kind, line) for kind, text in table.items() for line in _lines(text)]


def complaints(phrases: Sequence[str]) -> list[str]:
    """Sentences with some of the phrases, each time the same."""
    draw = random.Random(SEED)  # noqa: S311 - nothing secret  # nosec B311
    return [
        draw.choice(_FRAMES).format(
            a=draw.choice(phrases), b=draw.choice(phrases), c=draw.choice(phrases), n=draw.randint(2, 9),
            who=draw.choice(_WHO), age=draw.randint(3, 80), sex=draw.choice(("man", "woman")),
        )
        for _ in range(COMPLAINTS)
    ]  # fmt: skip


def without_self_harm(knowledge: Knowledge) -> list[str]:
    """Complaints of anything else, and what is said and asked of conditions that do not go with it."""
    said = [
        text
        for c in knowledge.conditions
        if SELF_HARM_FINDINGS.isdisjoint(findings_of(c))
        for text in (c.description, *c.care, f"Could it be {c.lay}?", f"Will I die of {c.lay}?", f"what is {c.name}")
    ]
    phrases = [p for f in knowledge.vocabulary.findings.values() if f.id not in SELF_HARM_FINDINGS for p in f.phrases]
    return said + complaints(phrases)


def without_danger(knowledge: Knowledge) -> list[str]:
    """Complaints of what belongs to conditions that can wait, and is in no rule of red flags."""
    flagged = {f for rule in knowledge.red_flags for f in (*rule.any, *rule.all, *rule.any_too)}
    mild = {f for c in knowledge.conditions if c.urgency in ("self_care", "routine") for f in findings_of(c)} - flagged
    return complaints([p for f in knowledge.vocabulary.findings.values() if f.id in mild for p in f.phrases])


def findings_of(condition: Condition) -> set[str]:
    """All that occurs in it."""
    return {f for row in FREQUENCIES for f in getattr(condition, row)}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


@dataclass(frozen=True)
class Passages:
    """rows (P, PLACES): what `SentenceModel.score` sums, of every passage. text (P,): which it is of. whole (P,):
    whether it is the text from begin to end."""

    rows: scipy.sparse.csr_matrix
    text: NDArray[np.int64]
    whole: NDArray[np.bool_]

    @classmethod
    def of(cls, words_of: Callable[[str], Sequence[Said]], sentences: Sequence[str]) -> Passages:
        """Every passage that is scored of each."""
        places, text, whole = [], [], []
        for number, sentence in enumerate(sentences):
            words = words_of(sentence)
            for begin, end in {*passages(words), (0, len(words))}:
                places.append(features([word.text for word in words[begin:end]]))
                text.append(number)
                whole.append((begin, end) == (0, len(words)))
        values = np.concatenate([np.full(len(p), len(p) ** -0.5) for p in places])
        ends = np.cumsum([0, *(len(p) for p in places)])
        rows = scipy.sparse.csr_matrix((values, np.concatenate(places), ends), (len(places), PLACES))
        return cls(rows, np.array(text), np.array(whole))

    def most(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) the highest score of each text's passages, of (P,)."""
        most = np.full(self.text.max() + 1, -np.inf)
        np.maximum.at(most, self.text, scores)
        return most


def fitted(read: Passages, told: NDArray[np.bool_], among: NDArray[np.bool_], penalty: float) -> LogisticRegression:
    """To the texts `among` (N,): those that tell as a whole, of the others every passage."""
    tells = told[read.text]
    taken = among[read.text] & (read.whole | ~tells)
    model = LogisticRegression(C=penalty, max_iter=2000, class_weight="balanced")
    return model.fit(read.rows[taken], tells[taken])


def left_out_scores(read: Passages, told: NDArray[np.bool_], penalty: float) -> NDArray[np.float64]:
    """(N,) of each text by a model that has not seen it."""
    scores = np.zeros(len(told))
    fold = np.random.default_rng(SEED).integers(0, FOLDS, len(scores))
    for out in (fold == n for n in range(FOLDS)):
        scores[out] = read.most(fitted(read, told, ~out, penalty).decision_function(read.rows))[out]
    return scores


def fit_to(told: Told, read: Passages, heard: NDArray[np.bool_], alarms: tuple[float, float], file: Path) -> None:
    """Choose, fit, write and tell. heard (N,): what is heard without the model. alarms: shares of the sentences that do
    not tell, written and made, that may be taken for one that does."""
    written, tells = len(told.told), np.r_[told.told, np.zeros(len(told.ordinary), bool)]
    tried = []
    for penalty in PENALTIES:
        scores = left_out_scores(read, tells, penalty)
        others = (scores[:written][~told.told], scores[written:])
        threshold = max(float(np.quantile(s, 1 - a, method="higher")) for s, a in zip(others, alarms, strict=True))
        alone = scores[:written] > threshold
        tried.append((float(np.mean((alone | heard)[told.told])), float(np.mean(alone[told.told])), penalty, threshold))
        print("C {2:g}: with what is heard without it {0:.3f}, alone {1:.3f}, threshold {3:.2f}".format(*tried[-1]))
    best = max(tried)[0]
    _, _, penalty, threshold = next(one for one in tried if one[0] >= best - AS_GOOD)
    model = fitted(read, tells, np.ones_like(tells), penalty)
    places = np.flatnonzero(np.abs(model.coef_[0]) > LEAST_WEIGHT)
    np.savez_compressed(
        file,
        places=places.astype(np.uint16),
        weights=model.coef_[0][places].astype(np.float16),
        threshold=np.float32(threshold - model.intercept_[0]),
        fitted_to=told.sha256,
    )
    print(f"{file.name}: {told.told.sum()} tell, {(~told.told).sum()} do not; C {penalty:g}, {len(places)} weights")


def main() -> int:
    """Both models."""
    vocabulary = load_vocabulary(TASKS_DIR / "vocabulary")
    rules = load_red_flags(FOLDER / "rules.toml", vocabulary)
    knowledge = Knowledge(vocabulary, load_conditions(TASKS_DIR / "conditions", vocabulary), rules)
    reader = SelfHarmReader.from_lists(FOLDER / SELF_HARM_FILE)
    told = self_harm_told(without_self_harm(knowledge))
    heard = np.array([reader.found(text) is not None for text in told.sentences])
    read = Passages.of(reader.words, [*told.sentences, *told.ordinary])
    fit_to(told, read, heard, (0.015, 0.0003), (FOLDER / SELF_HARM_FILE).with_suffix(".npz"))
    told = danger_told(without_danger(knowledge))
    read = Passages.of(words_of, [*told.sentences, *told.ordinary])
    fit_to(told, read, np.zeros_like(told.told), (0.015, 0.001), FOLDER / DANGER_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
