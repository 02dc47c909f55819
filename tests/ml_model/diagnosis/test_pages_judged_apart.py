"""A signal that was read off a page is held against thresholds of pages, a recording against those of recordings."""

from __future__ import annotations

from beats import made_beats
from samples import image_task

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.diagnosis.population import PAGE
from ml_model.ecg.page_renderer import draw_page
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import Predictor
from ml_model.training.data.decoded_cache import as_png


def test_the_shipped_model_judges_a_page_by_thresholds_of_pages() -> None:
    task, name = image_task("heart"), "heart-signal"
    bundle = load_bundle(MODELS_DIR / name, task=name, contract_sha256=task.signal_contract_sha256)
    engines, recording = Engines(signals=Predictor(bundle)), made_beats(rate_hz=100.0)
    own, sets = bundle.manifest.findings_by_population[PAGE], bundle.manifest.prediction_sets
    assert own != bundle.manifest.findings
    assert sets is not None
    assert sets.by_population[PAGE] != sets.thresholds
    page = Case(pictures=(as_png(draw_page(recording).pixels),), gate="off")
    for case, key, expected in ((page, PAGE, own), (Case(recording=recording), None, bundle.manifest.findings)):
        decision = diagnose(task, case, engines).decision
        assert decision.judgement is not None
        assert decision.judgement.judged_as == key
        assert {f.rule.code: f.thresholds for f in decision.findings} == expected
