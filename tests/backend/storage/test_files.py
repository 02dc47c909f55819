"""Where files lie: the same promises of a folder and of a bucket."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fsspec.asyn import sync_wrapper
from records.buckets import ObjectServer, fresh_bucket, objects_in
from s3fs import S3FileSystem

from backend.config import Config, ConfigError, TestingConfig
from backend.errors import RecordsUnavailable
from backend.storage import files as files_module
from backend.storage import objects as objects_module
from backend.storage.files import FILES, FileStore, FolderStore
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
    assert store.sweep(lambda _: {known}, older_than_s=3600) == 0
    time.sleep(1.1)  # a bucket tells whole seconds
    assert store.sweep(lambda _: {known}, older_than_s=0) == 1
    assert store.get(known) == b"content"
    with pytest.raises(RecordsUnavailable):
        store.get(lost)


def test_the_sweeper_leaves_what_is_not_of_the_store(tmp_path: Path, objects: ObjectServer) -> None:
    bucket, foreign = fresh_bucket(), uuid.UUID("ab" * 16)
    names = ("notes.txt", "ab/notes.txt", "ab/notes.part", f"cd/{foreign}", f"x/ab/{foreign}", f"ab/{foreign.hex}")
    for name in names:
        S3FileSystem(skip_instance_cache=True).pipe_file(f"{bucket}/{name}", b"x")
        (tmp_path / FILES / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / FILES / name).write_bytes(b"x")
    for store in (open_file_store(TestingConfig(data_dir=tmp_path, storage_url=url)) for url in (bucket, "")):
        store.put(foreign, b"lost")
        assert store.sweep(lambda _: set(), -60) == 1
    assert objects_in(bucket) == {name.rpartition("/")[2] for name in names}
    assert all((tmp_path / FILES / name).exists() for name in names)


def test_the_sweeper_of_another_database_takes_nothing(store: FileStore) -> None:
    ids = [uuid.uuid4() for _ in range(11)]
    for one in ids:
        store.put(one, b"content")
    with pytest.raises(RecordsUnavailable, match="the store holds 11, .* see DATABASE_URL"):
        store.sweep(lambda _: set(), -60, any_known=False)
    assert [store.get(one) for one in ids] == [b"content"] * 11
    store.remove(ids[:1])
    assert store.sweep(lambda _: set(), -60, any_known=False) == 10


def test_the_name_of_a_new_folder_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = list[Path]()
    monkeypatch.setattr(files_module, "_sync_folder", synced.append)
    for number in range(2):
        FolderStore(tmp_path).put(uuid.UUID(int=number), b"content")
    assert synced == [tmp_path / "00", tmp_path, tmp_path / "00"]


def test_what_could_not_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordsUnavailable, match="kept now .No space left"):
        FolderStore(tmp_path).put(uuid.uuid4(), b"content")
    assert list(tmp_path.glob("*/*")) == []


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
            store.sweep(set, 0)
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


def test_a_bucket_takes_a_thousand_away_in_a_request(objects: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert objects_module._AT_ONCE == 1000, "the most that S3 allows"
    monkeypatch.setattr(objects_module, "_AT_ONCE", 4)
    bucket, ids = fresh_bucket(), [uuid.uuid4() for _ in range(10)]
    store = open_file_store(TestingConfig(storage_url=bucket))
    for one in ids:
        store.put(one, b"content")
    asked, ask = list[str](), S3FileSystem._call_s3

    async def counted(self: S3FileSystem, method: str, *given: Any, **named: Any) -> Any:
        asked.append(method)
        return await ask(self, method, *given, **named)

    monkeypatch.setattr(S3FileSystem, "call_s3", sync_wrapper(counted))
    store.remove([*ids[:9], uuid.uuid4()])
    assert asked == ["delete_objects"] * 3, "one that is not there is no fault"
    assert objects_in(bucket) == {str(ids[9])}
    monkeypatch.setattr(objects_module, "_REMOVING_S", -1.0)
    store.remove(ids)
    assert objects_in(bucket) == {str(ids[9])}, "whoever waits is not kept waiting: the sweeper goes on"
    assert store.sweep(lambda _: set(), -60) == 1
    store.remove([])
    assert (objects_in(bucket), len(asked)) == (set(), 4)


def test_what_a_bucket_does_not_let_go_is_told_to_the_sweeper_alone(objects: ObjectServer) -> None:
    bucket, ids = fresh_bucket(), [uuid.uuid4() for _ in range(3)]
    store, name = open_file_store(TestingConfig(storage_url=bucket)), bucket.split("/")[2]
    for one in ids:
        store.put(one, b"content")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{name}/*{ids[1]}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    S3FileSystem(skip_instance_cache=True).call_s3("put_bucket_policy", Bucket=name, Policy=policy)
    store.remove(ids[:2])
    assert objects_in(bucket) == {str(ids[1]), str(ids[2])}
    with pytest.raises(RecordsUnavailable, match="the files cannot be removed now"):
        store.sweep(lambda _: set(), -60)
    assert objects_in(bucket) == {str(ids[1])}
