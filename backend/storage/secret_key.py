"""The secret that signs cookies and tokens where the operator gave none."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from backend.config import LEAST_KEY_CHARACTERS, Config

FILE_NAME = "secret_key"
HASHING = "passwords"  # a purpose, see `derived`
_BYTES = 32


def secret_of(config: Config) -> str:
    """The given secret; else in development the one kept in the data folder (mode 600), else a random one."""
    if config.secret_key:
        return config.secret_key
    if config.keeps_secret:
        with contextlib.suppress(OSError):  # a folder that takes nothing: every start has a secret of its own
            return _kept(config.data_dir / FILE_NAME)
    return secrets.token_hex(_BYTES)


def _kept(path: Path) -> str:
    """The file's content, made where it is missing, too short or not ASCII. Raises OSError."""
    with contextlib.suppress(OSError):
        kept = path.read_bytes().strip()
        if len(kept) >= LEAST_KEY_CHARACTERS and kept.isascii():
            return kept.decode("ascii")
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, written = tempfile.mkstemp(dir=path.parent, prefix=FILE_NAME)  # for this user alone: mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(written, path)  # of two that start at once, one is first, and both read its secret
    finally:
        os.unlink(written)
    return path.read_text(encoding="ascii").strip()


def derived(secret: str, purpose: str) -> str:
    """A secret for one purpose, so that what is signed for one is worth nothing for another."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()
