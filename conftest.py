"""Options of the test run. Here, at the top, so that `pytest test_server.py --base-url …` knows them."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --base-url, --contract-examples and --contract-seed."""
    parser.addoption(
        "--base-url",
        metavar="URL",
        default=None,
        help="run the HTTP contract (test_server.py) against this running service instead of starting one",
    )
    parser.addoption(
        "--contract-examples",
        metavar="N",
        type=int,
        default=45,
        help="requests that schemathesis draws for each operation, besides those it derives from the document",
    )
    parser.addoption(
        "--contract-seed", metavar="SEED", type=int, default=20261129, help="what they are drawn from; -1: a random one"
    )
