"""What hypothesis makes of the bodies' own structure; `make fuzz` runs it with many more examples."""

from __future__ import annotations

import contextlib
import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_model.errors import InvalidJson, MediDiagnoseError
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inputs.json_body import json_object
from ml_model.inputs.tabular import risk_values
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import RiskTask, load_task

EXAMPLES = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")), deadline=None)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
RISK = load_task("heart-risk")
assert isinstance(RISK, RiskTask)
FACTORS = st.dictionaries(st.sampled_from([f.name for f in RISK.features]), VALUES | st.floats(-1e3, 1e3))
WORDS = st.sampled_from(
    ("fever", "cough", "pain", "chest", "head", "no", "and", "with", "or", "but", ",", "severe", "left")
)
PHRASE = st.lists(WORDS | st.text(max_size=9), min_size=1, max_size=9).map(" ".join)


@pytest.fixture(scope="module")
def model() -> SymptomModel:
    task = load_task("disease")
    return SymptomModel.load(load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256))


@EXAMPLES
@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 1]))
def test_an_object_is_read_as_it_was_written(sent: dict[str, object], indent: int | None) -> None:
    assert json_object(json.dumps(sent, indent=indent).encode()) == sent


@EXAMPLES
@given(st.text() | st.binary())
def test_what_is_no_object_is_refused(sent: str | bytes) -> None:
    data = sent.encode(errors="replace") if isinstance(sent, str) else sent
    with contextlib.suppress(MediDiagnoseError):
        assert isinstance(json_object(data), dict)


@EXAMPLES
@given(st.lists(st.text(max_size=3), min_size=2, max_size=6))
def test_a_name_twice_is_refused(names: list[str]) -> None:
    body = "{" + ",".join(f"{json.dumps(name)}:1" for name in names) + "}"
    if len(set(names)) == len(names):
        assert set(json_object(body.encode())) == set(names)
    else:
        with pytest.raises(InvalidJson, match="is there twice"):
            json_object(body.encode())


@EXAMPLES
@given(FACTORS)
def test_factors_are_finite_numbers_or_refused(content: dict[str, object]) -> None:
    assert isinstance(RISK, RiskTask)
    with contextlib.suppress(MediDiagnoseError):
        values = risk_values(RISK, content)
        assert all(value is None or math.isfinite(value) for value in values.values())


@EXAMPLES
@given(phrases=st.lists(PHRASE, min_size=1, max_size=5), age_years=st.none() | st.floats(0, 120))
def test_phrases_are_matched_or_told_as_unknown(
    model: SymptomModel, phrases: list[str], age_years: float | None
) -> None:
    found = model.match(phrases)
    told = {one.given for one in found.matched} | {one.given for one in found.unrecognised}
    assert told <= set(phrases)
    assert {one.given for one in found.unrecognised}.isdisjoint(one.given for one in found.matched)
    if found.names:
        ranked = model.rank(found.names, age_years)
        assert all(0 < one.probability <= 1 for one in ranked)
        assert [one.probability for one in ranked] == sorted((one.probability for one in ranked), reverse=True)
