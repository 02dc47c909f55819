"""Cases as HTTP requests, and what a reply may be."""

from __future__ import annotations

from dataclasses import dataclass

from fuzzing.cases import PICTURES, RECORDINGS, Case
from fuzzing.seeds import Upload
from hostile.broken_uploads import MULTIPART, multipart

from ml_model.tasks.registry import load_image_tasks

_TASKS = load_image_tasks()
_PAGED = next(task.id for task in _TASKS if task.input.pdf_pages)
_SIGNAL = next(task.id for task in _TASKS if task.signal)
_QUERIES = ("", "", "?explain=none", "?explain=inline", "?gate=warn", "?gate=warn&explain=none")
# A refusal under load or beyond a limit is no fault; all other answers of 500 and more are.
BUSY = frozenset({"overloaded", "deadline_exceeded", "draining"})


@dataclass(frozen=True)
class Sent:
    """One request, of POST."""

    path: str
    body: bytes
    content_type: str


def request_of(case: Case, upload: Upload) -> Sent:
    """The request of a case: files to a task that reads such, JSON and forms as they are."""
    rng = case.random()
    if case.family == "SYMPTOMS":
        return Sent("/predict-disease", upload[0][1], "application/json")
    if case.family == "FACTORS":
        return Sent("/predict-heart", upload[0][1], "application/json")
    if case.family == "FORM":
        return Sent(f"/analyze/{rng.choice((_SIGNAL, 'skin'))}", upload[0][1], MULTIPART)
    if case.family in RECORDINGS:
        body = multipart(*(("record", name, data) for name, data in upload))
        return Sent(f"/analyze/{_SIGNAL}{rng.choice(('', '?sampling_rate_hz=100', '?explain=none'))}", body, MULTIPART)
    assert case.family in PICTURES
    task = _PAGED if case.family == "PDF" else rng.choice(_TASKS).id
    path, field = f"/analyze/{task}{rng.choice(_QUERIES)}", "image"
    if rng.random() < 0.1:
        path, field = rng.choice((("/predict", "file"), ("/predict/breast-cancer", "image")))
    return Sent(path, multipart(*((field, name, data) for name, data in upload)), MULTIPART)


def reply_fault(status: int, code: str | None) -> str | None:
    """What is wrong with a reply: a server's error, or a success without an answer. None for what may be."""
    if status >= 500 and code not in BUSY:
        return f"status {status} {code}"
    if not (status == 200 or 400 <= status < 600):
        return f"status {status} {code}"
    return None if (status == 200) == (code is None) else f"status {status} with the code {code}"
