"""One patient's studies in their order, and each beside the one before it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import defer

from backend.errors import RecordsUnavailable
from backend.schemas.accounts import Account
from backend.schemas.records import Change, TimelineAnswer, TimelinePoint
from backend.schemas.scans.comparison import Comparison
from backend.services.longitudinal.again import AnsweredAgain
from backend.services.longitudinal.comparison import Laid, Seen, compared, laid_on_each_other, view_of
from backend.services.records.history import record_answer
from backend.services.records.keeping import Kept
from backend.services.reports.kept_answer import KeptAnswer
from backend.storage.audit import Deed, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Prediction, StoredFile
from backend.telemetry import RequestContext
from ml_model.diagnosis.reading import RECORDING_FORMAT
from ml_model.errors import MediDiagnoseError
from ml_model.tasks.triage_scale import LEVELS

MOST_OF_A_PATIENT = 1000
_SHOWN_PX = 512  # of the longer side, of what is compared
_DAY_S = 86_400.0


class Course:
    """The records of one patient that an account may see."""

    def __init__(self, database: Database, files: FileStore, again: AnsweredAgain) -> None:
        self._database = database
        self._files = files
        self._again = again

    def timeline(self, account: Account, patient_ref: str, compare: int, context: RequestContext) -> TimelineAnswer:
        """The oldest first. compare: how many of the newest changes are looked at picture by picture."""
        of_patient = (Prediction.user_id == account.id, Prediction.patient_ref == patient_ref)
        newest = select(Prediction).where(*of_patient).order_by(Prediction.number.desc()).limit(MOST_OF_A_PATIENT)
        with self._database.reading() as session:
            rows = list(session.scalars(newest.options(defer(Prediction.result, raiseload=True))))[::-1]
        note(self._database, Deed(str(account.id), "timeline", "", context.request_id))
        before, last = dict[int, Prediction](), dict[str, Prediction]()
        for row in rows:
            if row.task in last:
                before[row.number] = last[row.task]
            last[row.task] = row
        looked_at = sorted(before)[-compare:] if compare else []
        comparisons = self._of_pairs({number: before[number].number for number in looked_at}, context)
        points = tuple(
            TimelinePoint(
                record=record_answer(row),
                change=_change(before[row.number], row) if row.number in before else None,
                comparison=comparisons.get(row.number),
            )
            for row in rows
        )
        return TimelineAnswer(success=True, patient_ref=patient_ref, timeline=points, count=len(points))

    def since_the_one_before(self, account: Account, row: Prediction, context: RequestContext) -> Comparison | None:
        """A record beside the one before it of the same patient and task that the account may see; None where there is
        none, or where it is of no picture."""
        if row.patient_ref is None:
            return None
        same = (
            Prediction.user_id == row.user_id,
            Prediction.patient_ref == row.patient_ref,
            Prediction.task == row.task,
        )
        of_account = () if row.user_id == account.id else (Prediction.shared.is_(True),)
        earlier = select(Prediction).where(*same, *of_account, Prediction.number < row.number)
        with self._database.reading() as session:
            before = session.scalars(earlier.order_by(Prediction.number.desc()).limit(1)).first()
        return self._of_pair(before, row, context) if before else None

    def _of_pairs(self, before: Mapping[int, int], context: RequestContext) -> dict[int, Comparison | None]:
        """By number. before: of each the number of the one before it; what was deleted meanwhile is left out."""
        wanted = select(Prediction).where(Prediction.number.in_({*before, *before.values()}))
        with self._database.reading() as session:
            rows = {row.number: row for row in session.scalars(wanted)}
        return {
            number: self._of_pair(rows[earlier], rows[number], context)
            for number, earlier in before.items()
            if number in rows and earlier in rows
        }

    def _of_pair(self, before: Prediction, after: Prediction, context: RequestContext) -> Comparison | None:
        """Both with what was answered."""
        first, then = (KeptAnswer.model_validate(row.result) for row in (before, after))
        if not (first.findings and then.findings):
            return None
        try:
            laid = self._laid((before, after), (first, then), context)
        except RecordsUnavailable:
            raise
        except MediDiagnoseError as error:
            laid = Laid(f"one of the pictures could not be answered again: {error}")
        return compared(before.id, after.task, first, then, laid)

    def _laid(
        self, rows: tuple[Prediction, Prediction], answers: tuple[KeptAnswer, KeptAnswer], context: RequestContext
    ) -> Laid:  # fmt: skip
        with self._database.reading() as session:
            files = [session.get(StoredFile, row.file_id) if row.file_id else None for row in rows]
        if any(answer.recording for answer in answers) or any(f and f.format == RECORDING_FORMAT for f in files):
            return Laid("recordings are not laid on each other")
        told = [view_of(answer) for answer in answers]
        if any(one and other and one != other for one, other in zip(*told, strict=True)):
            return Laid("they are told to be of different views or sides")
        explained = answers[1].explanation.explained if answers[1].explanation else rows[1].class_code
        seen = []
        for row, answer, file in zip(rows, answers, files, strict=True):
            if file is None:
                return Laid("the picture of one of them is not kept")
            kept = Kept(file, self._files.get(file.id))
            heatmap = self._again.heatmap(row, answer, kept, context, target=explained)
            if heatmap is None:
                return Laid("another model answers by now, or one of them has no map")
            seen.append(Seen(self._again.picture(row, kept, _SHOWN_PX, context), heatmap, _pixel_mm2(answer)))
        return laid_on_each_other(*seen)


def _pixel_mm2(answer: KeptAnswer) -> float | None:
    dicom = answer.input_check.dicom[0] if answer.input_check and answer.input_check.dicom else None
    if dicom is not None and dicom.pixel_spacing_mm is not None:
        rows_mm, columns_mm = dicom.pixel_spacing_mm
        return rows_mm * columns_mm
    asked = answer.provenance.request.get("pixel_size_um")
    return (float(asked) / 1000) ** 2 if asked else None


def _change(before: Prediction, now: Prediction) -> Change:
    risen = LEVELS.index(now.triage_level) - LEVELS.index(before.triage_level)
    return Change(
        since=before.id,
        days=round((now.created_at - before.created_at).total_seconds() / _DAY_S, 4),
        class_changed=before.class_code != now.class_code,
        triage="graver" if risen > 0 else "milder" if risen < 0 else "same",
        scores={code: score - before.scores[code] for code, score in now.scores.items() if code in before.scores},
    )
