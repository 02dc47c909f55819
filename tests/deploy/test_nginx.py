"""nginx with the configuration that is deployed: TLS, what it passes on, what it keeps outside."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from samples import ROOT
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from backend.errors import PROBLEM_JSON
from backend.serving.connection import LATE_S
from backend.serving.front import BATCH_DEADLINE_S

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
CONFIGURATION = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
MEGABYTE = b"x" * 10**6


@dataclass(frozen=True)
class Edge:
    """Ports of a running nginx, and the certificate that it shows."""

    plain: int
    tls: int
    certificate: Path

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Message, bytes]:
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        link = http.client.HTTPSConnection("localhost", self.tls, timeout=30, context=trusted)
        try:
            link.request(method, path, body, headers)
            reply = link.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            link.close()


def free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def echo(environ: dict[str, Any], start: Any) -> Any:
    """What arrived."""
    request = Request(environ)
    told = {"path": request.full_path, "length": len(request.get_data()), "headers": dict(request.headers)}
    as_over_tls = {"Strict-Transport-Security": "max-age=31536000"}
    return Response(json.dumps(told), headers=as_over_tls, mimetype="application/json")(environ, start)


@contextmanager
def behind() -> Iterator[int]:
    """The port of what nginx passes on to."""
    server = make_server("127.0.0.1", 0, echo, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def rehoused(folder: Path, plain: int, tls: int, service: int, **others: str) -> Path:
    """The configuration with addresses and folders of this test, and nothing else changed but `others`."""
    changed = {
        **others,
        "listen 8080": f"listen 127.0.0.1:{plain}",
        "listen 8443": f"listen 127.0.0.1:{tls}",
        "http://api:5000": f"http://127.0.0.1:{service}",
        " /tmp/": f" {folder}/",
        "/etc/nginx/tls": str(folder),
        "/dev/stdout": str(folder / "access"),
        "/dev/stderr": str(folder / "errors"),
    }
    text = CONFIGURATION
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def running(folder: Path, service: int, **others: str) -> Iterator[Edge]:
    """nginx before what listens on the port `service`."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    made = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *named, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    plain, tls = free_ports(2)
    path = rehoused(folder, plain, tls, service, **others)
    subprocess.run([NGINX, "-t", "-q", "-c", path], check=True)
    with subprocess.Popen([NGINX, "-c", path, "-g", "daemon off;"]) as process:
        try:
            wait_for(plain)
            yield Edge(plain, tls, certificate)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with behind() as service, running(tmp_path_factory.mktemp("nginx"), service) as found:
        yield found


def wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("nginx does not listen")


def test_what_comes_without_tls_is_sent_to_where_it_is(edge: Edge) -> None:
    for path, status, where in (("/health?a=1", 308, "https://localhost/health?a=1"), ("/nginx-is-up", 204, None)):
        link = http.client.HTTPConnection("localhost", edge.plain, timeout=30)
        link.request("GET", path)
        reply = link.getresponse()
        assert (reply.status, reply.headers.get("Location")) == (status, where)
        link.close()


def test_who_asks_is_told_by_nginx_and_not_by_the_client(edge: Edge) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "X-Request-ID": "r-1"}
    status, headers, text = edge.ask("GET", "/api/v1/history?patient_ref=p-7", **forged)
    told = json.loads(text)
    assert (status, told["path"]) == (200, "/api/v1/history?patient_ref=p-7")
    assert headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert headers["Server"] == "nginx", "no version"
    seen = {name: told["headers"][name] for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Host")}
    assert seen == {
        "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Request-Id": "r-1",
        "Host": "localhost",
    }  # fmt: skip


def test_no_reference_of_a_patient_and_no_address_that_opens_something_is_logged(edge: Edge) -> None:
    for path in (
        "/heatmaps/0f1e2d3c.png",
        "/signals/0f1e2d3c.csv",
        "/api/v1/patients/p-7/timeline",
        "/API/patients/p-7",
        "/x%2Fpatients%2Fp-7",
        "/health?patient_ref=p-7",
    ):
        edge.ask("GET", path)
    large = {"Content-Length": str(200 * 10**6), "Expect": "100-continue"}
    assert edge.ask("POST", "/analyze/skin?patient_ref=p-7", b"", **large)[0] == 413
    access, until = edge.certificate.parent / "access", time.monotonic() + 60
    while " /analyze/skin 413 " not in (lines := access.read_text("utf-8")) and time.monotonic() < until:
        time.sleep(0.02)
    assert re.findall(r" (\S*patients\S*) ", lines) == ["/api/v1/patients/-", "/API/patients/-", "/x/patients/-"]
    assert re.findall(r" (\S*(?:heatmaps|signals)\S*) ", lines) == ["/heatmaps/-", "/signals/-"]
    assert "0f1e2d3c" not in lines
    assert "p-7" not in lines + (edge.certificate.parent / "errors").read_text("utf-8")


def test_counters_stay_inside_and_only_batches_may_be_large(edge: Edge) -> None:
    assert edge.ask("GET", "/metrics")[0] == 404
    assert json.loads(edge.ask("POST", "/analyze/skin", MEGABYTE * 40)[2])["length"] == 40 * 10**6
    large = {"Content-Length": str(200 * 10**6), "Expect": "100-continue"}
    assert edge.ask("POST", "/analyze/skin", b"", **large)[0] == 413
    for path in ("/api/v1/batch-predict", "/api/batch-predict"):
        assert json.loads(edge.ask("POST", path, MEGABYTE * 80)[2])["length"] == 80 * 10**6


def test_a_batch_has_the_time_that_the_service_allows() -> None:
    place = CONFIGURATION.partition("batch-predict$ {")[2].partition("}")[0]
    allowed_s = re.search(r"proxy_read_timeout (\d+)s;", place)
    assert allowed_s is not None
    assert int(allowed_s[1]) > BATCH_DEADLINE_S + LATE_S


def test_old_protocols_are_refused() -> None:
    assert re.findall(r"ssl_protocols (.+);", CONFIGURATION) == ["TLSv1.2 TLSv1.3"]


def told(reply: tuple[int, Message, bytes], accepted: str = "application/json") -> tuple[int, str, str | None]:
    """Status, code and Retry-After of an error, which has the shape of the service's."""
    status, headers, text = reply
    found = json.loads(text)
    assert found["success"] is False
    assert found["request_id"] == headers["X-Request-ID"]
    assert len(found["error"]) > 20
    assert headers.get_all("Content-Type") == [accepted]
    assert headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert (headers["Cache-Control"], headers["Access-Control-Allow-Origin"]) == ("no-store", "*")
    if accepted == PROBLEM_JSON:
        assert (found["status"], found["detail"], found["type"]) == (status, found["error"], "about:blank")
        assert found["title"][0].isupper()
    return status, found["code"], headers.get("Retry-After")


def test_what_nginx_refuses_is_json_as_the_errors_of_the_service(edge: Edge) -> None:
    large = {"Content-Length": str(200 * 10**6), "Expect": "100-continue"}
    for path in ("/analyze/skin", "/analyze/skin.html", "/a.jpg"):  # whatever the address looks like
        assert told(edge.ask("POST", path, b"", **large)) == (413, "input_too_large", None)
    assert told(edge.ask("POST", "/x", b"", Accept=PROBLEM_JSON, **large), PROBLEM_JSON)[:2] == (413, "input_too_large")
    assert told(edge.ask("GET", "/metrics")) == (404, "not_found", None)
    assert told(edge.ask("GET", "/" + "x" * 9000)) == (414, "http_414", None)
    assert told(edge.ask("GET", "/", Cookie="x" * 9000)) == (431, "header_too_large", None)
    assert told(edge.ask("GE T", "/")) == (400, "bad_request", None)


def test_an_error_has_the_clients_word_for_the_request_where_it_is_one(edge: Edge) -> None:
    given = {"r-1": True, "x" * 64: True, "x" * 65: False, 'a", "code": "b': False, "": False}
    for word, taken in given.items():
        found = json.loads(edge.ask("GET", "/metrics", **{"X-Request-ID": word})[2])["request_id"]
        assert (found == word) is taken
        assert re.fullmatch(r"[0-9a-f]{32}|r-1|x{64}", found)


def test_a_service_that_is_gone_or_late_and_too_many_connections(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("gone"), free_ports(1)[0]) as edge:
        assert told(edge.ask("GET", "/history.html")) == (502, "service_unreachable", "5")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        less = {"per_address 50": "per_address 1", "proxy_read_timeout 65s": "proxy_read_timeout 2s"}
        with (
            running(tmp_path_factory.mktemp("late"), deaf.getsockname()[1], **less) as edge,
            ThreadPoolExecutor(2) as pool,
        ):
            asked = [pool.submit(edge.ask, "POST", "/analyze/skin", b"x") for _ in range(2)]
            found = {told(one.result()) for one in asked}
    assert found == {(504, "deadline_exceeded", "30"), (429, "too_many_requests", "1")}
