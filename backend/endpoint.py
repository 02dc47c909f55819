"""What every endpoint does: read a request strictly (query, JSON body, files), write its answer as JSON.

The views are declared with annotations (`query:`, `body:`), from which the OpenAPI document is
made; `strict` reads the request by the same annotations. It takes the place of flask-openapi3's
own reader, which accepts NaN and repairs types, and which builds a JSON schema on each request.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import tempfile
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import IO, Any, get_type_hints

from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from pydantic import BaseModel, ValidationError
from rapidfuzz import fuzz, process
from werkzeug.datastructures import FileStorage

from backend.errors import HostNotAllowed, Unauthenticated, UnknownParameter
from backend.schemas.accounts import Account
from backend.schemas.common import FHIR_JSON, FHIR_R4_JSON, Answer
from backend.schemas.kept import KeepQuery
from backend.storage.spooled import Spooled
from ml_model.errors import EmptyInput, InvalidValue, UnknownField, UnsupportedFormat
from ml_model.inputs.json_body import read_body, refuse

MAX_UPLOAD_BYTES = 32_000_000
MULTIPART_SLACK_BYTES = 64 * 1024
SERVICES = "medidiagnose"  # the application's extension that holds them
SIGNED = "medidiagnose-signed"  # that tells whether a token could be one of ours, without a look at the accounts
# Whose bodies go through a file, where an account sends them.
BATCH_PATHS = ("/api/v1/batch-predict", "/api/batch-predict", "/api/analyze/series")
IDENTIFY = "medidiagnose-identity"  # that tells whose token a request has
COOKIE = "medidiagnose_session"
CSRF_HEADER = "X-CSRF-TOKEN"
COUNT = "medidiagnose-count"  # that counts a request of an account as what it is
TOKEN_HEADERS = ("Authorization", CSRF_HEADER)
PORT_AT_END = re.compile(r":\d*$")
ALIKE_FROM = 60  # of 100: from here on one name is taken for a misspelling of another


class UploadRequest(Request):
    """A request whose uploads stay in memory: an image is patient data and is never spooled to disk. file_dir: the
    folder of a file without a name, which an account's many files at once go through."""

    file_dir: Path | None = None
    max_content_length = MAX_UPLOAD_BYTES + MULTIPART_SLACK_BYTES
    max_form_parts = 64

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO() if self.file_dir is None else tempfile.TemporaryFile(dir=self.file_dir)


class SignedCookie(SecureCookieSessionInterface):
    """Flask's signed session cookie, Secure where the connection is TLS: our own, or that of a proxy before us."""

    def get_cookie_secure(self, app: Flask) -> bool:
        # Believed of anyone: who forges the header only keeps the own cookie from plain HTTP.
        forwarded = request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower()
        return request.is_secure or forwarded == "https"


def is_ours(host: str, allowed: Collection[str]) -> bool:
    """Whether a Host header names us. `.example.org` allows all names below it.

    An address in figures is always ours: nobody can make a name's page have it for its origin.
    """
    name = _bare_name(host)
    if not name or "*" in allowed or name in allowed or any(n[0] == "." and name.endswith(n) for n in allowed):
        return True
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False


def _bare_name(host: str) -> str:
    return PORT_AT_END.sub("", host).strip("[]").rstrip(".").lower()


def check_host(allowed: Collection[str]) -> None:
    """Raises HostNotAllowed where the client calls us by a name that is not ours."""
    if not is_ours(host := request.headers.get("Host", ""), allowed):
        raise HostNotAllowed(f"this service is not called {_bare_name(host)!r:.80}; if it is, see ALLOWED_HOSTS")


def body_bytes() -> bytes:
    """The request's JSON body as it was sent. Raises UnsupportedFormat when it is declared as something else."""
    if not request.is_json and request.mimetype:
        raise UnsupportedFormat(f"received {request.mimetype:.80}; send JSON with Content-Type: application/json")
    return request.get_data()


def _read_query(model: type[BaseModel]) -> BaseModel:
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        refuse(error, "query")


def _refuse_unknown_parameters(known: Collection[str], body: Collection[str]) -> None:
    """Raises UnknownParameter, or InvalidValue for one that is there twice: what is left out in silence would answer
    another question than was asked."""
    unknown = next((name for name in request.args if name not in known), None)
    if unknown is None:
        if twice := next((name for name, values in request.args.lists() if len(values) > 1), None):
            raise InvalidValue(f"{twice}: it is in the address more than once; send each parameter once")
        return
    nearest = process.extractOne(unknown, known, scorer=fuzz.WRatio, score_cutoff=ALIKE_FROM)
    hint = f"; nearest known: {nearest[0]}" if nearest else ""
    if unknown in body:
        hint = "; it is a field of the JSON body"
    taken = f"this address takes: {', '.join(known)}" if known else "this address takes none"
    raise UnknownParameter(f"unknown query parameter {unknown!r:.80}{hint}; {taken}")


def uploaded_files(most: Mapping[str, int], parameters: Collection[str] = ()) -> tuple[str, list[FileStorage]]:
    """The files of a multipart request and the one field they are in; `most` has the fields and their limits.

    parameters: what the address takes in its query. Raises EmptyInput or UnknownField.
    """
    names, first = ", ".join(most), next(iter(most))
    example = f"curl -F {first}=@photo.jpg"
    if request.mimetype != "multipart/form-data":
        received = request.mimetype or "no Content-Type"
        raise EmptyInput(f"no file was sent (received {received:.80}); send multipart/form-data, for example {example}")
    files, texts = request.files, request.form
    if unknown := [name for name in (*files, *texts) if name not in most]:
        query = f"; {unknown[0]} belongs into the address: {request.path}?{unknown[0]}=..."
        hint = query if unknown[0] in parameters else ""
        raise UnknownField(f"unknown form field {unknown[0]!r:.80}{hint}; of a form this endpoint reads: {names}")
    if texts and not files:
        field = next(iter(texts))
        raise EmptyInput(f"the field {field} holds text, not a file; send the file itself, for example {example}")
    sent = {name: files.getlist(name) for name in most if name in files}
    if not sent:
        raise EmptyInput(f"no file was sent; send one in the field {first}, for example {example}")
    field, chosen = next(iter(sent.items()))
    if len(sent) > 1 or texts:
        count = sum(map(len, sent.values())) + len(texts)
        raise UnknownField(f"{count} parts were sent; send files in one of the fields: {names}")
    if len(chosen) > most[field]:
        wanted = "exactly one file" if most[field] == 1 else f"at most {most[field]} files"
        raise UnknownField(f"{len(chosen)} parts were sent; send {wanted} in the field {field}")
    return field, chosen


def wants_fhir() -> bool:
    """Whether the client would rather have FHIR than our own JSON, which is for whoever says nothing."""
    return request.accept_mimetypes.best_match(("application/json", FHIR_JSON, FHIR_R4_JSON)) in (
        FHIR_JSON,
        FHIR_R4_JSON,
    )


def to_json(answer: Answer, status: int = 200) -> Response:
    """The response of an answer; what was not set is left out."""
    body = answer.model_dump_json(by_alias=True, exclude_unset=True)
    return Response(body + "\n", status=status, mimetype="application/json")


def spooled(body: Spooled, mimetype: str) -> Response:
    """The response of an answer that is sent from a file."""
    response = Response(body, mimetype=mimetype, direct_passthrough=True)
    response.content_length = body.size_bytes
    return response


def _anybody(keeps: bool) -> Account | None:
    """Whose token a request has to an address that is open; None without one. Cookies alone are no token here: that
    the page of this service sends them, its header has to show. keeps: whether the answer is to be kept.

    Raises Unauthenticated where there must be one: to keep an answer, or with `AUTH=required`.
    """
    needed = keeps or current_app.extensions[SERVICES].config.auth_required
    if not (needed or any(name in request.headers for name in TOKEN_HEADERS)):
        return None
    account: Account | None = current_app.extensions[IDENTIFY](required=needed)
    return account


def keeper(account: Account | None, query: KeepQuery) -> Account | None:
    """Who keeps the answer: by the request, else by the account's setting. It is counted as an upload then.

    Raises Unauthenticated or InvalidValue where a patient is named and nothing is kept; RateLimitExceeded.
    """
    keeps = account is not None and (account.keep_answers if query.keep is None else query.keep)
    if query.patient_ref and not keeps:
        if account is None:
            raise Unauthenticated("patient_ref is kept with an answer, for which an account is needed")
        raise InvalidValue("patient_ref: nothing is kept of this request; send keep=true, or leave patient_ref out")
    if not keeps:
        return None
    g.keeps = True
    current_app.extensions[COUNT]()
    return account


def _names(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


def strict(view: Callable[..., Answer | Response]) -> Callable[..., Response]:
    """Fill a view's `query` and `body` from the request, its `services` from the application and its `account` from
    the request's token (`Account | None`: where it has one), by their annotations; refuse every other query parameter;
    send the answer that it returns."""
    hints = get_type_hints(view)
    query, body = hints.get("query"), hints.get("body")
    wants_services, who = "services" in hints, hints.get("account")
    parameters, fields = (_names(model) if model else () for model in (query, body))

    @wraps(view)
    def read(**route: Any) -> Response:
        if who is Account:
            route["account"] = current_app.extensions[IDENTIFY]()
        _refuse_unknown_parameters(parameters, fields)
        if query is not None:
            route["query"] = _read_query(query)
        if who is not None and who is not Account:
            route["account"] = _anybody(bool(getattr(route.get("query"), "keep", None)))
        if body is not None:
            route["body"] = read_body(body_bytes(), body)
        if wants_services:
            route["services"] = current_app.extensions[SERVICES]
        answer = view(**route)
        return to_json(answer) if isinstance(answer, Answer) else answer

    # flask-openapi3 then leaves the reading to us.
    read.__delay_validate_request__ = True  # type: ignore[attr-defined]
    return read
