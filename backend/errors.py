"""Errors at the edge: which status each has, and the one JSON shape all of them take."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from ml_model import errors as domain

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 30


class NotFound(domain.MediDiagnoseError):
    """No such task, heatmap or card; the message lists what there is."""

    code = "not_found"


class UnknownParameter(domain.UnknownField):
    """A query parameter that the address does not read; the message lists those that it does."""

    code = "unknown_parameter"


class NotAcceptable(domain.MediDiagnoseError):
    """The answer cannot be given in any form that the client takes."""

    code = "not_acceptable"


class HostNotAllowed(domain.MediDiagnoseError):
    """The service was called by a name that is not its own, as the page of a stranger does after DNS rebinding."""

    code = "host_not_allowed"


class Unauthenticated(domain.MediDiagnoseError):
    """No account is told, or the token that tells it is worth nothing (any more). challenge: of WWW-Authenticate."""

    code = "unauthenticated"
    challenge: ClassVar[str] = "Bearer"


class WrongPassword(Unauthenticated):
    """No account has this name and password."""

    code = "wrong_password"


class ReauthenticationNeeded(Unauthenticated):
    """The issuer has to have seen who asks just now. The challenge is that of RFC 9470."""

    code = "insufficient_user_authentication"
    within_s: ClassVar[int] = 300
    challenge = f'Bearer error="{code}", max_age="{within_s}"'


class Forbidden(domain.MediDiagnoseError):
    """The account is known, and may not do this."""

    code = "forbidden"


class CsrfFailed(Forbidden):
    """Cookies alone are no proof that the page of this service sent the request."""

    code = "csrf_failed"


class AlreadyExists(domain.MediDiagnoseError):
    """There is one of that name."""

    code = "already_exists"


class QuotaExceeded(domain.InputTooLarge):
    """An account's files would take more than they may together."""

    code = "quota_exceeded"


class IdempotencyKeyReused(domain.InvalidValue):
    """The key came with another request before."""

    code = "idempotency_key_reused"


class ArchiveRefused(domain.UnreadableInput):
    """A zip that is not unpacked; the message says why."""

    code = "archive_refused"


class TooManyAttempts(domain.MediDiagnoseError):
    """It was tried too often; a later try is looked at again."""

    code = "too_many_attempts"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyRequests(TooManyAttempts):
    """An account, or an address, asks more often than it may."""

    code = "too_many_requests"


class TooManyBatches(TooManyAttempts):
    """An account has as many batches that are not finished as it may have."""

    code = "too_many_batches"

    def __init__(self, message: str) -> None:
        super().__init__(message, RETRY_AFTER_S)


class RecordsUnavailable(domain.MediDiagnoseError):
    """The database or the folder of files cannot be used; pictures are answered all the same."""

    code = "records_unavailable"
    retry_after_s: ClassVar[int] = 5


@contextmanager
def on_disk() -> Iterator[None]:
    """Around the file that a body goes through. Raises RecordsUnavailable where the disk takes nothing."""
    try:
        yield
    except OSError as error:
        raise RecordsUnavailable(f"the body cannot be taken on now ({error.strerror}); try again later") from error


class IssuerUnavailable(domain.MediDiagnoseError):
    """Where people log in does not answer, or is another than it should be."""

    code = "issuer_unavailable"
    retry_after_s: ClassVar[int] = 5


class StillLoading(domain.ModelUnavailable):
    """The model is there and will be ready in a moment."""

    code = "model_loading"
    retry_after_s: ClassVar[int] = 2


class Draining(domain.MediDiagnoseError):
    """The server has been told to stop and takes no new work."""

    code = "draining"
    retry_after_s: ClassVar[int] = 5


class Busy(domain.Overloaded):
    """There is no room for this request now; there will be in a moment."""

    retry_after_s: ClassVar[int] = 1


# The one place where an error becomes a status. A subclass has its parent's unless it is named.
STATUS: dict[type[domain.MediDiagnoseError], int] = {
    domain.EmptyInput: 400,
    domain.UnknownField: 400,
    UnknownParameter: 400,
    domain.InvalidJson: 400,
    HostNotAllowed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    NotAcceptable: 406,
    AlreadyExists: 409,
    domain.InputTooLarge: 413,
    domain.TooCostly: 413,
    domain.UnsupportedFormat: 415,
    domain.UnreadableInput: 422,
    domain.PoorQuality: 422,
    domain.WrongModality: 422,
    domain.OutOfDistribution: 422,
    domain.OutOfRange: 422,
    domain.NothingRecognised: 422,
    domain.InvalidValue: 422,
    TooManyAttempts: 429,
    domain.ModelUnavailable: 503,
    StillLoading: 503,
    domain.BundleInvalid: 503,
    domain.Overloaded: 503,
    domain.ReaderUnavailable: 503,
    domain.DeadlineExceeded: 504,
    Draining: 503,
    RecordsUnavailable: 503,
    IssuerUnavailable: 503,
    domain.MediDiagnoseError: 500,
}

HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "input_too_large",
    415: "unsupported_format",
    431: "header_too_large",
    501: "not_implemented",
}
HTTP_MESSAGES = {
    404: "there is nothing at this path; GET / lists the endpoints",
    413: "the upload is larger than 32 MB; send a smaller file",
}
TOO_MANY_PARTS = "the form has too many parts or too much text; send files only, one part for each"
INTERNAL = "something went wrong inside the service; the log holds the cause under this request_id"


def status_of(error: domain.MediDiagnoseError) -> int:
    """HTTP status of a domain error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def error_body(message: str, code: str, request_id: str) -> dict[str, Any]:
    """The error object; its four keys are part of the contract."""
    return {"success": False, "error": message, "code": code, "request_id": request_id}


def error_response(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """The error as JSON, or as RFC 9457 problem details when the client asks for that."""
    body = error_body(message, code, g.get("request_id", ""))
    mimetype = "application/json"
    if PROBLEM_JSON in request.headers.get("Accept", ""):
        mimetype = PROBLEM_JSON
        body |= {
            "type": "about:blank",
            "title": code.replace("_", " ").capitalize(),
            "status": status,
            "detail": message,
        }
    response = Response(json.dumps(body, allow_nan=False) + "\n", status=status, mimetype=mimetype)
    response.headers.extend(headers or {})
    g.error_code = code
    return response


def _on_domain_error(error: domain.MediDiagnoseError) -> Response:
    status = status_of(error)
    if status == 500:
        return _on_unexpected(error)
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = error.challenge
    if status in (429, 503):
        headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
    return error_response(status, error.code, str(error), headers)


def _on_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    message = HTTP_MESSAGES.get(status, error.description or error.name)
    if status == 413 and (request.content_length or 0) <= (request.max_content_length or 0):
        message = TOO_MANY_PARTS
    headers = {}
    if status == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        message = f"{request.method} is not allowed here; allowed: {allowed}"
        headers["Allow"] = allowed
    return error_response(status, HTTP_CODES.get(status, f"http_{status}"), message, headers)


def where(error: Exception) -> dict[str, Any]:
    """For the log. Where, not what: an exception's message can quote the upload or a patient's value."""
    frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-8:]]
    frames += getattr(error, "frames", ())  # of a process that read the file
    return {"error_type": type(error).__name__, "frames": frames}


def _on_unexpected(error: Exception) -> Response:
    logger: structlog.typing.FilteringBoundLogger = g.logger
    logger.error("unexpected_error", **where(error), request_id=g.request_id)
    return error_response(500, "internal_error", INTERNAL)


def register_error_handlers(app: Flask) -> None:
    """Every failure of the application leaves through one of these three."""
    app.register_error_handler(domain.MediDiagnoseError, _on_domain_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_unexpected)
