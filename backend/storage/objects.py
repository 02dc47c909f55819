"""Files of records in a bucket of S3, or of what speaks like it; s3fs is imported where `STORAGE_URL` names one."""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from backend.config import Config
from backend.errors import RecordsUnavailable
from backend.storage.files import (
    FILES,
    FileStore,
    FolderStore,
    Known,
    id_of,
    is_young,
    name_of,
    refuse_another_database,
)

_AT_ONCE = 1000  # objects are taken away, the most that S3 allows
_REMOVING_S = 10.0  # while a client waits
# A request is not held for minutes by a store that is gone.
_TIMES = {"connect_timeout": 3, "read_timeout": 10, "retries": {"total_max_attempts": 1}}


def open_file_store(config: Config) -> FileStore:
    """That of the setting, or the folder in the data folder. Raises RecordsUnavailable."""
    return BucketStore(config.storage_url) if config.storage_url else FolderStore(config.data_dir / FILES)


class BucketStore:
    """A `FileStore` in a bucket: an object is there whole, or not at all. Endpoint, region and credentials are those of
    the environment (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ...), or of the machine's role."""

    def __init__(self, url: str) -> None:
        try:
            from s3fs import S3FileSystem
        except ImportError as error:
            raise RecordsUnavailable("STORAGE_URL names a bucket, and s3fs is not installed") from error
        self._root = url.removeprefix("s3://").strip("/")
        # Of its own, and it remembers no listing: other processes write here too.
        self._bucket = S3FileSystem(config_kwargs=_TIMES, use_listings_cache=False, skip_instance_cache=True)
        self._bucket.retries = 2  # of a connection that broke off; one that is refused is told at once

    def put(self, file_id: uuid.UUID, data: bytes) -> None:
        """Raises RecordsUnavailable."""
        with _told("kept"):
            self._bucket.pipe_file(self._name(file_id), data)

    def get(self, file_id: uuid.UUID) -> bytes:
        """Raises RecordsUnavailable."""
        with _told("read"):
            content: bytes = self._bucket.cat_file(self._name(file_id))
            return content

    def remove(self, file_ids: Iterable[uuid.UUID]) -> None:
        """As far as it can: what the store keeps, or does not take away in time, is left to `sweep`."""
        with contextlib.suppress(RecordsUnavailable):
            self._delete([self._name(one) for one in file_ids], time.monotonic() + _REMOVING_S)

    def sweep(self, known: Known, older_than_s: float, *, any_known: bool = True) -> int:
        """By the store's own clock."""
        old = dict[uuid.UUID, str]()
        with _told("looked through"):
            found: dict[str, Any] = self._bucket.find(self._root, detail=True)
            for name, told in found.items():
                file_id = id_of(name.removeprefix(f"{self._root}/"))
                if file_id is not None and not is_young(told["LastModified"].timestamp(), older_than_s):
                    old[file_id] = name
            lost = old.keys() - known(old.keys())
        refuse_another_database(len(lost), any_known)
        self._delete([old[one] for one in lost])
        return len(lost)

    def _delete(self, names: list[str], until: float = math.inf) -> None:
        """As many in a request as S3 takes. until: in time.monotonic(). Raises RecordsUnavailable where one stays."""
        kept = list[object]()
        with _told("removed"):
            for start in range(0, len(names), _AT_ONCE):
                if time.monotonic() > until:
                    return
                paths = [self._bucket.split_path(name) for name in names[start : start + _AT_ONCE]]
                asked = {"Objects": [{"Key": path[1]} for path in paths], "Quiet": True}
                kept += self._bucket.call_s3("delete_objects", Bucket=paths[0][0], Delete=asked).get("Errors", [])
            if kept:
                raise PermissionError(f"{len(kept)} objects")

    def _name(self, file_id: uuid.UUID) -> str:
        return f"{self._root}/{name_of(file_id)}"


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Every failure of the store in one sentence, without its own, which holds addresses."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        raise RecordsUnavailable(
            f"the files cannot be {what} now: the object store does not answer as it should "
            f"({type(error).__name__}); try again later"
        ) from error
