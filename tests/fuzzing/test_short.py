"""The short form of `make fuzz`: the same cases each time, every format, in the parsers and over HTTP."""

from __future__ import annotations

import pytest
from fuzzing.cases import FAMILIES, KEPT, Case, seeds_of
from fuzzing.requests import reply_fault, request_of
from fuzzing.summary import Tally
from fuzzing.targets import PARSERS, examined

from backend.app import Application

SEED = 17
LONGEST_BYTES = 3000  # of a run; `make fuzz` makes longer ones
CASES = dict.fromkeys(PARSERS, 50) | {"PDF": 4, "DICOM": 30}  # a page takes a process of its own
CASES |= {KEPT + "DICOM": 30, KEPT + "DICOM-ECG": 20, KEPT + "CSV": 30, KEPT + "AVIF": 30}
SENT = dict.fromkeys(FAMILIES, 10) | {"PDF": 1}


@pytest.mark.parametrize("family", PARSERS)
def test_the_seeds_are_read(family: str) -> None:
    """Mutants of files that nothing reads would test nothing."""
    ends = [examined(Case(0, family, index), upload) for index, upload in enumerate(seeds_of(family))]
    assert [end.fault for end in ends if end.fault] == []
    assert sum(end.refused is None for end in ends) >= len(ends) / 2


@pytest.mark.parametrize("family", sorted({*FAMILIES, *PARSERS}))
def test_a_case_is_made_again_from_its_name(family: str) -> None:
    cases = [Case(SEED, family, index) for index in range(20)]
    made = [case.upload() for case in cases]
    assert [Case.named(str(case)).upload() for case in cases] == made
    assert len(set(made)) > 10


@pytest.mark.parametrize("family", PARSERS)
def test_parsers_answer_or_refuse_with_a_reason(family: str) -> None:
    tally = Tally()
    for index in range(CASES[family]):
        case = Case(SEED, family, index)
        outcome = examined(case, case.upload(LONGEST_BYTES))
        assert outcome.fault is None, f"{case}: {outcome.fault}"
        tally.add(case, outcome.refused or "answered", outcome.computing_s, outcome.fault)
    assert len(tally.ends) > 1 or family == "PDF", "but one kind of end: what is mutated is not what is read"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_service_answers_or_refuses_with_a_reason(live_app: Application, family: str) -> None:
    client = live_app.test_client()
    for index in range(SENT[family]):
        case = Case(SEED, family, index)
        sent = request_of(case, case.upload(LONGEST_BYTES))
        reply = client.post(sent.path, data=sent.body, content_type=sent.content_type)
        assert reply_fault(reply.status_code, reply.get_json().get("code")) is None, f"{case}: {reply.text}"
