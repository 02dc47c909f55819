"""The service's settings. The only module that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from backend.settings.batches import BYTES_BESIDE, of_batches
from backend.settings.chat import ChatSettings, of_chat
from backend.settings.mcp import McpSettings, of_mcp
from backend.settings.pacs import Pacs, of_pacs
from backend.settings.reading import ConfigError, flag, threads, whole_number, whole_number_of
from backend.settings.values import (
    IN_MEMORY,
    LEAST_KEY_CHARACTERS,
    Network,
    Rate,
    counters,
    database_url,
    networks,
    oidc,
    one_of,
    public_url,
    rate,
    secret_key,
    storage_url,
    words,
)
from ml_model.inference.bundle import MODELS_DIR
from ml_model.tasks.registry import TASKS_DIR

__all__ = [
    "IN_MEMORY", "LEAST_KEY_CHARACTERS", "Config", "ConfigError", "Network", "ProductionConfig", "Rate",
    "TestingConfig", "whole_number",
]  # fmt: skip
REPOSITORY = Path(__file__).resolve().parent.parent
Engine = Literal["auto", "openvino", "onnxruntime"]
ENGINES: tuple[Engine, ...] = ("auto", "openvino", "onnxruntime")
PORTS, THREADS = (0, 65_535), (1, 256)
LOOPBACK_ADDRESSES = frozenset({"127.0.0.1", "::1", "localhost"})
LOOPBACK_NAMES = ("localhost", ".localhost")


def _secret_key(env: Mapping[str, str], kind: type[Config]) -> str:
    key = secret_key(env)
    if kind.needs_secret and not key:
        raise ConfigError(
            "SECRET_KEY: APP_ENV=production needs one of at least 16 characters, the same at every start; "
            "python -c 'import secrets; print(secrets.token_hex(32))' makes one"
        )
    return key


def _rates(environ: Mapping[str, str], kind: type[Config]) -> dict[str, Any]:
    """How often somebody may ask."""
    return {
        "account_rate": rate(environ, "RATE_ACCOUNTS", kind.account_rate),
        "upload_rate": rate(environ, "RATE_UPLOADS", kind.upload_rate),
        "record_rate": rate(environ, "RATE_RECORDS", kind.record_rate),
        "analyze_rate": rate(environ, "RATE_ANALYZE", kind.analyze_rate),
        "rate_storage": counters(environ),
    }


def default_hosts(host: str) -> tuple[str, ...]:
    """On this machine alone, the names of this machine: the page of a stranger, whose name was made to lead here, is
    not served. Where others may call, they do so by names that are not known here."""
    return LOOPBACK_NAMES if host in LOOPBACK_ADDRESSES else ("*",)


def _limits(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the embedded server grants."""
    return {
        "request_deadline_s": float(whole_number_of(environ, "REQUEST_DEADLINE_S", 30, (1, 3600))),
        "header_deadline_s": float(whole_number_of(environ, "HEADER_DEADLINE_S", 10, (1, 600))),
        "queue_length": whole_number_of(environ, "QUEUE_LENGTH", 32, (0, 10_000)),
        "requests_per_address": whole_number_of(environ, "REQUESTS_PER_ADDRESS", 28, (1, 10_000)),
        "connections": whole_number_of(environ, "CONNECTIONS", 1000, (8, 100_000)),
        "connections_per_address": whole_number_of(environ, "CONNECTIONS_PER_ADDRESS", 256, (1, 100_000)),
        "result_cache_bytes": 10**6 * whole_number_of(environ, "RESULT_CACHE_MB", 16, (0, 100_000)),
        "upload_memory_bytes": 10**6 * whole_number_of(environ, "UPLOAD_MEMORY_MB", 256, (40, 1_000_000)),
        "trusted_proxies": networks(environ, "TRUSTED_PROXIES"),
    }


@dataclass(frozen=True)
class Config:
    """Everything that can differ between two runs of the same code.

    `model_dirs` are searched in order for `<task>/manifest.json`; `user_models_dir` is where
    a user drops a Keras file; `local_operating_points` a file of thresholds that this site has chosen for itself.
    `drain_s` is how long the port stays open after SIGTERM, so
    that a load balancer can read the 503 of /readyz before the connection is refused. Without `input_gate` kinds of
    picture are not told apart. `secret_key` signs the session cookie; empty: a random one for each process.
    From `request_deadline_s` to `trusted_proxies`: what the embedded server grants (`backend/serving`); an answer is
    due `request_deadline_s` after its request was received whole. `allowed_hosts` are the names by which the service
    may be called; `*` means any. `result_cache_bytes`: of the last answers of /api/analyze. `database_url`: of records;
    empty: a file in the data folder. `storage_url`: the bucket of their files; empty: a folder in the data folder.
    `quota_bytes`: of the files of one account.
    `registration`: whether anybody may make an account. `public_url`: by which people reach the service; empty: the
    name that a request came by. `auth_required`: whether nothing is answered without an account. `oidc_issuer`: where
    people may log in, too. From `account_rate` to `rate_storage`: how often somebody may ask
    (`backend/api/records/limits.py`); None: as often as there is room. `batch_bytes` and `batch_files` may be sent at
    once; after `batch_lease_s` a file that was begun and not ended is begun by another; one account may have
    `unfinished_batches`. `celery_broker_url`: of the queue that tells workers of batches; empty: this process works on
    them itself. `chat`: the language model that words replies, if any; `mcp` and `pacs`: of `python -m backend.mcp` and
    `python -m backend.dicomweb`, not of the service.

    This class is the configuration of development: a secret that is missing is made and kept in the data folder.
    """

    name: ClassVar[str] = "development"
    keeps_secret: ClassVar[bool] = True  # a random one, where none is given
    needs_secret: ClassVar[bool] = False
    secure_cookies: ClassVar[bool] = False  # those of accounts go over TLS alone
    cheap_passwords: ClassVar[bool] = False  # hashed in no time, and worth nothing

    host: str = "127.0.0.1"
    port: int = 5000
    threads: int = 4
    debug: bool = False
    demo_mode: bool = True
    input_gate: bool = True
    allow_pickle: bool = False
    engine: Engine = "auto"
    log: bool = True
    cors_origins: tuple[str, ...] = ("*",)
    drain_s: float = 1.0
    request_deadline_s: float = 30.0
    header_deadline_s: float = 10.0
    queue_length: int = 32
    requests_per_address: int = 28
    connections: int = 1000
    connections_per_address: int = 256
    upload_memory_bytes: int = 256_000_000
    result_cache_bytes: int = 16_000_000
    trusted_proxies: tuple[Network, ...] = ()
    allowed_hosts: tuple[str, ...] = LOOPBACK_NAMES
    tasks_dir: Path = TASKS_DIR
    model_dirs: tuple[Path, ...] = (MODELS_DIR,)
    user_models_dir: Path = MODELS_DIR.parent
    local_operating_points: Path | None = None
    data_dir: Path = REPOSITORY / "data"
    secret_key: str = field(default="", repr=False)
    database_url: str = field(default="", repr=False)
    storage_url: str = ""
    quota_bytes: int = 1_000_000_000
    retention_days: int = 0
    registration: bool = True
    public_url: str = ""
    auth_required: bool = False
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    account_rate: Rate | None = Rate(60, "minute")
    upload_rate: Rate | None = Rate(120, "minute")
    record_rate: Rate | None = Rate(1200, "minute")
    analyze_rate: Rate | None = None
    rate_storage: str = field(default=IN_MEMORY, repr=False)
    batch_bytes: int = 1_000_000_000
    batch_files: int = 2000
    batch_lease_s: float = 60.0
    unfinished_batches: int = 10
    celery_broker_url: str = field(default="", repr=False)
    chat: ChatSettings = ChatSettings()
    mcp: McpSettings = McpSettings()
    pacs: Pacs = Pacs()  # noqa: RUF009 - frozen

    @property
    def batch_body_bytes(self) -> int:
        """Of a form with a batch: its files, and what is around each."""
        return self.batch_bytes + BYTES_BESIDE * self.batch_files

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read the settings that docs/api.md lists; `APP_ENV` chooses the class. Raises ConfigError naming the
        variable."""
        env = os.environ if environ is None else environ
        kind = _kind(env)
        engine = env.get("ENGINE", "auto").strip() or "auto"
        if engine not in ENGINES:
            raise ConfigError(f"ENGINE={engine!r}: expected one of {', '.join(ENGINES)}")
        host = env.get("HOST", "").strip() or cls.host
        return kind(
            host=host,
            port=whole_number_of(env, "PORT", cls.port, PORTS),
            threads=threads(env, cls.threads, THREADS),
            demo_mode=flag(env, "DEMO_MODE", True),
            input_gate=flag(env, "INPUT_GATE", True),
            allow_pickle=flag(env, "ALLOW_PICKLE", False),
            engine=engine,
            cors_origins=tuple(o.strip() for o in env.get("CORS_ORIGINS", "*").split(",") if o.strip()),
            **_limits(env),
            allowed_hosts=tuple(map(str.lower, words(env, "ALLOWED_HOSTS"))) or default_hosts(host),
            drain_s=float(whole_number_of(env, "DRAIN_SECONDS", 1, (0, 300))),
            tasks_dir=Path(env.get("TASKS_DIR") or cls.tasks_dir),
            model_dirs=(*((Path(env["MODEL_DIR"]),) if env.get("MODEL_DIR") else ()), MODELS_DIR),
            user_models_dir=Path(env.get("USER_MODELS_DIR") or cls.user_models_dir),
            local_operating_points=Path(named) if (named := env.get("LOCAL_OPERATING_POINTS", "").strip()) else None,
            data_dir=Path(env.get("DATA_DIR") or cls.data_dir),
            secret_key=_secret_key(env, kind),
            database_url=database_url(env),
            storage_url=storage_url(env),
            retention_days=whole_number_of(env, "RETENTION_DAYS", 0, (0, 36_500)),
            quota_bytes=10**6 * whole_number_of(env, "QUOTA_MB", 1000, (1, 10_000_000)),
            registration=flag(env, "REGISTRATION", True),
            public_url=public_url(env),
            auth_required=one_of(env, "AUTH", ("optional", "required")) == "required",
            **_rates(env, kind),
            **of_batches(env, kind.unfinished_batches),
            **oidc(env),
            chat=of_chat(env),
            mcp=of_mcp(env),
            pacs=of_pacs(env),
        )


@dataclass(frozen=True)
class TestingConfig(Config):
    """Nothing is kept that need not be, passwords are hashed in no time, and nobody is told to wait."""

    __test__: ClassVar[bool] = False  # no tests are in it, whatever it is called
    name: ClassVar[str] = "testing"
    keeps_secret: ClassVar[bool] = False
    cheap_passwords: ClassVar[bool] = True
    account_rate: Rate | None = None
    upload_rate: Rate | None = None
    record_rate: Rate | None = None
    unfinished_batches: int = 1000


@dataclass(frozen=True)
class ProductionConfig(Config):
    """Starts with a secret of its operator's only, and sends the cookies of accounts over TLS only."""

    name: ClassVar[str] = "production"
    keeps_secret: ClassVar[bool] = False
    needs_secret: ClassVar[bool] = True
    secure_cookies: ClassVar[bool] = True


def _kind(environ: Mapping[str, str]) -> type[Config]:
    kinds: dict[str, type[Config]] = {kind.name: kind for kind in (Config, TestingConfig, ProductionConfig)}
    named = environ.get("APP_ENV", "").strip() or Config.name
    if named not in kinds:
        raise ConfigError(f"APP_ENV={named!r}: expected one of {', '.join(kinds)}")
    return kinds[named]
