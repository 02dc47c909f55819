"""Everything a view may use, made once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass

from backend.config import Config
from backend.services.chat.conversation import Chat
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.services.records.sessions import SessionHistory
from backend.services.records.store import RecordStore
from backend.services.scans.answering import ScanDiagnosis
from backend.services.scans.processing import Processing
from backend.services.scans.series import SeriesDiagnosis
from backend.services.symptoms import SymptomDiagnosis
from backend.services.tabular import RiskDiagnosis
from backend.telemetry import Logger, Metrics, Readiness


@dataclass(frozen=True)
class Services:
    """Of one application."""

    config: Config
    models: ModelStore
    images: ImageDiagnosis
    scans: ScanDiagnosis
    processing: Processing
    series: SeriesDiagnosis
    symptoms: SymptomDiagnosis
    risk: RiskDiagnosis
    chat: Chat
    sessions: SessionHistory
    records: RecordStore
    metrics: Metrics
    readiness: Readiness
    logger: Logger
