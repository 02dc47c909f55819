"""Everything a view may use, made once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g

from backend.config import Config
from backend.services.context import RequestContext
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.services.records.bounded_store import RecentStore
from backend.services.records.sessions import SessionHistory
from backend.services.rendering.heatmaps import HeatmapStore
from backend.services.tabular import TabularDiagnosis
from backend.telemetry import Metrics, Readiness
from ml_model.ecg.recording import EcgRecording


@dataclass(frozen=True)
class Services:
    """Handed to each blueprint factory."""

    config: Config
    models: ModelStore
    images: ImageDiagnosis
    tabular: TabularDiagnosis
    heatmaps: HeatmapStore
    signals: RecentStore[EcgRecording]
    sessions: SessionHistory
    metrics: Metrics
    readiness: Readiness


def request_context() -> RequestContext:
    """The current request, without anything of Flask in it."""
    return RequestContext(g.request_id, g.answer_id, g.started)
