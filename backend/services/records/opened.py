"""Everything that records are kept by, once the database is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.config import Config
from backend.endpoint import MAX_UPLOAD_BYTES
from backend.services.batches.archive import ZipLimits
from backend.services.batches.book import BatchBook
from backend.services.batches.executor import Executor, OwnLabour
from backend.services.batches.frames import FrameReader
from backend.services.batches.leases import Leases
from backend.services.batches.work import BatchWork
from backend.services.diagnosis import ImageDiagnosis
from backend.services.interop.dicom_records import DicomExports
from backend.services.interop.records import RecordExports
from backend.services.loading.bundles import Task
from backend.services.longitudinal.again import AnsweredAgain
from backend.services.longitudinal.course import Course
from backend.services.monitoring.dataset import FeedbackDataset
from backend.services.monitoring.monitor import Monitor
from backend.services.records.accounts import AccountBook
from backend.services.records.answers import AnswerKeeping
from backend.services.records.feedback import Exports, FeedbackBook
from backend.services.records.history import History
from backend.services.records.identities import Identities
from backend.services.records.keeping import Keeping
from backend.services.records.passwords import Passwords
from backend.services.records.statistics import Statistics
from backend.services.reports.reporting import Reports
from backend.services.viewer import Viewer
from backend.storage.database import Database, database_url
from backend.storage.files import FileStore
from backend.storage.objects import open_file_store
from backend.storage.secret_key import HASHING, derived
from backend.storage.spooled import Spool
from backend.telemetry import Logger, Readiness
from ml_model.sandbox.pool import WorkerPool


@dataclass(frozen=True)
class OpenRecords:
    """Of one database and one folder of files."""

    database: Database
    files: FileStore
    accounts: AccountBook
    identities: Identities
    keeping: Keeping
    answers: AnswerKeeping
    history: History
    course: Course
    viewer: Viewer
    statistics: Statistics
    feedback: FeedbackBook
    exports: Exports
    monitor: Monitor
    dataset: FeedbackDataset
    reports: Reports
    interop: RecordExports
    dicom: DicomExports
    batches: BatchBook
    executor: Executor
    work: BatchWork
    spool: Spool


@dataclass(frozen=True)
class Surroundings:
    """What records are opened with. pool: of the processes that read files."""

    config: Config
    secret: str
    tasks: Mapping[str, Task]
    pool: WorkerPool
    images: ImageDiagnosis
    readiness: Readiness
    logger: Logger


def open_records(given: Surroundings) -> OpenRecords:
    """With tables of the present form. Raises RecordsUnavailable, or OSError for a folder that cannot be made."""
    config, tasks = given.config, given.tasks
    if not config.database_url:
        config.data_dir.mkdir(parents=True, exist_ok=True)
    database, files = Database(database_url(config)), open_file_store(config)
    database.migrate()
    passwords = Passwords(derived(given.secret, HASHING), cheap=config.cheap_passwords)
    keeping = Keeping(database, files, given.pool, config.quota_bytes)
    history = History(database, files)
    again = AnsweredAgain(tasks, given.images)
    course = Course(database, files, again)
    reports = Reports(database, files, tasks, given.pool, course)
    work, executor = _labour(given, database, files, keeping)
    return OpenRecords(
        database=database,
        files=files,
        accounts=AccountBook(database, files, passwords, config.quota_bytes),
        identities=Identities(database),
        keeping=keeping,
        answers=AnswerKeeping(keeping),
        history=history,
        course=course,
        viewer=Viewer(history, files, given.pool),
        statistics=Statistics(database),
        feedback=FeedbackBook(database, tasks),
        exports=Exports(database),
        monitor=Monitor(database),
        dataset=FeedbackDataset(database, files, tasks),
        reports=reports,
        interop=RecordExports(database, files, tasks, given.pool, course),
        dicom=DicomExports(database, files, tasks, given.pool, again, reports),
        batches=BatchBook(
            database, files, config.quota_bytes,
            FrameReader(given.images, ZipLimits(config.batch_files, MAX_UPLOAD_BYTES, config.batch_bytes)),
            config.data_dir, config.unfinished_batches, executor,
        ),
        executor=executor,
        work=work,
        spool=Spool(config.data_dir),
    )  # fmt: skip


def _labour(given: Surroundings, database: Database, files: FileStore, keeping: Keeping) -> tuple[BatchWork, Executor]:
    """The work on batches, and who has it done: this process, or those that a queue tells of them."""
    config, labour = given.config, None

    def stopping() -> bool:
        return given.readiness.draining_since is not None

    leases = Leases(database, files, config.batch_lease_s)
    work = BatchWork(leases, files, keeping, given.images, given.tasks, stopping, given.logger)
    if config.celery_broker_url:
        from backend.services.batches.queue import QueueLabour

        labour = QueueLabour(leases, config.celery_broker_url, given.logger)
    return work, Executor(labour or OwnLabour(work), stopping, given.logger)
