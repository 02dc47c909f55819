"""How often somebody may ask: counted by Flask-Limiter under account and address, in memory or in Redis."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded

from backend.config import IN_MEMORY, Config
from backend.errors import TooManyRequests, error_response
from backend.serving.addresses import counted_as

SHARED_BY = 10  # so many people with accounts may sit behind one address
_ACCOUNTS, _UPLOADS, _RECORDS, _ANSWERS = "accounts", "uploads", "records", "answers"
_ELSEWHERE = "oidc"  # a blueprint, whose log-ins are looked at
_TAKES_FILES = ("kept", "batches")  # blueprints
_ANSWERS_ALL = ("analyze", "scans", "chat", "compat", "predict")
_REDIS_WITHIN_S = 1.0  # else requests are counted in memory until it is back


@dataclass(frozen=True)
class Rates:
    """Which rate holds for the current request. of_records: the blueprints of records."""

    config: Config
    of_records: frozenset[str]

    def kind(self, _endpoint: str = "") -> str:
        """What is counted together; empty for what is not counted."""
        name = (request.blueprint or "").removesuffix("-older")
        if g.get("keeps"):
            return _UPLOADS
        if name in _ANSWERS_ALL:
            return _ANSWERS if request.method == "POST" else ""
        if name not in self.of_records or request.method == "OPTIONS":
            return ""
        if name == _ELSEWHERE or (name == _ACCOUNTS and request.method != "GET"):
            return _ACCOUNTS
        return _UPLOADS if name in _TAKES_FILES and request.method == "POST" else _RECORDS

    def of_account(self) -> str:
        """As Flask-Limiter reads it; empty: as often as there is room."""
        return self._times(1)

    def of_address(self) -> str:
        """The same of all who share an address."""
        return self._times(SHARED_BY if self.kind() in (_UPLOADS, _RECORDS) else 1)

    def _times(self, times: int) -> str:
        config = self.config
        rates = {
            _ACCOUNTS: config.account_rate, _UPLOADS: config.upload_rate, _RECORDS: config.record_rate,
            _ANSWERS: config.analyze_rate,
        }  # fmt: skip
        rate = rates.get(self.kind())
        return str(replace(rate, count=rate.count * times)) if rate else ""


def set_up_limits(app: Flask, config: Config, of_records: Collection[str]) -> Callable[[], None]:
    """Count each request under its address before it is answered.

    Returns what counts one under its account, once `g.user_id` tells that.
    """
    rates, in_redis = Rates(config, frozenset(of_records)), config.rate_storage != IN_MEMORY
    patience: dict[str, Any] = {"socket_connect_timeout": _REDIS_WITHIN_S, "socket_timeout": _REDIS_WITHIN_S}
    limiter = Limiter(
        lambda: counted_as(request.remote_addr or ""),
        app=app,
        application_limits=[ApplicationLimit(rates.of_address, scope=rates.kind)],
        strategy="sliding-window-counter",
        storage_uri=config.rate_storage,
        storage_options=patience if in_redis else {},
        in_memory_fallback_enabled=in_redis,
    )

    @app.errorhandler(RateLimitExceeded)
    def refuse(error: RateLimitExceeded) -> Response:
        found = limiter.current_limit
        wait_s = found.reset_at - datetime.now(UTC).timestamp() if found else 0
        seconds = max(1, min(int(wait_s) + 1, error.limit.limit.get_expiry()))  # whatever becomes of the clock
        told = f"too many requests: {error.limit.limit} are answered here; try again in {seconds} s"
        return error_response(429, TooManyRequests.code, told, {"Retry-After": str(seconds)})

    return limiter.shared_limit(rates.of_account, scope=rates.kind, key_func=lambda: str(g.user_id))(_nothing)


def _nothing() -> None:
    """What is done between two counts."""
