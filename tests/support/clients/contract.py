"""The served OpenAPI document played by schemathesis, with files that the service can read, whole and damaged."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import schemathesis
from dicom_files import ct_slice
from ecg_files import csv_file, dicom_file, dicom_group, heart
from hypothesis import strategies as st
from pictures import detailed, encode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.schemas import BaseSchema

from backend.schemas.batches import BatchBody
from backend.schemas.chat.turns import ChatQuestion
from ml_model.tasks.registry import load_image_tasks

# What a file may be refused with for its content although the request's form is right.
OF_FILES = {
    "unsupported_format", "unreadable_input", "poor_quality", "wrong_modality", "out_of_distribution",
    "input_too_large", "too_costly", "archive_refused",
}  # fmt: skip
BATCH = "POST /api/v1/batch-predict"
SERIES = "POST /api/analyze/series"
CHAT = "POST /api/chat"
FILES = {BATCH: "files", CHAT: "images"}
TASKS = [task.id for task in load_image_tasks()]
BREAST = "POST /analyze/breast"  # hands over to mammograms, which have other codes and may be several
GIVEN = ("yes", "no", "unsure")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")


@dataclass
class Played:
    """What came of it. answered: by operation, how often with which status; failures: one for each kind of fault."""

    cases: Counter[str] = field(default_factory=Counter)
    answered: dict[str, Counter[int]] = field(default_factory=dict)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        rows = [f"{name}: {dict(sorted(statuses.items()))}" for name, statuses in sorted(self.answered.items())]
        return "\n".join([f"{self.cases.total()} cases in {self.seconds:.0f} s {dict(self.cases)}", *rows])


@dataclass(frozen=True)
class Known:
    """What the service knows: names of symptoms, and of some paths the parameters of one that there is."""

    symptoms: Sequence[str]
    paths: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@cache
def _pictures() -> tuple[bytes, ...]:
    # Grey and small: above 500 kB a form goes through a file that schemathesis leaves open.
    return tuple(encode(detailed(280, 256, seed).convert("L"), form) for seed, form in enumerate(FORMATS))


@cache
def _recordings() -> tuple[bytes, ...]:
    signal_mv = heart(rate_hz=250)
    made = (csv_file(signal_mv, rate_hz=250), dicom_file([dicom_group(signal_mv, rate_hz=250)]))
    return tuple(data for files in made for _, data in files)


@cache
def ct_series() -> bytes:
    """A zip of two slices."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in (1, 2):
            film = np.asarray(detailed(96, 80, number).convert("L"), np.int16) * 4 - 800
            archive.writestr(f"{number}", ct_slice(film, BodyPartExamined="CHEST", InstanceNumber=number))
    return written.getvalue()


def _of_series() -> tuple[bytes, ...]:
    return (ct_series(),)


@st.composite
def _files(draw: st.DrawFn, made: Callable[[], tuple[bytes, ...]]) -> bytes:
    """Most of them whole, the others cut off, altered in a few bytes, or of no format.

    The strategy has no file in it, only the function that makes them: hypothesis warns of a strategy that is long to
    write down.
    """
    whole = made()
    data = whole[draw(st.integers(0, len(whole) - 1))]
    damage = draw(st.integers(0, 11))
    place = draw(st.integers(0, len(data))) if damage in (1, 2) else 0
    if damage == 1:
        return data[:place]
    if damage == 2:
        few = draw(st.binary(min_size=1, max_size=8))
        return data[:place] + few + data[place + len(few) :]
    return draw(st.binary(max_size=64)) if damage == 3 else data


def _is_said(symptom: Any) -> bool:
    return isinstance(symptom, str) and len(symptom) <= 200 and bool(symptom.strip())


def _are_answers(answers: Any) -> bool:
    """Whether a request's answers are of the right form: what was made wrong must be sent as it is."""
    return isinstance(answers, dict) and len(answers) <= 100 and set(GIVEN).issuperset(map(str, answers.values()))


def _bodies(known: Known) -> Callable[[HookContext, Any], st.SearchStrategy[Any]]:
    """The hook that puts recordings where the form has a recording, and what is known where symptoms or answers are
    good."""

    def flatmap_body(context: HookContext, body: Any) -> st.SearchStrategy[Any]:
        record, said = (body.get(name) if isinstance(body, dict) else None for name in ("record", "symptoms"))
        answers = body.get("answers", {}) if isinstance(body, dict) else None
        if context.operation and context.operation.label == SERIES and isinstance(body, dict) and "file" in body:
            return st.just(body) | _files(_of_series).map(lambda data: {**body, "file": data})
        if isinstance(record, list) and len(record) == 1:
            return _files(_recordings).map(lambda data: {**body, "record": [data]})
        if isinstance(said, list) and 1 <= len(said) <= 3 and all(map(_is_said, said)) and _are_answers(answers):
            some = st.lists(st.sampled_from(known.symptoms), min_size=1, max_size=5)
            return st.just(body) | some.map(lambda names: {**body, "symptoms": names, "answers": {}})
        if answers and _are_answers(answers):
            some = st.lists(st.sampled_from(known.symptoms), min_size=1, max_size=3)
            given = st.sampled_from(GIVEN)
            of_known = some.flatmap(lambda names: st.fixed_dictionaries({n.replace(" ", "_"): given for n in names}))
            return st.just(body) | of_known.map(lambda found: {**body, "answers": found})
        return st.just(body)

    return flatmap_body


def _paths(known: Known) -> Callable[[HookContext, Any], st.SearchStrategy[Any]]:
    """The hook that puts what there is where the path is one that the document allows."""

    def flatmap_path_parameters(context: HookContext, found: Any) -> st.SearchStrategy[Any]:
        operation = context.operation
        there = known.paths.get(operation.path) if operation else None
        if not (operation and there and operation.path_parameters.get_strict_validator().is_valid(dict(found or {}))):
            return st.just(found)
        return st.just(found) | st.just(there)

    return flatmap_path_parameters


def _counts(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Whether a failure is one; a request of the right form may be refused for what only its content can tell."""
    if isinstance(failure, AcceptedNegativeData):
        return not (_valid_once_sent(case) or _valid_as_text(case))
    if isinstance(failure, ServerError) and case.operation.label == SERIES and response.status_code == 503:
        return bool(response.json()["code"] != "overloaded")  # a few are answered at once, in the background
    if not isinstance(failure, RejectedPositiveData):
        return True
    label, told = case.operation.label, response.json()
    # Of a file that is no DICOM, which its content tells, there is one frame and no window.
    if told["error"].startswith(("frame: received ", "window: this is a ")):
        return False
    # Codes of another task's classes, and words for another kind of picture, are no fault of the form.
    of_kinds = ("right_class: ", "target: ", "modality: ", "scan_type: kinds of picture are not told apart here")
    if label.startswith(("POST /api/", "POST /process-image")) and told["error"].startswith(of_kinds):
        return False
    if label == "POST /predict-disease":
        return bool(told["code"] != "no_symptom_recognised") and not told["error"].startswith("answers: ")
    # Of what a field of a form holds as JSON, the document says nothing; which findings there are, GET /symptoms does.
    if label == CHAT and told["error"].startswith(("history", "answers")):
        return False
    if label == BREAST and case.query and "target" in case.query and told["error"].startswith("target: "):
        return False
    files = _sent(case)
    allowed = OF_FILES if files else set()
    allowed = allowed | ({"empty_input"} if b"" in files else set())
    allowed = allowed | ({"unknown_field"} if label == BREAST and len(files) > 1 else set())
    # Of a recording whose file says another rate than the request, or one below 40 Hz.
    allowed = allowed | ({"out_of_range"} if files and "sampling_rate_hz" in (case.query or {}) else set())
    # Only who sends the same key again knows with which files it came before.
    allowed = allowed | ({"idempotency_key_reused"} if label == BATCH else set())
    return bool(told["code"] not in allowed)


def _valid_once_sent(case: Case) -> bool:
    """Whether a form has an empty list beside its file: sent, it has no part, and the form is that of the file."""
    fields = list(case.body.values()) if isinstance(case.body, dict) else []
    return [] in fields and len([value for value in fields if value != []]) == 1


def _valid_as_text(case: Case) -> bool:
    """Whether the fields of a form are right once they are text: a form has no other values, so that a number where a
    text is asked for cannot be told from one."""
    label = case.operation.label
    if label not in (BATCH, CHAT) or case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return False
    files, model = (FILES[BATCH], BatchBody) if label == BATCH else (FILES[CHAT], ChatQuestion)
    fields = {n: v if isinstance(v, str) else json.dumps(v) for n, v in case.body.items() if n != files}
    known = fields.pop("task", "skin") if label == CHAT else "skin"
    try:
        as_json = {name: json.loads(fields.pop(name)) for name in ("history", "answers") if name in fields}
        model.model_validate(({"message": "x"} if label == CHAT else {}) | fields | as_json)
    except ValueError:
        return False
    sent = case.body.get(files, [] if label == BATCH else None)
    return known in TASKS and (sent is None or (isinstance(sent, list) and len(sent) > 0))


def _sent(case: Case) -> list[bytes]:
    fields = case.body.values() if case.media_type == "multipart/form-data" and isinstance(case.body, dict) else ()
    files = [file for value in fields for file in (value if isinstance(value, list) else [value])]
    return [getattr(file, "data", file) for file in files]


def settings(examples: int, seed: int, *, coverage: bool = True, auth: bool = True) -> SchemathesisConfig:
    """All checks and, but for coverage, all phases; nothing is kept from run to run. auth: whether each request is sent
    once more without its token, which schemathesis cannot do to an application in the same process."""
    generation = {"max-examples": examples, "database": "none", "no-shrink": True}
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "request-timeout": 60.0,  # how quick an answer is, is measured in benchmarks/, not here
            "generation": generation,
            "checks": {"ignored_auth": {"enabled": auth}},
            "phases": {"coverage": {"enabled": coverage, "generate-duplicate-query-parameters": True}},
        }
    )


def play(schema: BaseSchema, known: Known) -> Played:
    """Every case that the schema's settings ask for."""
    schemathesis.openapi.format("binary", _files(_pictures))
    schema.hook("flatmap_body")(_bodies(known))
    schema.hook("flatmap_path_parameters")(_paths(known))
    schema.hook("filter_failure")(_counts)
    played, started = Played(), time.monotonic()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(played, event)
        elif isinstance(event, events.NonFatalError):
            played.failures["schemathesis", event.phase.value, event.label] = repr(event.value)
        elif isinstance(event, events.FatalError):
            raise event.exception
    played.seconds = time.monotonic() - started
    return played


def _note(played: Played, event: events.ScenarioFinished) -> None:
    recorder = event.recorder
    for case_id, exchange in recorder.interactions.items():
        played.cases[event.phase.value] += 1
        operation = recorder.cases[case_id].value.operation
        status = exchange.response.status_code if exchange.response else 0
        if status == 405 or exchange.request.method == operation.method.upper():
            played.answered.setdefault(operation.label, Counter())[status] += 1
    for case_id, checks in recorder.checks.items():
        for found in (check for check in checks if check.failure_info):
            failure = found.failure_info.failure
            response = recorder.interactions[case_id].response
            told = response.content[:300] if response else None
            key = (str(failure.operation), found.name, failure.message.split("\n")[-1])
            played.failures.setdefault(key, f"{failure.message}\n{found.failure_info.code_sample[:600]}\n{told!r}")
