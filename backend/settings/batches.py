"""What a batch may be, and who works on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.settings.reading import ConfigError, whole_number_of

BYTES_BESIDE = 1024  # of a form, around each file
_BROKERS = ("redis://", "rediss://", "redis+socket://")


def of_batches(environ: Mapping[str, str], unfinished: int) -> dict[str, Any]:
    """Fields of `Config`. unfinished: batches of one account, unless the environment says. Raises ConfigError."""
    broker_url = environ.get("CELERY_BROKER_URL", "").strip()
    if broker_url and not broker_url.startswith(_BROKERS):
        # The value itself is not told: it can hold a password.
        raise ConfigError(f"CELERY_BROKER_URL: expected redis://host:6379/0; schemes: {', '.join(_BROKERS)}")
    return {
        "batch_bytes": 10**6 * whole_number_of(environ, "BATCH_MB", 1000, (1, 100_000)),
        "batch_files": whole_number_of(environ, "BATCH_FILES", 2000, (1, 100_000)),
        "batch_lease_s": float(whole_number_of(environ, "BATCH_LEASE_S", 60, (2, 3600))),
        "unfinished_batches": whole_number_of(environ, "BATCHES_UNFINISHED", unfinished, (1, 100_000)),
        "celery_broker_url": broker_url,
    }
