"""An S3 server of our own, on a free port of this machine, that can be stopped and started again with what it holds."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

_LOOPBACK = "127.0.0.1"


class ObjectServer:
    """Speaks S3. What it holds is in this process's memory, so that it outlives a stop."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(_LOOPBACK, 0)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    @property
    def address(self) -> str:
        return f"http://{_LOOPBACK}:{self._port}"

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        """On the same port."""
        self._server = ThreadedMotoServer(_LOOPBACK, self._port)
        self._server.start()


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """The environment leads there while this lasts."""
    server = ObjectServer()
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        told = {"ENDPOINT_URL": server.address, "ACCESS_KEY_ID": "tests", "DEFAULT_REGION": "us-east-1"}
        for name, value in {**told, "SECRET_ACCESS_KEY": "tests", "EC2_METADATA_DISABLED": "true"}.items():
            environment.setenv(f"AWS_{name}", value)
        try:
            yield server
        finally:
            server.stop()


@functools.cache
def _client(_server: str) -> S3FileSystem:
    """One for each server: half a second goes into reading what S3 is."""
    return S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


def fresh_bucket() -> str:
    """The address of an empty bucket."""
    name = f"records-{uuid.uuid4().hex}"
    _client(os.environ["AWS_ENDPOINT_URL"]).mkdir(name)
    return f"s3://{name}/files"


def objects_in(url: str) -> set[str]:
    """Names of what is in a bucket, without their folders."""
    found = _client(os.environ["AWS_ENDPOINT_URL"]).find(url.removeprefix("s3://"))
    return {name.rpartition("/")[2] for name in found}
