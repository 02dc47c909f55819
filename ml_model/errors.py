"""What can go wrong, one class per thing a caller can do differently.

`code` is the snake_case word that reaches API clients; the HTTP status of each
class is decided in `backend/errors.py` and nowhere else. Messages say what was
received and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class MediDiagnoseError(Exception):
    """Root of every error this project raises on purpose."""

    code: ClassVar[str] = "internal_error"


class EmptyInput(MediDiagnoseError):
    """Nothing was sent: no file, no body, a file of zero bytes."""

    code = "empty_input"


class UnsupportedFormat(MediDiagnoseError):
    """The content is no image (or ECG, or DICOM) that this service reads."""

    code = "unsupported_format"


class InputTooLarge(MediDiagnoseError):
    """More bytes or more pixels than the limit."""

    code = "input_too_large"


class TooCostly(MediDiagnoseError):
    """Reading it would take more computing, memory or time than one file may; the message says which limit."""

    code = "too_costly"


class Overloaded(MediDiagnoseError):
    """Nothing is wrong with the request: the service has as much work as it may take on at a time."""

    code = "overloaded"


class DeadlineExceeded(MediDiagnoseError):
    """The request was not answered within the time that one may take."""

    code = "deadline_exceeded"


class ReaderUnavailable(MediDiagnoseError):
    """No process in which files are read can be started."""

    code = "reader_unavailable"


class UnreadableInput(MediDiagnoseError):
    """The right format by its content, but truncated or corrupt."""

    code = "unreadable_input"


class PoorQuality(MediDiagnoseError):
    """Decodes, but blank, too small or otherwise nothing to diagnose from."""

    code = "poor_quality"


class WrongModality(MediDiagnoseError):
    """A picture of another kind than the task reads."""

    code = "wrong_modality"


class OutOfDistribution(MediDiagnoseError):
    """Of the right kind as it seems, but unlike anything that the model learnt from."""

    code = "out_of_distribution"


class OutOfRange(MediDiagnoseError):
    """A value outside the range in which it has a meaning."""

    code = "out_of_range"


class UnknownField(MediDiagnoseError):
    """A form or JSON field that nothing here reads."""

    code = "unknown_field"


class InvalidJson(MediDiagnoseError):
    """The body is not JSON, or is JSON only to a lenient reader (NaN, repeated keys)."""

    code = "invalid_json"


class InvalidValue(MediDiagnoseError):
    """A value of the wrong type or outside its list; the message names field, value and range."""

    code = "invalid_value"


class NothingRecognised(MediDiagnoseError):
    """None of the given symptoms is known."""

    code = "no_symptom_recognised"


class TaskFileInvalid(MediDiagnoseError):
    """A task file is wrong; the message names file and field."""

    code = "task_file_invalid"


class BundleInvalid(MediDiagnoseError):
    """A bundle is corrupt, tampered with, or made for another task definition."""

    code = "model_invalid"


class ModelUnavailable(MediDiagnoseError):
    """The task exists, but no model is loaded for it."""

    code = "model_unavailable"
