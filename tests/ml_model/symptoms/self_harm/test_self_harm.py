"""Thoughts of dying and of self-harm are recognised in words that the list does not hold; look-alikes stay silent."""

from __future__ import annotations

import time

import pytest

from ml_model.symptoms.self_harm.reader import MAX_CHARACTERS, SelfHarmAnswer, SelfHarmReader
from ml_model.tasks.registry import TASKS_DIR
from ml_model.training.symptoms.sentence_models import SENTENCES

TOLD = (SENTENCES / "self_harm_1.txt").read_text(encoding="utf-8")
HARMLESS = (SENTENCES / "look_alikes_1.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader() -> SelfHarmReader:
    return SelfHarmReader.from_file(TASKS_DIR / "red_flags" / "self_harm.toml")


@pytest.mark.parametrize("text", TOLD.strip().splitlines())
def test_what_is_told_is_recognised(reader: SelfHarmReader, text: str) -> None:
    found = reader.found(text)
    assert found is not None
    assert 0 <= found[0] < found[1] <= len(text)


@pytest.mark.parametrize("text", HARMLESS.strip().splitlines())
def test_a_look_alike_stays_silent(reader: SelfHarmReader, text: str) -> None:
    assert reader.found(text) is None


def test_choices_gaps_and_names_of_a_pattern() -> None:
    answer = SelfHarmAnswer("", "", ())
    read = SelfHarmReader([], ["said bye at the"], ["said|says bye|so_long * i am off"], answer)
    assert read.found("he says so long and now I'm off") == (3, 31)
    assert read.found("said bye, I am off") == (0, 18)
    assert read.found("said so and I am off") is None  # half a choice
    assert read.found("said bye to them all there I am off") is None  # more than three words between
    assert read.found("said bye at the door I am off") is None


@pytest.mark.parametrize("piece", ["i want to be ", "no point in ", "he gave things and said i wish ", "not wake up "])
def test_time_grows_with_the_length_of_a_text(reader: SelfHarmReader, piece: str) -> None:
    def least(text: str) -> float:
        taken = []
        for _ in range(5):
            start = time.process_time()
            reader.found(text)
            taken.append(time.process_time() - start)
        return min(taken)

    long = (piece * MAX_CHARACTERS)[:MAX_CHARACTERS]
    assert least(long) < 12 * max(least(long[: MAX_CHARACTERS // 4]), 0.001)
