"""Which model words the replies of the chat; without one they are put together here."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from backend.settings.reading import ConfigError, whole_number_of

GEMINI_URL, GEMINI_MODEL = "https://generativelanguage.googleapis.com/v1beta/openai", "gemini-flash-latest"


@dataclass(frozen=True)
class ChatSettings:
    """A server that speaks OpenAI's protocol; an empty `base_url`: none. timeout_s: for a whole reply."""

    base_url: str = ""
    model: str = ""
    api_key: str = field(default="", repr=False)
    timeout_s: float = 20.0


def of_chat(environ: Mapping[str, str]) -> ChatSettings:
    """`GENAI_API_KEY` alone means Gemini's endpoint. Raises ConfigError; no key is ever told."""
    base_url, model, key, gemini_key = (
        environ.get(name, "").strip() for name in ("CHAT_BASE_URL", "CHAT_MODEL", "CHAT_API_KEY", "GENAI_API_KEY")
    )
    timeout_s = float(whole_number_of(environ, "CHAT_TIMEOUT_S", 20, (1, 300)))
    if gemini_key and not base_url:
        base_url, model = GEMINI_URL, model or GEMINI_MODEL
    key = key or (gemini_key if base_url == GEMINI_URL else "")
    if not base_url:
        if model or key:
            raise ConfigError(
                "CHAT_BASE_URL: CHAT_MODEL and CHAT_API_KEY are of a server; say which, or leave both out"
            )
        return ChatSettings(timeout_s=timeout_s)
    if not _is_address(base_url):
        raise ConfigError(
            f"CHAT_BASE_URL={base_url!r:.80}: expected https://name/v1; http:// only where it stays in this network: "
            "localhost, a private address, or a name without a dot"
        )
    if not model:
        raise ConfigError("CHAT_MODEL: expected the name that the server at CHAT_BASE_URL has for its model")
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("CHAT_API_KEY has signs that no header can hold: expected printable ASCII")  # not the value
    return ChatSettings(base_url.rstrip("/"), model, key, timeout_s)


def _is_address(url: str) -> bool:
    """Of a server; what is asked of patients does not leave the network unencrypted."""
    with suppress(ValueError):
        parts = urlsplit(url)
        host = parts.hostname or ""
        plain = bool(host) and not (parts.username or parts.query or parts.fragment) and parts.port != 0
        return plain and (parts.scheme == "https" or (parts.scheme == "http" and _is_near(host)))
    return False


def _is_near(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_private
    return host == "localhost" or host.endswith(".localhost") or "." not in host
