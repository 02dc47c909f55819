"""Fits the model that hears self-harm in whole sentences, to sentences written for it.

    python -m ml_model.training.symptoms.self_harm_sentences

Sentences that do not tell are also made of the phrases of all other findings, as people complain of them. Strength of
the penalty and threshold are chosen in ten folds. Run it again after each change of a file of `sentences/`.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml_model.symptoms.checker import SELF_HARM_FINDINGS
from ml_model.symptoms.conditions import FREQUENCIES, Condition, load_conditions
from ml_model.symptoms.self_harm.reader import SelfHarmReader
from ml_model.symptoms.self_harm.sentences import PLACES, features, passages
from ml_model.symptoms.vocabulary import FindingVocabulary, load_vocabulary
from ml_model.tasks.registry import TASKS_DIR

SENTENCES = Path(__file__).parent / "sentences"
WORDS = TASKS_DIR / "red_flags" / "self_harm.toml"
PENALTIES = (3.0, 10.0, 30.0, 100.0)  # inverse, as scikit-learn's C
FOLDS, SEED = 10, 0
FALSE_ALARMS = 0.015  # of the sentences that do not tell, at most; they were written to be mistaken
LEAST_WEIGHT = 0.02
COMPLAINTS = 8000
FALSE_ALARMS_OF_COMPLAINTS = 0.0003
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


@dataclass(frozen=True)
class Told:
    """sentences, told (N,): whether each tells of self-harm."""

    sentences: tuple[str, ...]
    told: NDArray[np.bool_]

    @property
    def sha256(self) -> str:
        """Of the sentences and what is said of each."""
        told = "\n".join(f"{int(tells)} {text}" for text, tells in zip(self.sentences, self.told, strict=True))
        return hashlib.sha256(told.encode()).hexdigest()


def read_sentences(folder: Path = SENTENCES) -> Told:
    """Of all files of the folder: `self_harm*.txt` and the class `present` of others.toml tell, all else does not."""
    rows: list[tuple[str, bool]] = []
    for path in sorted(folder.glob("*.txt")):
        rows += [(line, path.name.startswith("self_harm")) for line in _lines(path.read_text("utf-8"))]
    for name in ("dangers", "others"):
        table = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        rows += [(line, kind == "present") for kind, text in table.items() for line in _lines(text)]
    sentences, told = zip(*rows, strict=True)
    return Told(sentences, np.array(told))


def complaints(vocabulary: FindingVocabulary, conditions: Sequence[Condition], count: int = COMPLAINTS) -> list[str]:
    """Sentences with phrases of any findings but those of self-harm, and what is said and asked of every condition but
    those that such thoughts belong to. Each time the same."""
    said = [
        text
        for c in conditions
        if SELF_HARM_FINDINGS.isdisjoint(f for row in FREQUENCIES for f in getattr(c, row))
        for text in (c.description, *c.care, f"Could it be {c.lay}?", f"Will I die of {c.lay}?", f"what is {c.name}")
    ]
    phrases = [p for f in vocabulary.findings.values() if f.id not in SELF_HARM_FINDINGS for p in f.phrases]
    draw = random.Random(SEED)  # noqa: S311 - nothing secret  # nosec B311
    return said + [
        draw.choice(_FRAMES).format(
            a=draw.choice(phrases), b=draw.choice(phrases), c=draw.choice(phrases), n=draw.randint(2, 9),
            who=draw.choice(_WHO), age=draw.randint(1, 95), sex=draw.choice(("man", "woman")),
        )
        for _ in range(count)
    ]  # fmt: skip


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
    def of(cls, reader: SelfHarmReader, sentences: Sequence[str]) -> Passages:
        """Every passage that is scored of each."""
        places, text, whole = [], [], []
        for number, sentence in enumerate(sentences):
            words = reader.words(sentence)
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


def main() -> int:
    """Choose, fit, write beside the list of words, and tell."""
    reader, told = SelfHarmReader.from_lists(WORDS), read_sentences()
    vocabulary = load_vocabulary(TASKS_DIR / "vocabulary")
    ordinary = complaints(vocabulary, load_conditions(TASKS_DIR / "conditions", vocabulary))
    written, tells = len(told.told), np.r_[told.told, np.zeros(len(ordinary), bool)]
    read = Passages.of(reader, [*told.sentences, *ordinary])
    heard = np.array([reader.found(text) is not None for text in told.sentences])
    tried = []
    for penalty in PENALTIES:
        scores = left_out_scores(read, tells, penalty)
        threshold = max(
            float(np.quantile(scores[:written][~told.told], 1 - FALSE_ALARMS, method="higher")),
            float(np.quantile(scores[written:], 1 - FALSE_ALARMS_OF_COMPLAINTS, method="higher")),
        )
        alone = scores[:written] > threshold
        tried.append((float(np.mean((alone | heard)[told.told])), float(np.mean(alone[told.told])), penalty, threshold))
        print("C {2:g}: with the patterns {0:.3f}, alone {1:.3f}, threshold {3:.2f}".format(*tried[-1]))
    best = max(tried)[0]
    _, _, penalty, threshold = next(one for one in tried if one[0] >= best - AS_GOOD)
    model = fitted(read, tells, np.ones_like(tells), penalty)
    places = np.flatnonzero(np.abs(model.coef_[0]) > LEAST_WEIGHT)
    np.savez_compressed(
        WORDS.with_suffix(".npz"),
        places=places.astype(np.uint16),
        weights=model.coef_[0][places].astype(np.float16),
        threshold=np.float32(threshold - model.intercept_[0]),
        fitted_to=told.sha256,
    )
    print(f"{told.told.sum()} sentences tell, {(~told.told).sum()} do not; C {penalty:g}, {len(places)} weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
