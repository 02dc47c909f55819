"""Databases to test records on: a file, and a PostgreSQL server of our own, on a free port, for this run alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

DATABASES = ("sqlite", "postgresql")
_DEBIAN = Path("/usr/lib/postgresql")
_ANY = "-c max_connections=60 -c log_min_messages=fatal"
_QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


def _program(name: str) -> str:
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]), reverse=True)
    found = str(versions[0]) if versions else shutil.which(name)
    assert found, f"no {name}: the tests need PostgreSQL and Redis; apt-get install postgresql redis-server"
    return found


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class PostgresServer:
    """On a free port, for this run alone. It refuses to run as root, so then it is user postgres.

    keeps: commits are written before they are acknowledged, as in service; without, tests are quicker.
    """

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        self._run = {"user": "postgres" if os.geteuid() == 0 else None, "cwd": folder, "check": True}
        if self._run["user"]:
            shutil.chown(folder, "postgres")
        port = free_port()
        self.address = f"postgresql://records@127.0.0.1:{port}"
        self._control = [_program("pg_ctl"), "-D", str(folder / "data"), "-s", "-w"]
        initdb = [_program("initdb"), "-D", str(folder / "data"), "-U", "records", "-A", "trust", "-E", "UTF8"]
        self._call([*initdb, "--no-sync", "--locale=C"])
        listen = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        options = f"{listen} {_ANY} {'' if keeps else _QUICK}"
        self._starting = [*self._control, "-l", str(folder / "log"), "-o", options, "start"]
        self.start()

    def start(self) -> None:
        """And wait until it answers."""
        # Not captured: the server keeps the pipes open.
        self._call(self._starting, capture_output=False, stdout=subprocess.DEVNULL)

    def stop(self, mode: str = "immediate") -> None:
        """mode: immediate ends it as a crash does, fast ends transactions first."""
        self._call([*self._control, "-m", mode, "stop"])

    def _call(self, command: list[str], **how: Any) -> None:
        subprocess.run(command, **self._run | {"capture_output": True, "encoding": "utf-8"} | how)


@contextmanager
def postgres_server(*, keeps: bool = False) -> Iterator[PostgresServer]:
    """A server that is there until the end."""
    folder = Path(tempfile.mkdtemp(prefix="records-"))
    try:
        server = PostgresServer(folder, keeps=keeps)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_server(port: int | None = None) -> Iterator[str]:
    """The address of a server of our own, which keeps nothing. port: a free one, where none is given."""
    port = port or free_port()
    command = [_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            address = f"redis://127.0.0.1:{port}/0"
            link = redis.Redis.from_url(address, retry=Retry(ConstantBackoff(0.05), 200))
            link.ping()
            link.close()
            yield address
        finally:
            server.kill()


def fresh_postgres(server: str) -> str:
    """The address of a role whose schema is empty: made in a hundredth of the time that a database takes, and removed
    with less. It may no more than an operator's role must."""
    name = f"records_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as link:
        for command in (f"CREATE ROLE {name} LOGIN", f"CREATE SCHEMA AUTHORIZATION {name}"):
            link.execute(command)  # type: ignore[arg-type]
    return f"{server.replace('//records@', f'//{name}@')}/postgres"
