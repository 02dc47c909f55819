"""How ECG pages are answered: drawn, spoilt, read back and answered as the service does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.case import Case, CaseResult
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.page_style import DEFAULT_STYLE, styles_for_record
from ml_model.ecg.recording import read_wfdb
from ml_model.errors import PoorQuality
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.interval import Interval
from ml_model.inference.measured import PageFigures, Pages
from ml_model.inference.predictor import Predictor
from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.page_photos import CORRUPTIONS
from ml_model.training.data.decoded_cache import as_png, picture_bytes
from ml_model.training.data.labels import label_space, target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.findings import finding_figures, triage_figures
from ml_model.training.evaluation.metrics import Scored, bootstrap, called, macro_auc
from ml_model.training.evaluation.uncertainty_metrics import set_figures

Answer = NDArray[np.floating]  # probabilities, of one page (classes,) or of several
Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
DRAWS = 200
USUAL, MANY = "usual_look", "many_looks"
# The pages are spoilt after they were drawn, in many looks; nothing is done to the first two.
SPOILT = ("rotation_5", "blur", "shadow", "jpeg_30")
CONDITIONS: dict[str, Change | None] = {USUAL: None, MANY: None, **{name: CORRUPTIONS[name] for name in SPOILT}}


def readable_pages(
    task: ImageTask, signals: Predictor, samples: Sequence[Sample]
) -> tuple[list[Sample], NDArray[np.float32]]:
    """Of samples as pages those whose signal can be read, and the model's own probabilities of these, (N, classes)."""
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda sample: _answer(task, picture_bytes(sample), Engines(signals=signals)), samples)
        read = [(s, a.outputs.uncalibrated) for s, a in zip(samples, answers, strict=True) if a is not None]
    told = [uncalibrated for _, uncalibrated in read]
    return [s for s, _ in read], np.concatenate([np.zeros((0, len(task.codes)), np.float32), *told])


def beside_recordings(task: ImageTask, samples: Sequence[Sample], pictures: Predictor) -> Pages:
    """`page_figures` of a new model of pictures beside the shipped one of recordings."""
    folder = MODELS_DIR / f"{task.id}-signal"
    signals = Predictor(load_bundle(folder, task=folder.name, contract_sha256=task.signal_contract_sha256))
    return page_figures(task, samples, signals, pictures)


def page_figures(
    task: ImageTask, samples: Sequence[Sample], signals: Predictor, pictures: Predictor | None = None
) -> Pages:
    """By condition: how many pages were answered, from the signal or the picture, and the AUC over those; as long as
    nothing is done to them, also what the answers come to.

    With a model of pictures also the AUC of its answers to all pages, those included whose signal can be read.
    Every record has one look of its own in all conditions but the first.
    """
    truth = target_masks(samples, task.codes) @ label_space(task).projection > 0
    groups = np.array([s.group for s in samples])
    figures: dict[str, Any] = {}
    for name, change in CONDITIONS.items():

        def page(number: int, name: str = name, change: Change | None = change) -> bytes:
            look = DEFAULT_STYLE if name == USUAL else styles_for_record(number)[0]
            drawn = draw_page(read_wfdb(samples[number].path), look).pixels
            return as_png(change(drawn) if change else drawn)

        def answer(number: int, page: Callable[[int], bytes] = page) -> tuple[CaseResult | None, Answer | None]:
            png = page(number)
            alone = _answer(task, png, Engines(pictures=pictures)) if pictures else None
            return _answer(task, png, Engines(pictures, signals)), alone.decision.probabilities if alone else None

        with ThreadPoolExecutor(2) as pool:
            answers, alone = zip(*pool.map(answer, range(len(samples))), strict=True)
        figures[name] = _summary(answers, truth, groups, _auc(truth, np.stack(alone), groups) if pictures else None)
        if change is None:
            figures[name] = figures[name].model_copy(update=_decided(task, samples, answers, truth))
        if name == MANY:
            figures["many_looks_by_layout"] = _by_layout(answers, truth, groups)
    return Pages(**figures)


def _answer(task: ImageTask, png: bytes, engines: Engines) -> CaseResult | None:
    """None for a page that cannot be read and has no model of pictures to answer it."""
    try:
        return diagnose(task, Case(pictures=(png,), gate="off"), engines)
    except PoorQuality:
        return None


def _summary(
    answers: Sequence[CaseResult | None],
    truth: NDArray[np.bool_],
    groups: NDArray[np.str_],
    picture_alone: Interval | None = None,
) -> PageFigures:
    kept = [i for i, a in enumerate(answers) if a is not None]
    read = [a for a in answers if a is not None and a.ecg and a.ecg.read_as == "page_signal"]
    p = [a.decision.probabilities for a in answers if a is not None]
    return PageFigures(
        pages=len(answers),
        answered=round(len(kept) / len(answers), 4),
        from_signal=round(len(read) / len(answers), 4),
        macro_auc=_auc(truth[kept], np.stack(p), groups[kept]) if kept else None,
        picture_alone=picture_alone,
    )


def _decided(
    task: ImageTask, samples: Sequence[Sample], answers: Sequence[CaseResult | None], truth: NDArray[np.bool_]
) -> dict[str, Any]:
    """Findings, triage and prediction sets of the pages that were answered."""
    kept = [i for i, a in enumerate(answers) if a is not None]
    own, decisions = [samples[i] for i in kept], [a.decision for a in answers if a is not None]
    if not kept:
        return {}
    p = np.stack([d.probabilities for d in decisions])
    scored = Scored(truth[kept], called(p, task.multi_label), p, np.array([s.group for s in own]))
    return {
        "findings": finding_figures(task, own, p, decisions),
        "triage": triage_figures(task, own, decisions),
        "prediction_sets": set_figures(own, scored, decisions, label_space(task).names),
    }


def _auc(truth: NDArray[np.bool_], probabilities: Answer, groups: NDArray[np.str_]) -> Interval:
    p = probabilities.astype(np.float64)
    return bootstrap(Scored(truth, called(p, multi_label=True), p, groups), macro_auc, draws=DRAWS)


def _by_layout(
    answers: Sequence[CaseResult | None], truth: NDArray[np.bool_], groups: NDArray[np.str_]
) -> dict[str, PageFigures]:
    layouts = [styles_for_record(i)[0].layout for i in range(len(answers))]
    rows = {layout: [i for i, found in enumerate(layouts) if found == layout] for layout in sorted(Counter(layouts))}
    return {name: _summary([answers[i] for i in r], truth[r], groups[r]) for name, r in rows.items()}
