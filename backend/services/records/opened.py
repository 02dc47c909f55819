"""Everything that records are kept by, once the database is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.config import Config
from backend.services.loading.bundles import Task
from backend.services.monitoring.dataset import FeedbackDataset
from backend.services.monitoring.monitor import Monitor
from backend.services.records.accounts import AccountBook
from backend.services.records.feedback import Exports, FeedbackBook
from backend.services.records.history import History
from backend.services.records.keeping import Keeping
from backend.services.records.passwords import Passwords
from backend.services.records.statistics import Statistics
from backend.services.reports.reporting import Reports
from backend.storage.database import Database, database_url
from backend.storage.files import FileStore
from backend.storage.objects import open_file_store
from backend.storage.secret_key import HASHING, derived
from ml_model.sandbox.pool import WorkerPool


@dataclass(frozen=True)
class OpenRecords:
    """Of one database and one folder of files."""

    database: Database
    files: FileStore
    accounts: AccountBook
    keeping: Keeping
    history: History
    statistics: Statistics
    feedback: FeedbackBook
    exports: Exports
    monitor: Monitor
    dataset: FeedbackDataset
    reports: Reports


def open_records(config: Config, secret: str, tasks: Mapping[str, Task], pool: WorkerPool) -> OpenRecords:
    """With tables of the present form. Raises RecordsUnavailable, or OSError for a folder that cannot be made."""
    if not config.database_url:
        config.data_dir.mkdir(parents=True, exist_ok=True)
    database, files = Database(database_url(config)), open_file_store(config)
    database.migrate()
    passwords = Passwords(derived(secret, HASHING), cheap=config.cheap_passwords)
    return OpenRecords(
        database=database,
        files=files,
        accounts=AccountBook(database, files, passwords, config.quota_bytes),
        keeping=Keeping(database, files, pool, config.quota_bytes),
        history=History(database, files),
        statistics=Statistics(database),
        feedback=FeedbackBook(database, tasks),
        exports=Exports(database),
        monitor=Monitor(database),
        dataset=FeedbackDataset(database, files, tasks),
        reports=Reports(database, files, tasks, pool),
    )
