"""What a request to the symptom checker costs, inside the process and over HTTP.

    python benchmarks/symptom_requests.py [--runs 100]

Starts `backend/server.py` on a free port. In turn, in one run: the checker alone in this process, with and without its
questions; POST /predict-disease with the same words; the same with a body that is refused when it is read, which is
what HTTP, routing and the log cost by themselves; GET /livez, which the server answers before any of that. Medians in
milliseconds. Bar: 10 ms a request beside HTTP, questions included, for the median of the texts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import requests
from serving import served

from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.symptoms.checker import SymptomChecker, Words
from ml_model.symptoms.engine import SymptomEngine
from ml_model.tasks.registry import load_task

BESIDE_HTTP_BAR_MS, WARM = 10.0, 5
STORY = """I am a 34 year old woman. For the last three days I have had a dry cough, a sore throat and a fever of 39. My
head hurts, worse when I bend over, and I feel exhausted. No rash, no stiff neck, no shortness of breath. I had asthma
as a child, my mother has diabetes, I take the pill and smoke ten a day."""
REFUSED = {"symptoms": [1]}
TEXTS: dict[str, dict[str, Any]] = {
    "three symptoms": {"symptoms": ["fever", "headache", "fatigue"]},
    "a sentence": {"description": "It burns when I pee since yesterday and I go all the time, no fever."},
    "a story": {"description": STORY},
    "5,000 characters": {"description": ("I have a cough, no fever, and my left knee hurts on stairs. " * 90)[:5000]},
}


def timed(do: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    do()
    return 1000 * (time.perf_counter() - began)


def shipped_checker() -> SymptomChecker:
    """Of the bundle in ml_model/models."""
    contract = load_task("disease").contract_sha256
    found = SymptomEngine.load(load_bundle(MODELS_DIR / "disease", task="disease", contract_sha256=contract)).checker
    if found is None:
        raise SystemExit("the bundle has no checker; fit one: docs/symptoms.md")
    return found


def words_of(body: dict[str, Any]) -> Words:
    return Words(body.get("description", ""), tuple(body.get("symptoms", ())))


def refuse(session: requests.Session, address: str) -> None:
    """Raises RuntimeError where it is answered."""
    reply = session.post(address, json=REFUSED, timeout=60)
    if reply.status_code != requests.codes.unprocessable:
        raise RuntimeError(f"{address} answered {reply.status_code} to {REFUSED}: expected 422")


def measured(
    checker: SymptomChecker, url: str, session: requests.Session, body: dict[str, Any], runs: int
) -> list[float]:
    """Medians: without questions, with them, over HTTP, refused, GET /livez."""
    words, found = words_of(body), []
    for run in range(runs + WARM):
        with patch.object(checker.interview, "next_questions", lambda *given: ()):
            bare = timed(lambda: checker.assess(words))
        whole = timed(lambda: checker.assess(words))
        http = timed(lambda: session.post(f"{url}/predict-disease", json=body, timeout=60).raise_for_status())
        refused = timed(lambda: refuse(session, f"{url}/predict-disease"))
        livez = timed(lambda: session.get(f"{url}/livez", timeout=60).raise_for_status())
        if run >= WARM:
            found.append((bare, whole, http, refused, livez))
    return [statistics.median(column) for column in zip(*found, strict=True)]


def main() -> int:
    """Print the figures; exit code 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    checker, beside = shipped_checker(), []
    print(
        f"{'ms, median':18}{'no questions':>14}{'in process':>12}{'over HTTP':>11}{'refused':>9}{'GET /livez':>12}"
        f"{'beside HTTP':>13}{'beside /livez':>15}"
    )
    with served() as (url, _), requests.Session() as session:
        for name, body in TEXTS.items():
            bare, whole, http, refused, livez = measured(checker, url, session, body, options.runs)
            beside.append(http - refused)
            print(f"{name:18}{bare:14.2f}{whole:12.2f}{http:11.2f}{refused:9.2f}{livez:12.2f}{http - refused:13.2f}"
                  f"{http - livez:15.2f}")  # fmt: skip
    middle = statistics.median(beside)
    print(f"median of the texts beside HTTP: {middle:.2f} ms (bar {BESIDE_HTTP_BAR_MS:g})")
    return int(middle > BESIDE_HTTP_BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
