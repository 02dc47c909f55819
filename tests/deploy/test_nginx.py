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
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from samples import ROOT
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

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


def rehoused(folder: Path, plain: int, tls: int, service: int) -> Path:
    """The configuration with addresses and folders of this test, and nothing else changed."""
    changed = {
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


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("nginx")
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    made = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *named, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    plain, tls = free_ports(2)
    with behind() as service:
        path = rehoused(folder, plain, tls, service)
        subprocess.run([NGINX, "-t", "-q", "-c", path], check=True)
        with subprocess.Popen([NGINX, "-c", path, "-g", "daemon off;"]) as process:
            try:
                wait_for(plain)
                yield Edge(plain, tls, certificate)
            finally:
                process.terminate()


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


def test_no_reference_of_a_patient_is_logged(edge: Edge) -> None:
    for path in (
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
