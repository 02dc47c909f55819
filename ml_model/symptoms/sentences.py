"""Texts as a whole: whether their words, and pairs and threes of them, are those of people who tell of something.

Linear models, fitted by `ml_model/training/symptoms/sentence_models.py` to sentences written for them; they hear what
no pattern and no phrase holds.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.symptoms.self_harm.words import Said

PLACES = 2**16  # that features are hashed to
REACH = 4  # words that a pair lies apart, at most
MOST_SENTENCES = 3  # that are read together, as many as the sentences of training have


def features(words: Sequence[str]) -> NDArray[np.int64]:
    """Places of a text's words, of its pairs and of three in a row, each once and in order; its begin and end count."""
    told = ["^", *words, "$"]
    found = set(told)
    for n, word in enumerate(told):
        found.update(f"{word}~{other}" for other in told[n + 1 : n + 1 + REACH])
        found.add(" ".join(told[n : n + 3]))
    return np.unique(np.array([zlib.crc32(text.encode()) % PLACES for text in found], np.int64))


@dataclass(frozen=True)
class SentenceModel:
    """weights: (PLACES,). A text counts whose score is above `threshold`."""

    weights: NDArray[np.float32]
    threshold: float

    @classmethod
    def read(cls, path: Path) -> SentenceModel:
        """Raises OSError, or ValueError and KeyError for another file."""
        with np.load(path, allow_pickle=False) as stored:
            weights = np.zeros(PLACES, np.float32)
            weights[stored["places"]] = stored["weights"]
            return cls(weights, float(stored["threshold"]))

    def score(self, words: Sequence[str]) -> float:
        """Of a text; the more, the more it sounds like those that tell."""
        places = features(words)
        return float(self.weights[places].sum()) / math.sqrt(len(places))

    def found(self, words: Sequence[Said]) -> tuple[int, int] | None:
        """The words, from and to, of the sentences that sound most like it, or None where none do."""
        scored = [(self.score([w.text for w in words[a:b]]), a, b) for a, b in passages(words)]
        most, begin, end = max(scored, default=(-math.inf, 0, 0))
        return (begin, end) if most > self.threshold else None


def few_sentences(words: Sequence[Said]) -> bool:
    """Whether a text is no longer than those that the models were fitted to."""
    return sum(word.begins for word in words[1:]) < MOST_SENTENCES


def passages(words: Sequence[Said]) -> Iterator[tuple[int, int]]:
    """Each sentence, and each three that follow one another, or all where there are fewer."""
    starts = [n for n, word in enumerate(words) if n == 0 or word.begins]
    ends = [*starts[1:], len(words)] if words else []
    found = {*zip(starts, ends, strict=True), *zip(starts, ends[MOST_SENTENCES - 1 :], strict=False)}
    yield from sorted(found | ({(0, len(words))} if 0 < len(starts) <= MOST_SENTENCES else set()))
