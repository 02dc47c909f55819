"""Calls to the service over HTTP, with the caller's own token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import requests
from mcp.server.mcpserver.exceptions import ToolError

MOST_PICTURE_BYTES = 32_000_000
_WITHIN_S = (5.0, 120.0)  # to connect, to answer
_AT_ONCE = "data:"


def picture_bytes(text: str) -> bytes:
    """A picture as base64, or as a data URL. Raises ToolError."""
    plain = text.partition(",")[2] if text[: len(_AT_ONCE)] == _AT_ONCE else text
    if len(plain) > 4 * MOST_PICTURE_BYTES // 3 + 4:
        raise ToolError(f"the picture is larger than {MOST_PICTURE_BYTES} bytes; send a smaller one")
    try:
        return base64.b64decode("".join(plain.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ToolError("picture_base64 is no base64; send the file's bytes in it, or a data URL") from error


def one_part(name: str) -> str:
    """A word of a caller as one part of an address, whatever is in it."""
    return quote(name[:100], safe="").replace(".", "%2E")


class ServiceCalls:
    """Of one caller. token: an access token, empty for nobody."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """What the service answers. Raises ToolError with what it refuses, in its words."""
        return self._call("GET", path, params=_given(query))

    def post(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        return self._call("POST", path, json=_given(body), params=_given(query))

    def send(self, path: str, picture: tuple[str, bytes], form: Mapping[str, str], **query: Any) -> dict[str, Any]:
        """picture: field and content."""
        name, data = picture
        return self._call("POST", path, files={name: ("picture", data)}, data=_given(form), params=_given(query))

    def _call(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        try:
            reply = requests.request(
                method, self._url + path, headers=self._headers, timeout=_WITHIN_S, allow_redirects=False, **sent
            )
            told = reply.json()
        except (requests.RequestException, ValueError) as error:
            raise ToolError("the service does not answer; is it running at MCP_SERVICE_URL?") from error
        if not isinstance(told, dict) or reply.status_code != 200:
            why = told.get("error") if isinstance(told, dict) else None
            raise ToolError(f"refused ({reply.status_code}): {why or 'the service gave no reason'}")
        return told


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
