"""What tells of self-harm in words that no pattern holds is heard in the sentence as a whole."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from ml_model.symptoms.knowledge import DANGER_FILE, SELF_HARM_FILE
from ml_model.symptoms.self_harm.reader import SelfHarmReader
from ml_model.symptoms.self_harm.words import words_of
from ml_model.symptoms.sentences import PLACES, SentenceModel, features
from ml_model.training.symptoms.sentence_models import FOLDER, Told, danger_told, self_harm_told

WORDS = FOLDER / SELF_HARM_FILE


@pytest.fixture(scope="module")
def reader() -> SelfHarmReader:
    return SelfHarmReader.from_file(WORDS)


@pytest.mark.parametrize(("file", "told"), [("self_harm.npz", self_harm_told()), (DANGER_FILE, danger_told())])
def test_the_models_were_fitted_to_the_sentences_that_are_there(file: str, told: Told) -> None:
    with np.load(FOLDER / file, allow_pickle=False) as stored:
        assert str(stored["fitted_to"]) == told.sha256


def test_a_feature_counts_once_and_at_its_place() -> None:
    weights = np.zeros(PLACES, np.float32)
    weights[zlib.crc32(b"so") % PLACES] = 3.0
    model = SentenceModel(weights, 0.5)
    assert len(features(["so"])) == 8  # ^ so $, their three pairs, "^ so $" and "so $"
    assert model.score(["so"]) == pytest.approx(3 / 8**0.5)
    assert model.score(["so", "so"]) == pytest.approx(3 / len(features(["so", "so"])) ** 0.5)
    assert model.score(["is"]) == 0.0


def test_the_sentence_that_tells_is_found_among_others() -> None:
    weights = np.zeros(PLACES, np.float32)
    weights[features(["gone"])] = 1.0
    words = words_of("My knee hurts. I am gone. It is swollen, too.")
    assert SentenceModel(weights, 0.9).found(words) == (3, 5)
    assert SentenceModel(weights, 9.0).found(words) is None
    assert SentenceModel(weights, 0.9).found([]) is None


def test_most_sentences_are_heard_and_few_that_only_sound_alike(reader: SelfHarmReader) -> None:
    told = self_harm_told()
    heard = np.array([(reader.found(text) or reader.heard(text)) is not None for text in told.sentences])
    assert heard[told.told].mean() >= 0.95
    assert heard[~told.told].mean() <= 0.02


def test_dangers_are_heard_and_few_sentences_that_only_hold_their_words() -> None:
    told, model = danger_told(), SentenceModel.read(FOLDER / DANGER_FILE)
    heard = np.array([model.found(words_of(text)) is not None for text in told.sentences])
    assert heard[told.told].mean() >= 0.9
    assert heard[~told.told].mean() <= 0.02


@pytest.mark.parametrize("text", ["", "...", "word " * 1000, "a. " * 1600])
def test_any_text_is_bounded(reader: SelfHarmReader, text: str) -> None:
    assert reader.found(text) is None
    assert reader.heard(text) is None
