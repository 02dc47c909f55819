"""What untrusted bytes do to a decoder, as an error that the sender can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ml_model.errors import InputTooLarge, MediDiagnoseError, UnreadableInput


@contextmanager
def refusing_damage(name: str) -> Iterator[None]:
    """Whatever a decoder raises becomes an error that the sender can act on."""
    try:
        yield
    except MediDiagnoseError:
        raise
    except MemoryError as error:
        raise InputTooLarge(f"the {name} picture does not fit into this server's memory; send a smaller one") from error
    except Exception as error:  # decoders meet untrusted bytes with every kind of exception
        raise UnreadableInput(_damage(name, error)) from error


def _damage(name: str, error: Exception) -> str:
    """A message for a file that has the right signature and cannot be decoded."""
    detail = str(error).lower()
    cut = isinstance(error, EOFError) or any(word in detail for word in ("truncat", "end of", "eof", "not enough"))
    what = "is truncated (the file ends before the picture does)" if cut else "is corrupt"
    return f"the content starts as {name} but {what}; export the picture again and resend it"
