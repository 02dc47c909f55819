"""Records on both databases: a file, and a PostgreSQL server that is started once a run and process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chats.asking import Asker, asker
from records.buckets import ObjectServer, fresh_bucket, object_server
from records.databases import DATABASES, fresh_postgres, postgres_server
from samples import image_task, write_tiny, write_tiny_signal

from backend.app import Application, create_app
from backend.config import TestingConfig


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server, without a database's name."""
    with postgres_server() as server:
        yield server.address


@pytest.fixture(scope="session", params=DATABASES)
def database_address(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Factory of addresses: of nothing for the file in the data folder, else of an empty database."""
    if request.param == "sqlite":
        return lambda: ""
    server: str = request.getfixturevalue("postgres")
    return lambda: fresh_postgres(server)


@pytest.fixture(scope="session")
def records_app(database_address: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """One image task with a tiny model, and records on each database."""
    app = records_application(tmp_path_factory.mktemp("records"), database_address())
    yield app
    close(app)


def records_application(root: Path, database_url: str, **settings: Any) -> Application:
    """In a folder of its own."""
    write_tiny(image_task("skin"), root / "models")
    write_tiny_signal(image_task("heart"), root / "models")
    given: dict[str, Any] = {
        "model_dirs": (root / "models",),
        "user_models_dir": root / "none",
        "data_dir": root / "data",
        "log": False,
        "input_gate": False,
        "database_url": database_url.replace("postgresql://", "postgresql+psycopg://"),
    }
    app = create_app(TestingConfig(**given | settings))
    assert app.services.models.wait_ready()
    return app


def close(app: Application) -> None:
    """Begin nothing more, and let go of the database."""
    opened = app.services.records.opened
    if opened is None:
        return
    app.services.readiness.draining_since = 0.0
    opened.executor.wake()
    assert opened.executor.join(60.0)
    assert opened.monitor.join(60.0)
    opened.database.close()


@pytest.fixture(scope="session")
def objects() -> Iterator[ObjectServer]:
    """A server of S3."""
    with object_server() as server:
        yield server


@pytest.fixture(scope="session", params=["folder", "bucket"])
def storage_address(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Factory of addresses of empty stores: of nothing for the data folder, else of a bucket."""
    if request.param == "folder":
        return lambda: ""
    request.getfixturevalue("objects")
    return fresh_bucket


@pytest.fixture(scope="session")
def records_file_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """On the file alone, for what no database has a part in."""
    app = records_application(tmp_path_factory.mktemp("records"), "")
    yield app
    close(app)


@pytest.fixture(scope="session")
def make_file_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Application]]:
    """Factory of the same, with settings: `make_file_app(registration=False)`."""
    made: list[Application] = []

    def make(**settings: Any) -> Application:
        made.append(records_application(tmp_path_factory.mktemp("records"), "", **settings))
        return made[-1]

    yield make
    for app in made:
        close(app)


@pytest.fixture(scope="session")
def somebody(
    make_file_app: Callable[..., Application], tmp_path_factory: pytest.TempPathFactory, picture: Callable[..., bytes]
) -> Asker:
    """Who asks the chat."""
    return asker(make_file_app, tmp_path_factory.mktemp("chat"), picture(seed=1), picture(seed=2))


@pytest.fixture
def make_records_app(database_address: Callable[[], str]) -> Iterator[Callable[..., Application]]:
    """Factory of applications with an empty database: `make_records_app(folder, **settings)`."""
    made: list[Application] = []

    def make(root: Path, **settings: Any) -> Application:
        made.append(records_application(root, database_address(), **settings))
        return made[-1]

    yield make
    for app in made:
        close(app)
