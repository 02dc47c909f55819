"""Where the tools of MCP find the service, and where they listen themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from backend.settings.reading import ConfigError, whole_number_of

_DEFAULT_URL = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class McpSettings:
    """service_url: of the service. token: of an account, for who starts the tools as a process of their own (stdio);
    over HTTP every caller sends one's own. host and port: of the tools over HTTP."""

    service_url: str = _DEFAULT_URL
    token: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 5001


def of_mcp(environ: Mapping[str, str]) -> McpSettings:
    """Raises ConfigError."""
    url = environ.get("MCP_SERVICE_URL", "").strip().rstrip("/") or _DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigError(f"MCP_SERVICE_URL={url!r:.80}: expected http://host:port or https://name, as clients call it")
    token = environ.get("MCP_TOKEN", "").strip()
    if not (token.isascii() and token.isprintable()):
        raise ConfigError("MCP_TOKEN has signs that no token has: expected an access_token of POST /api/v1/auth/login")
    host = environ.get("MCP_HOST", "").strip() or McpSettings.host
    return McpSettings(url, token, host, whole_number_of(environ, "MCP_PORT", McpSettings.port, (1, 65_535)))
