"""Figures with intervals: what could not be told survives the manifest."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from ml_model.inference.interval import Interval


def test_a_figure_of_no_cases_is_null_in_json_and_no_number_again() -> None:
    written = Interval(value=math.nan, low=math.nan, high=math.nan).model_dump_json()
    assert written == '{"value":null,"low":null,"high":null}'
    read = Interval.model_validate_json(written)
    assert all(math.isnan(figure) for figure in (read.value, read.low, read.high))


def test_a_figure_that_is_missing_is_an_error() -> None:
    with pytest.raises(ValidationError, match="high"):
        Interval.model_validate({"value": 0.5, "low": 0.4})
