"""Where files lie: the same promises of a folder and of a bucket."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from records.buckets import ObjectServer, fresh_bucket

from backend.config import Config, ConfigError, TestingConfig
from backend.errors import RecordsUnavailable
from backend.storage.files import FileStore
from backend.storage.objects import open_file_store


@pytest.fixture
def store(storage_address: Callable[[], str], tmp_path: Path) -> FileStore:
    return open_file_store(TestingConfig(data_dir=tmp_path, storage_url=storage_address()))


def test_what_is_kept_is_there_whole_until_it_is_removed(store: FileStore) -> None:
    one, other, content = uuid.uuid4(), uuid.uuid4(), bytes(range(256)) * 5000
    store.put(one, content)
    store.put(other, b"")
    assert (store.get(one), store.get(other)) == (content, b"")
    store.remove([one, uuid.uuid4()])
    with pytest.raises(RecordsUnavailable, match="read now"):
        store.get(one)
    assert store.get(other) == b""


def test_threads_keep_at_once(store: FileStore) -> None:
    ids = [uuid.uuid4() for _ in range(24)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: store.put(one, one.bytes), ids))
        assert list(pool.map(store.get, ids)) == [one.bytes for one in ids]


def test_the_sweeper_takes_what_no_row_names_and_is_old(store: FileStore) -> None:
    known, lost = uuid.uuid4(), uuid.uuid4()
    for one in (known, lost):
        store.put(one, b"content")
    assert store.sweep(lambda one: one == known, older_than_s=3600) == 0
    time.sleep(1.1)  # a bucket tells whole seconds
    assert store.sweep(lambda one: one == known, older_than_s=0) == 1
    assert store.get(known) == b"content"
    with pytest.raises(RecordsUnavailable):
        store.get(lost)


def test_a_store_that_is_gone_says_so_and_loses_nothing(objects: ObjectServer) -> None:
    store = open_file_store(TestingConfig(storage_url=fresh_bucket()))
    kept, other = uuid.uuid4(), uuid.uuid4()
    store.put(kept, b"content")
    objects.stop()
    try:
        for what, call in (("kept", lambda: store.put(other, b"x")), ("read", lambda: store.get(kept))):
            with pytest.raises(RecordsUnavailable, match=f"cannot be {what} now: the object store"):
                call()
        store.remove([kept])  # tries, and leaves it to the sweeper
        with pytest.raises(RecordsUnavailable, match="looked through"):
            store.sweep(lambda _: True, 0)
    finally:
        objects.start()
    assert store.get(kept) == b"content"
    store.put(other, b"x")
    assert store.get(other) == b"x"


@pytest.mark.parametrize("url", ["http://bucket", "s3://", "s3://a/../b", "s3://bucket/../x", "s3://user:word@bucket"])
def test_a_setting_that_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="STORAGE_URL: expected s3://bucket") as refused:
        Config.from_env({"STORAGE_URL": url})
    assert "word" not in str(refused.value)


def test_a_bucket_without_the_extra_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(RecordsUnavailable, match="s3fs is not installed"):
        open_file_store(TestingConfig(storage_url="s3://bucket/files"))
