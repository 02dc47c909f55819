"""An answer is one statement: BI-RADS, severity, sets and texts agree, whatever the probabilities are."""

from __future__ import annotations

import numpy as np
import pytest
from made_tasks import thresholds
from rendered import rendered, sent, strings
from samples import image_task

from ml_model.diagnosis.decision import Beside
from ml_model.inference.bundle import PredictionSets, ScreeningCalibration
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.tasks.triage_scale import LEVELS, SEVERITIES


@pytest.mark.parametrize(
    ("cancer", "limits", "unfit", "birads"),
    [
        (0.05, (0.1, 0.6), (), "1"),
        (0.05, (None, 0.6), (), "0"),
        (0.3, (0.1, 0.6), (), "0"),
        (0.7, (0.1, 0.6), (), "0"),
        (0.99, (0.1, 0.6), (), "4C"),
        (0.9999, (0.1, 0.6), (), "5"),
        (0.9999, (0.1, 0.6), ("Cut off.",), "0"),
    ],
)
def test_birads_of_a_mammogram_is_what_a_screening_reader_would_write(
    cancer: float, limits: tuple[float | None, float], unfit: tuple[str, ...], birads: str
) -> None:
    """At a prevalence of 2.1 % in place of 30 % the odds are a twentieth: .7 becomes .105, .99 .83 and .9999 .998."""
    fields = {
        "findings": {"cancer": thresholds(*limits)},
        "screening": ScreeningCalibration(slope=1, intercept=0, prevalence=0.3),
    }
    by_code = {"cancer": cancer, "no_cancer": 1 - cancer}
    told = sent(rendered(image_task("mammogram"), by_code, beside=Beside(unfit=unfit), **fields))["prediction"]
    assert told["birads"] == birads
    odds = cancer / (1 - cancer) * (0.021 / 0.979) / (0.3 / 0.7)
    assert told["screening_probability"] == pytest.approx(odds / (1 + odds), rel=1e-4)


@pytest.mark.parametrize(
    ("by_code", "evidence", "unfit", "birads"),
    [
        ({"birads_2": 0.95, "birads_4": 0.05}, "limited", (), "2"),
        ({"birads_2": 0.8, "birads_4": 0.2}, "limited", (), "0"),
        ({"birads_2": 0.6, "birads_5": 0.4}, "limited", (), "5"),
        ({"birads_2": 0.6, "birads_5": 0.4}, "insufficient", (), "5"),
        ({"birads_2": 0.95, "birads_4": 0.05}, "insufficient", (), "0"),
        ({"birads_2": 0.6, "birads_5": 0.4}, "limited", ("Cut off.",), "0"),
    ],
)
def test_birads_of_an_ultrasound_is_incomplete_until_it_is_settled_or_suspected(
    by_code: dict[str, float], evidence: str, unfit: tuple[str, ...], birads: str
) -> None:
    breast = image_task("breast")
    fields = {"findings": {breast.findings[0].code: thresholds(0.1, 0.3)}, "evidence": evidence}
    told = sent(rendered(breast, by_code, beside=Beside(unfit=unfit), **fields))
    assert told["prediction"]["birads"] == birads


@pytest.mark.parametrize("evidence", ["limited", "insufficient"])
@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_no_answer_contradicts_itself(task: ImageTask, evidence: str) -> None:
    rng, fields = np.random.default_rng(18), {"evidence": evidence}
    fields["findings"] = {rule.code: thresholds(0.1, 0.4) for rule in task.findings}
    fields["prediction_sets"] = PredictionSets(coverage=0.9, thresholds=dict.fromkeys(task.measured_labels, 0.05))
    for row in rng.dirichlet(np.full(len(task.codes), 0.4), 60):
        body = sent(rendered(task, dict(zip(task.codes, row.tolist(), strict=True)), **fields))
        level, settled = LEVELS.index(body["triage"]["level"]), body["prediction"]["settled"]
        assert SEVERITIES[level] == body["severity"] == body["recommendation"]["level"]
        assert body["triage"]["reasons"][0]["level"] == body["triage"]["level"]
        states = {one["code"]: one["state"] for one in body["findings"]}
        for rule in task.findings:
            in_set = set(rule.classes) & set(body["prediction_set"]["classes"])
            assert not (in_set and states[rule.code] == "ruled_out")
            if states[rule.code] == "indeterminate":
                assert level >= LEVELS.index(rule.open_level)
            if states[rule.code] == "suspected":
                least = min(SEVERITIES.index(task.by_code[code].severity) for code in rule.classes)
                assert level >= least
        assert body["prediction"]["code"] in body["prediction_set"]["classes"] or not settled
        assert level >= 2 or not (body["prediction"]["abstain"] or evidence == "insufficient")
        if not settled and body["prediction"]["code"] in task.harmless:
            spec = task.by_code[body["prediction"]["code"]]
            assert not {spec.staging.description, *spec.treatment_options} & set(strings(body))
