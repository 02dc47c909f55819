"""Starting and stopping: the probes answer from the first moment, and the end comes in time whatever clients do."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from child_processes.processes import Service
from clients.http_bytes import HOST, exchanged, opened, reply
from samples import image_task, multipart, write_tiny

from ml_model.tasks.registry import TASKS_DIR

Start = Callable[..., AbstractContextManager[Service]]
LIVEZ = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
STOPS_WITHIN_S = 10


def dribble(link: object, enough: threading.Event) -> None:
    """A byte five times a second."""
    with contextlib.suppress(OSError):
        while not enough.wait(0.2):
            link.sendall(b"a")  # type: ignore[attr-defined]


def test_a_dribbling_upload_does_not_hold_up_the_end(start_service: Start) -> None:
    head = b"POST /slow?s=0 HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n"
    with start_service("slow_server", DRAIN_SECONDS="1", HEADER_DEADLINE_S="60") as service:
        enough, working = threading.Event(), opened(service.port, b"GET /slow?s=2 HTTP/1.1\r\n" + HOST + b"\r\n")
        with contextlib.closing(opened(service.port, head)) as upload, contextlib.closing(working):
            sender = threading.Thread(target=dribble, args=(upload, enough))
            sender.start()
            time.sleep(0.3)
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            status, headers, _ = reply(working)
            assert (status, headers["Connection"]) == (200, "close")
            status, _, body = reply(upload)
            assert (status, json.loads(body)["code"]) == (503, "draining")
            assert service.wait() == 0
            assert time.monotonic() - began < STOPS_WITHIN_S
            enough.set()
            sender.join()


def test_while_it_drains_the_port_is_open_and_answers_close_their_connections(start_service: Start) -> None:
    with start_service("slow_server", DRAIN_SECONDS="2") as service, contextlib.closing(opened(service.port)) as kept:
        kept.sendall(LIVEZ)
        assert "Connection" not in reply(kept)[1]
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        status, headers, answer = exchanged(service.port, b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (status, answer["status"], headers["Connection"]) == (503, "draining", "close")
        kept.sendall(LIVEZ)
        status, headers, _ = reply(kept)
        assert (status, headers["Connection"]) == (200, "close")
        assert service.wait() == 0


def test_a_second_signal_ends_it_at_once(start_service: Start) -> None:
    with start_service("slow_server", DRAIN_SECONDS="60") as service:
        service.process.send_signal(signal.SIGTERM)
        while exchanged(service.port, b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200:
            time.sleep(0.01)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.wait() == -signal.SIGTERM
        assert time.monotonic() - began < STOPS_WITHIN_S


def test_requests_that_wait_for_their_models_silence_neither_the_probes_nor_the_rest(tmp_path: Path) -> None:
    write_tiny(image_task("skin"), tmp_path / "models")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "skin.toml").write_bytes((TASKS_DIR / "skin.toml").read_bytes())
    let_go = tmp_path / "let go"
    settings = {
        "MODEL_DIR": str(tmp_path / "models"), "TASKS_DIR": str(tmp_path / "tasks"), "DATA_DIR": str(tmp_path),
        "USER_MODELS_DIR": str(tmp_path), "INPUT_GATE": "off", "DRAIN_SECONDS": "0", "THREADS": "4",
        "LET_GO": str(let_go),
    }  # fmt: skip
    body, content_type = multipart(b"\xff\xd8\xff no picture")
    head = f"POST /analyze/skin HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    sent = head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    service = Service(settings, ["tests/support/child_processes/held_server.py"])
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(exchanged, service.port, sent) for _ in range(8)]
        try:
            while sum(one.done() for one in asked) < 5:
                time.sleep(0.02)
            began = time.monotonic()
            assert exchanged(service.port, LIVEZ)[0] == 200
            assert exchanged(service.port, b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n")[2]["status"] == "loading"
            assert exchanged(service.port, b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200
            assert time.monotonic() - began < 5
        finally:
            let_go.touch()
        codes = [one.result()[2]["code"] for one in asked]
    assert codes.count("model_loading") == 5, "three of four threads may wait"
    service.process.terminate()
    assert service.wait() == 0
