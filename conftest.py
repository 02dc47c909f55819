"""Options of the test run. Here, at the top, so that `pytest test_server.py --base-url …` knows them."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --base-url."""
    parser.addoption(
        "--base-url",
        metavar="URL",
        default=None,
        help="run the HTTP contract (test_server.py) against this running service instead of starting one",
    )
