"""`python -m backend.mcp` (stdio, for an assistant that starts it), or `--http` (streamable HTTP, for several)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from backend.config import Config, ConfigError

CANNOT_START = 2
_MOST_BODY_BYTES = 45_000_000  # a picture of 32 MB as base64
_MOST_SESSIONS = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m backend.mcp", description=__doc__)
    parser.add_argument("--http", action="store_true", help="listen at MCP_HOST and MCP_PORT, path /mcp")
    given = parser.parse_args(arguments)
    try:
        settings = Config.from_env().mcp
        from backend.mcp.tools import mcp_server
    except (ConfigError, ModuleNotFoundError) as error:
        hint = "; pip install mcp" if isinstance(error, ModuleNotFoundError) else ""
        print(f"cannot start: {error}{hint}", file=sys.stderr)
        return CANNOT_START
    server = mcp_server(settings, over_http=given.http)
    if given.http:
        server.run(
            "streamable-http", host=settings.host, port=settings.port, max_request_body_size=_MOST_BODY_BYTES,
            max_sessions=_MOST_SESSIONS, json_response=True, stateless_http=True,
        )  # fmt: skip
    else:
        server.run("stdio")
    return 0


if __name__ == "__main__":
    sys.exit(main())
