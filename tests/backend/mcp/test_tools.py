"""The tools of MCP, called by the SDK's own client, against a running service."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from chats.asking import Asker
from httpx2 import AsyncClient
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from samples import ROOT
from werkzeug.serving import make_server

from backend.mcp.calling import one_part
from backend.settings.mcp import McpSettings, of_mcp
from backend.settings.reading import ConfigError

TOOLS = {
    "ask", "ask_about_picture", "analyze_picture", "check_symptoms", "heart_risk", "list_models", "describe_model",
    "list_records", "get_record",
}  # fmt: skip
Use = Callable[[Client], Awaitable[Any]]


@pytest.fixture(scope="module")
def service_url(somebody: Asker) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, somebody.app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def listening(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0


def environment(service_url: str, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "MCP_SERVICE_URL": service_url, **more}


@pytest.fixture(scope="module")
def http_url(service_url: str, somebody: Asker) -> Iterator[str]:
    """Of the tools over HTTP, whose process has somebody's token, which no caller may profit by."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    given = environment(service_url, MCP_PORT=str(port), MCP_TOKEN=somebody.me.access_token)
    with subprocess.Popen([sys.executable, "-m", "backend.mcp", "--http"], cwd=ROOT, env=given) as process:
        until = time.monotonic() + 120
        while not listening(port):
            assert time.monotonic() < until
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
        process.terminate()


def over_stdio(service_url: str, token: str, use: Use) -> Any:
    """What `use` gives of a client that starts the tools as a process of its own."""
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "backend.mcp"], cwd=ROOT, env=environment(service_url, MCP_TOKEN=token)
    )

    async def run() -> Any:
        async with Client(command, read_timeout_seconds=120) as client:
            return await use(client)

    return asyncio.run(run())


def over_http(url: str, token: str, use: Use) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def run() -> Any:
        async with (
            AsyncClient(headers=headers, timeout=120) as http,
            Client(streamable_http_client(url, http_client=http), read_timeout_seconds=120) as client,
        ):
            return await use(client)

    return asyncio.run(run())


def test_an_assistant_sends_a_picture_and_quotes_the_answer(
    somebody: Asker, service_url: str, picture: Callable[..., bytes]
) -> None:
    sent = picture(seed=5)

    async def use(client: Client) -> tuple[Any, ...]:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        data = base64.b64encode(sent).decode()
        first = await client.call_tool(
            "ask_about_picture",
            {"picture_base64": f"data:image/jpeg;base64,{data}", "message": "Is it dangerous?", "task": "skin"},
        )
        case_id = first.structured_content["pictures"][0]["case_id"]
        again = await client.call_tool("ask", {"message": "How sure is it?", "case_id": case_id})
        records = await client.call_tool("list_records", {})
        flags = await client.call_tool("check_symptoms", {"description": "crushing chest pain and sweating", "age": 60})
        wrong = await client.call_tool("analyze_picture", {"task": "../health", "picture_base64": data})
        return tools, first, again, records, flags, wrong

    tools, first, again, records, flags, wrong = over_stdio(service_url, somebody.me.access_token, use)
    assert tools == TOOLS
    answer = first.structured_content
    assert answer["pictures"][0]["result"]["headline"] in answer["reply"]
    assert answer["triage"]["level"] == "soon"
    assert "findings.melanoma.state" in {one["field"] for one in again.structured_content["citations"]}
    assert somebody.own_id in {one["id"] for one in records.structured_content["history"]}
    assert flags.structured_content["triage"]["level"] == "emergency"
    assert wrong.is_error
    assert "404" in wrong.content[0].text


def test_over_http_every_caller_has_the_own_rights_and_no_other(
    somebody: Asker, http_url: str, picture: Callable[..., bytes]
) -> None:
    async def own(client: Client) -> Any:
        asked = {"message": "What does it mean?", "prediction_id": somebody.own_id}
        other = await client.call_tool("get_record", {"prediction_id": somebody.other_id})
        return await client.call_tool("ask", asked), other

    mine, other = over_http(http_url, somebody.me.access_token, own)
    assert mine.structured_content["citations"][0]["field"] == "headline"
    assert other.is_error
    assert "404" in other.content[0].text

    async def nobody(client: Client) -> Any:
        spoilt = await client.call_tool("ask_about_picture", {"picture_base64": "no base64!", "task": "skin"})
        return await client.call_tool("get_record", {"prediction_id": somebody.own_id}), spoilt

    refused, spoilt = over_http(http_url, "", nobody)
    assert refused.is_error
    assert "401" in refused.content[0].text
    assert spoilt.is_error
    assert "base64" in spoilt.content[0].text


def test_words_of_a_caller_are_one_part_of_an_address() -> None:
    assert one_part("../admin?x=1#y") == "%2E%2E%2Fadmin%3Fx%3D1%23y"


def test_settings() -> None:
    given = {"MCP_SERVICE_URL": "https://x.org/", "MCP_TOKEN": "t", "MCP_HOST": "10.0.0.5", "MCP_PORT": "7000"}
    assert of_mcp(given) == McpSettings("https://x.org", "t", "10.0.0.5", 7000)
    assert "secret" not in repr(of_mcp({"MCP_TOKEN": "secret"}))
    for wrong in ({"MCP_SERVICE_URL": "ftp://x"}, {"MCP_PORT": "0"}, {"MCP_TOKEN": "\u00e9"}):
        with pytest.raises(ConfigError, match="^MCP_"):
            of_mcp(wrong)
