"""Starting, draining and stopping, as a process; settings; what the log and the metrics hold."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from child_processes.processes import START_WITHIN_S, Service
from samples import ROOT, multipart, upload

from backend.app import Application, create_app
from backend.config import Config, ConfigError
from backend.server import main
from backend.services.loading.models import ModelStore
from ml_model.inference.bundle import Bundle
from ml_model.tasks.registry import TASKS_DIR, load_image_tasks


@pytest.fixture
def service(tmp_path: Path, write_tiny_bundle: Callable[..., Bundle]) -> Iterator[Service]:
    for task in load_image_tasks():
        write_tiny_bundle(task, tmp_path / "models")
    environment = {"MODEL_DIR": str(tmp_path / "models"), "DATA_DIR": str(tmp_path / "data"), "DRAIN_SECONDS": "5"}
    environment["INPUT_GATE"] = "off"
    running = Service({**environment, "USER_MODELS_DIR": str(tmp_path)})
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.wait()


def begin_upload(service: Service, body: bytes, content_type: str, sent: int) -> socket.socket:
    """The first `sent` bytes of an upload."""
    link = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    head = (
        f"POST /analyze/skin HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    link.sendall(head.encode() + body[:sent])
    return link


def wait_until_refused(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("the port stays open")


def test_sigterm_drains_finishes_and_ends(service: Service, picture: Callable[..., bytes]) -> None:
    service.wait_ready()
    body, content_type = multipart(picture())
    under_way = begin_upload(service, body, content_type, 1000)
    time.sleep(0.2)
    service.process.send_signal(signal.SIGTERM)
    while (found := service.get("/readyz"))[0] == 200:
        time.sleep(0.01)
    status, headers, text = found
    assert (status, json.loads(text)["status"]) == (503, "draining")
    assert int(headers["Retry-After"]) > 0
    assert service.get("/livez")[0] == 200
    late = service.connect()
    late.request("POST", "/analyze/skin", body, {"Content-Type": content_type})
    refused = late.getresponse()
    assert (refused.status, json.loads(refused.read())["code"]) == (503, "draining")
    assert (refused.headers["Retry-After"], refused.headers["Connection"]) == ("5", "close")
    late.close()
    wait_until_refused(service.port)
    assert service.process.poll() is None, "it must wait for the upload that is under way"
    under_way.sendall(body[1000:])
    reply = http.client.HTTPResponse(under_way)
    reply.begin()
    assert reply.status == 200
    assert json.loads(reply.read())["success"] is True
    under_way.close()
    assert service.wait() == 0


def test_the_log_has_no_patient_data(service: Service, picture: Callable[..., bytes]) -> None:
    service.wait_ready()
    connection = service.connect()
    body, content_type = multipart(picture(), "jane-doe.jpg")
    headers = {"Content-Type": content_type, "X-Request-ID": "abc-1"}
    connection.request("POST", "/analyze/skin?target=mel", body, headers)
    assert connection.getresponse().read()
    connection.request("POST", "/analyze/skin?note=jane", body, {"Content-Type": content_type})
    refused = connection.getresponse()
    assert (refused.status, json.loads(refused.read())["code"]) == (400, "unknown_parameter")
    connection.request("POST", "/predict-disease", '{"symptoms": ["chest pain"]}', {"Content-Type": "application/json"})
    assert connection.getresponse().read()
    connection.request("GET", "/jane-doe")
    assert connection.getresponse().read()
    connection.close()
    metrics = service.get("/metrics")[2]
    service.process.send_signal(signal.SIGTERM)
    assert service.wait() == 0
    log = "".join(service.log)
    assert "jane" not in log + metrics
    assert "chest" not in log + metrics
    lines = [json.loads(line) for line in service.log]
    analyzed = next(line for line in lines if line.get("request_id") == "abc-1")
    assert (analyzed["route"], analyzed["task"], analyzed["status"]) == ("/analyze/<task>", "skin", 200)
    assert 'medidiagnose_answers_total{demo="False",task="skin"} 1.0' in metrics
    assert 'medidiagnose_requests_total{method="other",route="unmatched",status="404"} 1.0' in metrics


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PORT": "abc"}, "PORT='abc': expected a whole number from 0 to 65535"),
        ({"DEMO_MODE": "perhaps"}, "DEMO_MODE='perhaps': expected on or off"),
        ({"ENGINE": "tpu"}, "ENGINE='tpu'"),
        ({"THREADS": "0"}, "THREADS='0'"),
    ],
)
def test_a_bad_setting_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.from_env(environment)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--port", "99999"], "cannot start: --port='99999': expected a whole number from 0 to 65535"),
        (["--port=-1"], "cannot start: --port='-1': expected a whole number from 0 to 65535"),
        (["--port", "http"], "cannot start: --port='http': expected a whole number from 0 to 65535"),
        (["--threads", "0"], "cannot start: --threads='0': expected a whole number from 1 to 256"),
        (["--host", "192.0.2.1"], "cannot start: cannot listen on 192.0.2.1, port 0: "),
    ],
)
def test_an_option_out_of_range_stops_the_start(
    option: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setattr(ModelStore, "start", lambda _: None)
    assert main(option) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert told.err.startswith(message)


def test_a_port_in_use_is_named_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelStore, "start", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"cannot start: port {port} of 127.0.0.1 is in use")
    assert "--port N or PORT=N" in told


def test_settings_are_read(tmp_path: Path) -> None:
    config = Config.from_env(
        {"PORT": "8123", "DEMO_MODE": "off", "MODEL_DIR": str(tmp_path), "CORS_ORIGINS": "http://a, b"}
    )
    assert (config.port, config.demo_mode, config.model_dirs[0]) == (8123, False, tmp_path)
    assert config.cors_origins == ("http://a", "b")
    assert Config.from_env({}) == Config()


def test_a_bad_task_file_stops_the_start_with_one_line(tmp_path: Path) -> None:
    skin = (TASKS_DIR / "skin.toml").read_text(encoding="utf-8")
    assert 'color = "#' in skin
    (tmp_path / "skin.toml").write_text(skin.replace('color = "#', 'color = "red #', 1), encoding="utf-8")
    command = [sys.executable, "backend/server.py", "--port", "0"]
    environment = {**os.environ, "TASKS_DIR": str(tmp_path)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=START_WITHIN_S, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("cannot start: skin.toml: ")
    assert "color" in done.stderr


def test_without_demo_mode_a_task_without_a_model_is_503(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    app = create_app(Config(model_dirs=(), user_models_dir=tmp_path, data_dir=tmp_path, demo_mode=False, log=False))
    assert app.services.models.wait_ready()
    reply = app.test_client().post("/analyze/skin", data=upload(picture()))
    assert (reply.status_code, reply.get_json()["code"]) == (503, "model_unavailable")
    assert reply.headers["Retry-After"] == "30"


def test_readyz_is_503_while_models_load(live_app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    done = live_app.services.models._done["skin"]
    done.clear()
    try:
        reply = live_app.test_client().get("/readyz")
        assert (reply.status_code, reply.get_json()["status"]) == (503, "loading")
        assert reply.headers["Retry-After"] == "2"
    finally:
        done.set()
    assert live_app.test_client().get("/readyz").get_json()["status"] == "ready"
