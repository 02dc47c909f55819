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

import psycopg

DATABASES = ("sqlite", "postgresql")
_DEBIAN = Path("/usr/lib/postgresql")
_QUICK = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60 -c log_min_messages=fatal"
)


def _program(name: str) -> str:
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]), reverse=True)
    found = str(versions[0]) if versions else shutil.which(name)
    assert found, f"no {name}: the tests need PostgreSQL; apt-get install postgresql"
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a server without its database's name. It refuses to run as root, so then it is user postgres."""
    folder = Path(tempfile.mkdtemp(prefix="records-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    port = _free_port()
    run = {"user": user, "cwd": folder, "check": True, "capture_output": True, "encoding": "utf-8"}
    data = folder / "data"
    try:
        initdb = [_program("initdb"), "-D", str(data), "-U", "records", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*initdb, "--locale=C"], **run)  # type: ignore[call-overload]
        listen = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} {_QUICK}"
        control = [_program("pg_ctl"), "-D", str(data), "-s", "-w"]
        start = [*control, "-l", str(folder / "log"), "-o", listen, "start"]
        # Not captured: the server keeps the pipes open.
        subprocess.run(start, **run | {"capture_output": False, "stdout": subprocess.DEVNULL})  # type: ignore[call-overload]
        try:
            yield f"postgresql://records@127.0.0.1:{port}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_postgres(server: str) -> str:
    """The address of an empty database."""
    name = f"records_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as link:
        link.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return f"{server}/{name}"
