"""Pictures with what clinicians say that they are, as a data set that the recipes read: `images/` and `split.csv`."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, false, or_, select
from sqlalchemy.orm import Session

from backend.errors import Forbidden, NotFound
from backend.schemas.accounts import READERS, Account
from backend.storage.audit import OPERATOR, Deed, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.spooled import Spool, Spooled
from backend.storage.tables import Feedback, Prediction, StoredFile
from ml_model.errors import InputTooLarge
from ml_model.tasks.image_schema import DatasetSpec
from ml_model.tasks.registry import ImageTask

if TYPE_CHECKING:  # it brings all that answers pictures, which a terminal need not wait for
    from backend.services.loading.bundles import Task

MOST_BYTES, MOST_PICTURES = 100_000_000, 20_000  # in one answer
_ROWS_AT_ONCE = 500
SPLIT, IMAGES = "split.csv", "images"
COLUMNS = ("file", "label", "group", "split", "age", "sex", "view")
# Of an answer, which is long, what was asked alone.
_OF_A_CASE = (
    Prediction.id, Prediction.user_id.label("owner_id"), Prediction.class_code, Prediction.patient_ref,
    Prediction.file_id, Prediction.result[("provenance", "request")].label("asked"),
    StoredFile.size_bytes, StoredFile.sha256, StoredFile.format,
)  # fmt: skip
_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif", "DICOM": "dcm"}


@dataclass(frozen=True)
class Case:
    """One picture. row: of split.csv. The split is left to the recipe, which makes it by the group."""

    file_id: UUID
    size_bytes: int
    row: tuple[str, ...]


class FeedbackDataset:
    """Of one database and one store of files."""

    def __init__(self, database: Database, files: FileStore, tasks: Mapping[str, Task]) -> None:
        self._database = database
        self._files = files
        self._tasks = tasks

    def zipped(self, account: Account, task_id: str, spool: Spool, request_id: str) -> Spooled:
        """What a clinician or an admin sees: own records and those that are shared. One picture is in memory at a time.

        Raises Forbidden, NotFound, InputTooLarge, Busy and RecordsUnavailable.
        """
        if account.role not in READERS:
            raise Forbidden("the data set of feedback is for clinicians and admins")
        folder, cases = self._cases(task_id, or_(Prediction.user_id == account.id, Prediction.shared), _bounded)
        note(self._database, Deed(str(account.id), "dataset", task_id, request_id))
        with spool.writing() as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, data in self._members(cases):
                    archive.writestr(f"{folder}/{name}", data)
            return Spooled(file)

    def written(self, task_id: str, parent: Path) -> tuple[Path, int]:
        """All that there is of a task, to a folder in `parent`, for an operator. Returns it and how many pictures.

        Raises NotFound, and FileExistsError where there is such a folder: that of a public data set stays what it is.
        """
        folder, cases = self._cases(task_id, ~false(), list)
        (parent / folder / IMAGES).mkdir(parents=True)
        for name, data in self._members(cases):
            (parent / folder / name).write_bytes(data)
        note(self._database, Deed(OPERATOR, "dataset", task_id))
        return parent / folder, len(cases)

    def _members(self, cases: list[Case]) -> Iterator[tuple[str, bytes]]:
        table = io.StringIO(newline="")
        csv.writer(table).writerows([COLUMNS, *(case.row for case in cases)])
        for case in cases:
            yield case.row[0], self._files.get(case.file_id)
        yield SPLIT, table.getvalue().encode()  # the last: without it a folder is no data set

    def _cases(
        self, task_id: str, seen: ColumnElement[bool], taken: Callable[[Iterable[Case]], list[Case]]
    ) -> tuple[str, list[Case]]:
        """The folder's name, by which the recipe knows the labels, and the cases in the order of their records."""
        dataset = _dataset(self._tasks.get(task_id))
        label_of = {codes[0]: label for label, codes in reversed(dataset.labels.items()) if len(codes) == 1}
        said = select(Feedback.user_id, Feedback.agrees, Feedback.right_class, *_OF_A_CASE)
        said = said.join(Prediction, Feedback.prediction_id == Prediction.id)
        said = said.join(StoredFile, Prediction.file_id == StoredFile.id).where(Prediction.task == task_id, seen)
        with self._database.reading() as session:
            in_order = said.order_by(Prediction.number, Feedback.created_at)
            return dataset.folder, taken(_agreed(session, in_order, label_of))


def _agreed(session: Session, said: Select[Any], label_of: Mapping[str, str]) -> Iterator[Case]:
    """Of records whose newest words, one of each clinician, are one class that has a label."""
    rows = session.execute(said.execution_options(yield_per=_ROWS_AT_ONCE))
    for _, of_record in groupby(rows, lambda row: row.id):
        words: dict[UUID, str | None] = {}
        for row in of_record:
            words[row.user_id] = row.class_code if row.agrees else row.right_class
        codes = set(words.values())
        if len(codes) == 1 and (label := label_of.get(codes.pop() or "")):
            yield _case(row, label)


def _bounded(cases: Iterable[Case]) -> list[Case]:
    """Raises InputTooLarge."""
    taken, size = list[Case](), 0
    for case in cases:
        taken.append(case)
        size += case.size_bytes
        if size > MOST_BYTES or len(taken) > MOST_PICTURES:
            raise InputTooLarge(
                f"there are more than {MOST_PICTURES} pictures or {MOST_BYTES} bytes of them, the most that are sent; "
                "the operator writes all to a folder: python -m backend.admin export-feedback"
            )
    return taken


def _dataset(task: Task | None) -> DatasetSpec:
    """The public data set of a task whose labels are its classes. Raises NotFound."""
    if isinstance(task, ImageTask) and not task.signal:
        for dataset in task.datasets:
            if {(code,) for code in task.codes} <= set(dataset.labels.values()):
                return dataset
    raise NotFound("no recipe reads pictures with the classes of this task, so that no data set can be made of it")


def _case(row: Row[Any], label: str) -> Case:
    """Patients of two accounts are two, whatever they are called; a picture without one is told by its content."""
    whose = f"{row.owner_id} {row.patient_ref}" if row.patient_ref else row.sha256
    group = hashlib.sha256(whose.encode()).hexdigest()[:16]
    known = tuple(str((row.asked or {}).get(name, "")) for name in ("age_years", "sex", "view"))
    name = f"{IMAGES}/{row.id}.{_SUFFIXES.get(row.format, row.format.lower())}"
    return Case(row.file_id, row.size_bytes, (name, label, group, "", *known))
