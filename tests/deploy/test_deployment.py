"""What the service is deployed with: the compose file, the image, the settings' example."""

from __future__ import annotations

import re
import runpy
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose, PyOptions
from samples import ROOT
from werkzeug.serving import make_server

from backend.config import Config
from backend.endpoint import is_ours
from backend.settings.reading import usable_cores
from backend.settings.values import words

COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
GIVEN = dict(re.findall(r"^(#?[A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE))
# A variable, and its default or, behind a question mark, what is asked for.
VARIABLE = re.compile(r"\$\{([A-Z_]+):([-?])([^}]*)\}")
IMAGE = re.compile(r"[\w./-]+:\d+\.\d+\.\d+-[\w-]+|[\w./-]+:\d+\.\d+-bookworm|medidiagnose-ai:local")


class Watched(dict[str, str]):
    """An environment that notes what was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def parsed(text: str) -> PyCompose:
    """As an engine would read it. Raises ValueError."""
    made_up = {"TLS_DIR": "./tls"}
    told = VARIABLE.sub(lambda m: m[3] if m[2] == "-" else made_up.get(m[1], "word"), text)
    options = PyOptions()
    options.apply_merge = True
    found = options.from_yaml(told)
    found.validate()
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = parsed(COMPOSE).to_dict()["services"]
    return found


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("expose:", "exposes:"), ("- data:/data", "- dato:/data"), ("unless-stopped", "perhaps"), ("[back]", "[bak]")],
)
def test_the_compose_file_fits_the_specification(right: str, wrong: str) -> None:
    parsed(COMPOSE)
    with pytest.raises(ValueError, match=r"\w"):
        parsed(COMPOSE.replace(right, wrong))


def test_only_nginx_is_reached_from_outside_and_nobody_has_more_rights_than_needed(
    services: dict[str, dict[str, Any]],
) -> None:
    assert list(services) == ["api", "worker", "postgres", "redis", "nginx"]
    assert [name for name, told in services.items() if told.get("ports")] == ["nginx"]
    for name, told in services.items():
        assert (name, told["cap_drop"], told["restart"]) == (name, ["ALL"], "unless-stopped")
        assert told["security_opt"] == ["no-new-privileges:true"]
        assert told.get("mem_limit"), name
        assert told.get("read_only") or name == "postgres"
        assert IMAGE.fullmatch(told["image"]), told["image"]
    assert {name for name, told in services.items() if "out" in told["networks"]} == {"worker"}
    assert re.findall(r"^  (front|back|out):(?!\n    internal: true)", COMPOSE, re.MULTILINE) == ["front", "out"]
    assert "USER 10001:10001" in DOCKERFILE
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:3.11.14-slim-bookworm"}


def test_counters_are_asked_for_by_the_name_inside(services: dict[str, dict[str, Any]]) -> None:
    assert "http://api:5000/metrics" in (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    named = words(services["api"]["environment"], "ALLOWED_HOSTS")
    assert [is_ours(host, named) for host in ("word", "api:5000", "example.org")] == [True, True, False]


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    watched = Watched()
    Config.from_env(watched)
    of_compose = {name for name, _, _ in VARIABLE.findall(COMPOSE)}
    assert {name.lstrip("#") for name in GIVEN} == watched.asked | of_compose


def test_what_the_example_has_commented_out_is_the_default() -> None:
    commented = {name[1:]: value for name, value in GIVEN.items() if name.startswith("#")}
    assert Config.from_env(commented) == Config.from_env({})
    defaults = {name: default for name, kind, default in VARIABLE.findall(COMPOSE) if kind == "-"}
    of_compose = {name: value for name, value in defaults.items() if name in commented and name != "THREADS"}
    assert of_compose == {name: commented[name] for name in of_compose}


def test_what_must_be_filled_in_is_empty_there_and_asked_for() -> None:
    """So that nothing starts with a secret that everybody knows."""
    needed = {name for name, kind, _ in VARIABLE.findall(COMPOSE) if kind == "?"}
    assert {name: value for name, value in GIVEN.items() if not name.startswith("#")} == dict.fromkeys(needed, "")
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", ".env"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert ignored.stdout == ".env\n"


def test_the_image_leaves_training_out_and_has_what_serves() -> None:
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "sed '/^# Training and conversion$/,$d' requirements.txt" in DOCKERFILE
    kept = requirements[: requirements.index("\n# Training and conversion\n")]
    assert re.findall(r"^# .*", kept, re.MULTILINE) == ["# Service", "# Models and inputs"]
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {name for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    assert allowed[0] == "*"
    assert {line[1:] for line in allowed if line.startswith("!")} == copied


def test_threads_by_the_cores_and_the_limit_of_the_container(tmp_path: Path) -> None:
    cores = usable_cores(tmp_path)
    assert cores >= 1
    for limit, expected in (("max 100000", cores), ("100000 100000", 1), ("50000 100000", 1), ("nonsense", cores)):
        (tmp_path / "cpu.max").write_text(f"{limit}\n", encoding="ascii")
        assert usable_cores(tmp_path) == expected
    assert Config.from_env({"THREADS": "auto"}).threads == min(max(4, 2 * usable_cores()), 256)


def test_the_health_check_asks_whether_it_is_ready() -> None:
    is_ready: Callable[[int], bool] = runpy.run_path(str(ROOT / "deploy" / "healthy.py"))["is_ready"]
    asked = []

    def ready(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        asked.append((environ["PATH_INFO"], environ["HTTP_HOST"]))
        start("200 OK" if len(asked) == 1 else "503 Service Unavailable", [])
        return [b""]

    server = make_server("127.0.0.1", 0, ready)
    server.timeout = 30
    for expected in (True, False):
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        assert is_ready(server.server_port) is expected
        serving.join()
    server.server_close()
    assert is_ready(server.server_port) is False
    assert asked == [("/readyz", f"127.0.0.1:{server.server_port}")] * 2
    assert is_ours(asked[0][1], (".example.org",))
