"""What the text of a setting means. `config.py` reads them from the environment; nothing here does."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.settings.reading import FALSE_WORDS, ConfigError

DATABASES = ("sqlite", "postgresql+psycopg")
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,8}/?")
LEAST_KEY_CHARACTERS = 16
ADDRESS = re.compile(r"[A-Za-z0-9.\[\]:_/~-]+")
RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour|day)", re.ASCII)
IN_MEMORY = "memory://"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def one_of(environ: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """A word; the first where none is given. Raises ConfigError."""
    word = environ.get(name, "").strip().lower() or known[0]
    if word not in known:
        raise ConfigError(f"{name}={word!r:.80}: expected {' or '.join(known)}")
    return word


def secret_key(environ: Mapping[str, str]) -> str:
    """Raises ConfigError for one that is too short, or whose bytes would depend on the locale of the process."""
    text = environ.get("SECRET_KEY", "").strip()
    # The value itself is not told: it is a secret all the same.
    if not text.isascii():
        raise ConfigError(
            "SECRET_KEY has characters that are not ASCII: expected letters, digits and signs alone; "
            "python -c 'import secrets; print(secrets.token_hex(32))' makes one"
        )
    if text and len(text) < LEAST_KEY_CHARACTERS:
        raise ConfigError(
            f"SECRET_KEY has {len(text)} characters: expected at least {LEAST_KEY_CHARACTERS}, or none for a random one"
        )
    return text


def database_url(environ: Mapping[str, str]) -> str:
    """PostgreSQL's usual address names no driver; ours is psycopg. Raises ConfigError for another database."""
    url = environ.get("DATABASE_URL", "").strip()
    scheme, between, rest = url.partition("://")
    scheme = {"postgres": DATABASES[1], "postgresql": DATABASES[1]}.get(scheme, scheme)
    if url and not (between and scheme in DATABASES):
        # The value itself is not told: it holds a password.
        raise ConfigError("DATABASE_URL: expected postgresql://user@host/name or sqlite:////path/to/file")
    return f"{scheme}{between}{rest}"


def storage_url(environ: Mapping[str, str]) -> str:
    url = environ.get("STORAGE_URL", "").strip()
    if url and not BUCKET.fullmatch(url):
        # The value itself is not told: somebody may have put a password into it.
        raise ConfigError("STORAGE_URL: expected s3://bucket or s3://bucket/prefix; credentials are AWS_... settings")
    return url


def public_url(environ: Mapping[str, str]) -> str:
    """Raises ConfigError for what is no address of a server."""
    url = environ.get("PUBLIC_URL", "").strip().rstrip("/")
    scheme, between, rest = url.partition("://")
    if url and not (scheme in ("http", "https") and between and ADDRESS.fullmatch(rest)):
        raise ConfigError(f"PUBLIC_URL={url!r}: expected https://name or https://name/path")
    return url


def words(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environ.get(name, "").split(",") if word.strip())


def networks(environ: Mapping[str, str], name: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(word, strict=False) for word in words(environ, name))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}; expected addresses or networks such as 10.0.0.0/8, with commas") from error


@dataclass(frozen=True)
class Rate:
    """So many requests in a second, minute, hour or day."""

    count: int
    per: str

    def __str__(self) -> str:
        return f"{self.count}/{self.per}"


def rate(environ: Mapping[str, str], name: str, default: Rate | None) -> Rate | None:
    text = environ.get(name, "").strip()
    if text in FALSE_WORDS:
        return None if text else default
    found = RATE.fullmatch(text)
    if found is None:
        raise ConfigError(f"{name}={text!r:.80}: expected such as 120/minute (second, minute, hour, day), or off")
    return Rate(int(found[1]), found[2])


def counters(environ: Mapping[str, str]) -> str:
    url = environ.get("RATE_STORAGE", "").strip() or IN_MEMORY
    if not url.startswith((IN_MEMORY, "redis://", "rediss://")):
        # The value itself is not told: it can hold a password.
        raise ConfigError("RATE_STORAGE: expected redis://host:port/number, rediss:// or memory://")
    return url


def oidc(environ: Mapping[str, str]) -> dict[str, Any]:
    """An issuer of OpenID Connect, and who we are to it. Raises ConfigError."""
    issuer, client_id = (environ.get(name, "").strip() for name in ("OIDC_ISSUER", "OIDC_CLIENT_ID"))
    scheme, between, rest = issuer.partition("://")
    on_this_machine = rest.split("/")[0].rpartition(":")[0] in ("localhost", "127.0.0.1", "[::1]")
    safe = scheme == "https" or (scheme == "http" and on_this_machine)
    if issuer and not (between and ADDRESS.fullmatch(rest) and safe):
        raise ConfigError(f"OIDC_ISSUER={issuer!r:.80}: expected https://name, as the issuer calls itself")
    if bool(issuer) != bool(client_id):
        raise ConfigError("OIDC_ISSUER and OIDC_CLIENT_ID: expected both, or neither")
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": client_id,
        "oidc_client_secret": environ.get("OIDC_CLIENT_SECRET", "").strip(),
    }
