"""The server is killed, or the database, while clients write: what was acknowledged is there, and nothing by halves.

`make soak` kills the server fifty times on each database; here five times in all.
"""

from __future__ import annotations

import io
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from child_processes.processes import one_task
from records.databases import PostgresServer, fresh_postgres, postgres_server
from records.kills import killed_while_writing
from records.losing_proxy import LosingProxy
from records.people import person
from records.surviving import faults, swept
from records.writers import TASK, Caller, Told, log_in, small_picture, writing
from werkzeug.serving import make_server

from backend.app import Application, create_app
from backend.config import Config, TestingConfig


@pytest.fixture(scope="module")
def keeping_postgres() -> Iterator[PostgresServer]:
    """One that has written what it acknowledged."""
    with postgres_server(keeps=True) as server:
        yield server


def application(root: Path, address: str) -> Application:
    """One task, in this process. address: of a PostgreSQL database."""
    settings = one_task(root) | {"DATABASE_URL": address, "APP_ENV": "testing"}
    read = Config.from_env(settings)
    assert isinstance(read, TestingConfig)
    app = create_app(TestingConfig(**{**vars(read), "log": False}))
    assert app.services.models.wait_ready()
    return app


@contextmanager
def served(app: Application) -> Iterator[int]:
    """Its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.services.records.open().database.close()


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(("database", "kills"), [("sqlite", 2), ("postgresql", 2)])
def test_killed_while_clients_write_nothing_acknowledged_is_lost(
    tmp_path: Path, database: str, kills: int, request: pytest.FixtureRequest
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    server = request.getfixturevalue("keeping_postgres") if database == "postgresql" else None
    told, _, found = killed_while_writing(tmp_path, fresh_postgres(server.address) if server else "", kills, seed)
    assert found == [], f"seed {seed}"
    assert len(told.predictions) >= kills


def test_postgresql_goes_and_comes_back_in_mid_work(tmp_path: Path, keeping_postgres: PostgresServer) -> None:
    address, told = fresh_postgres(keeping_postgres.address), Told()
    app = application(tmp_path, address)
    with served(app) as port:
        token = log_in(port)
        with writing(port, token, told, random.Random(1)):
            wait_until(lambda: len(told.predictions) > 3)
            keeping_postgres.stop("immediate")
            try:
                wait_until(lambda: told.count(503) > 3)
                sent = {"image": (io.BytesIO(small_picture(1)), "x")}
                pictures = app.test_client().post(f"/analyze/{TASK}", data=sent)
                assert pictures.status_code == 200, "pictures are answered without a database"
                before = len(told.predictions)
            finally:
                keeping_postgres.start()
            wait_until(lambda: len(told.predictions) > before + 3)
        caller = Caller(port, token)
        newest = list(told.predictions.keys() - told.doubtful)[-3:]
        assert {caller.call("GET", f"/history/{one}")[0] for one in newest} == {200}
        caller.close()
    assert set(told.answers) <= {(200, ""), (201, ""), (422, "poor_quality"), (503, "records_unavailable")}
    assert told.unanswered == 0
    assert faults(tmp_path / "data", address, told) == []
    assert swept(tmp_path / "data", address)[1] == []


def test_a_transaction_that_was_kept_and_not_acknowledged_has_its_files(
    tmp_path: Path, keeping_postgres: PostgresServer
) -> None:
    direct = fresh_postgres(keeping_postgres.address)
    proxy = LosingProxy(direct)
    app = application(tmp_path, proxy.address)
    ada = person(app)
    proxy.armed.set()
    sent = {"file": (io.BytesIO(small_picture(1)), "x"), "task": TASK}
    reply = ada.call("POST", "/predict", data=sent)
    assert (reply.status_code, reply.get_json()["code"]) == (503, "records_unavailable")
    assert "GET /api/v1/history tells" in reply.get_json()["error"]
    assert not proxy.armed.is_set()
    kept = ada.get("/history")["history"]
    assert len(kept) == 1
    assert ada.call("GET", f"/files/{kept[0]['file_id']}").status_code == 200
    assert ada.call("GET", kept[0]["heatmap_url"].removeprefix("/api/v1")).status_code == 200
    app.services.records.open().database.close()
    proxy.close()
    assert faults(tmp_path / "data", direct, Told()) == []
