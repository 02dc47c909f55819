"""A site's own operating points in the service: used where they fit, else reported and left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_tasks import sets, thresholds
from PIL import Image
from samples import image_task, measured_test, tiny_probabilities, upload, write_tiny

from backend.app import Application, create_app
from backend.config import Config
from ml_model.diagnosis.reproduction import CannotReplay, replay
from ml_model.inference.bundle import Bundle
from ml_model.inference.interval import Interval
from ml_model.inference.local.settings import read_local_settings
from ml_model.inference.measured import ImageMetrics
from ml_model.inference.measured_findings import FindingMeasured

LEVEL = (90, 90, 90)
HALF = Interval(value=0.5, low=0.4, high=0.6)
ON_TEST = FindingMeasured(count=9, auc=HALF, sensitivity=HALF, suspected=HALF, specificity=HALF, ruled_out=HALF)
CODES = {"skin": "melanoma", "lung-ct": "lung_cancer", "brain-mri": "tumour"}


def probability(task: str) -> float:
    """What the tiny model gives the finding of a plain picture."""
    spec = image_task(task)
    classes = next(rule.classes for rule in spec.findings if rule.code == CODES[task])
    told = tiny_probabilities(spec, np.full((2, 2, 3), LEVEL, np.uint8))
    return float(sum(told[spec.codes.index(code)] for code in classes))


def plain_picture(path: Path) -> bytes:
    Image.new("RGB", (300, 300), LEVEL).save(path / "plain.png")
    return (path / "plain.png").read_bytes()


def part(bundle: Bundle, code: str, below: float | None, from_: float, **more: Any) -> dict[str, Any]:
    share = {"value": 0.9, "low": 0.8, "high": 1.0}
    measured = {"count": 30, **dict.fromkeys(("auc", "sensitivity", "suspected", "specificity", "ruled_out"), share)}
    point = {
        "rule_out_below": below, "rule_in_from": from_, "groups_with": 30, "groups_without": 40,
        "sensitivity_at_least": 0.9, "specificity_at_least": 0.8, "measured": measured,
    }  # fmt: skip
    return {
        "task": bundle.manifest.task, "model_sha256": bundle.sha256, "made_by": "somebody", "made_on": "2026-12-01",
        "data": "clinic", "cases": 70, "groups": 65, "findings": {"": {code: point}}, **more,
    }  # fmt: skip


def service(root: Path, settings: Path | None, name: str) -> Application:
    config = Config(
        model_dirs=(root / "models",), user_models_dir=root, data_dir=root / name, log=False, input_gate=False,
        local_operating_points=settings,
    )  # fmt: skip
    app = create_app(config)
    assert app.services.models.wait_ready()
    return app


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tiny models that suspect a plain picture, and settings: good for the first, else of another model, with a
    rule-out that may not be, and of no task."""
    folder, made = tmp_path_factory.mktemp("site"), {}
    for name in CODES:
        spec = image_task(name)
        shipped = {rule.code: thresholds(None if name == "brain-mri" else 0.0, 0.0) for rule in spec.findings}
        made[name] = write_tiny(
            spec, folder / "models", findings=shipped, prediction_sets=sets(spec), evidence="limited",
            metrics=ImageMetrics(test=measured_test(findings={CODES[name]: ON_TEST})),
        )  # fmt: skip
    parts = [
        part(made["skin"], "melanoma", min(0.5, probability("skin") / 2), min(1.0, probability("skin") * 2)),
        part(made["lung-ct"], "lung_cancer", 0.1, 0.9, model_sha256="b" * 64),
        part(made["brain-mri"], "tumour", 0.1, 0.9),
        part(made["skin"], "melanoma", 0.1, 0.9, task="feet"),
    ]
    (folder / "local.json").write_text(json.dumps({"format_version": 1, "operating_points": parts}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(root: Path) -> Application:
    return service(root, root / "local.json", "data")


def asked(app: Application, task: str, picture: bytes, query: str = "") -> dict[str, Any]:
    reply = app.test_client().post(f"/analyze/{task}?gate=warn{query}", data=upload(picture))
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = json.loads(reply.text)
    return found


def test_the_answer_is_held_against_the_site_s_thresholds_says_so_and_can_be_made_again(
    root: Path, site: Application
) -> None:
    picture = plain_picture(root)
    answer = asked(site, "skin", picture, "&prevalence=0.5")
    found, other = answer["findings"]
    assert (found["code"], found["state"]) == ("melanoma", "indeterminate")
    assert found["rule_in_from"] == pytest.approx(min(1.0, 2 * probability("skin")), abs=1e-4)
    share = {"value": 0.9, "low": 0.8, "high": 1.0}
    shares = dict.fromkeys(("sensitivity", "suspected", "specificity", "ruled_out"), share)
    assert found["site"] == {"made_on": "2026-12-01", "cases": 70, "count": 30, **shares}
    assert [found[name] for name in ("count", *shares)] == [None] * 5  # on test, of thresholds that did not serve
    assert found["positive_predictive_value"] == pytest.approx(0.9)
    assert (other["state"], "site" in other) == ("suspected", False)
    points = read_local_settings(root / "local.json").points["skin"]
    assert answer["model"]["local_operating_points"] == points.sha256
    assert answer["prediction_set"]["measured"] == {}
    assert "somebody" not in json.dumps(answer)
    assert "warning" not in answer

    files = [("plain.png", picture)]
    made = replay(answer, files, root / "models", root / "local.json")
    assert made.identical
    with pytest.raises(CannotReplay, match="a site's own operating points were used, SHA-256 .*; give the file"):
        replay(answer, files, root / "models")
    changed = {**answer, "model": {**answer["model"], "local_operating_points": "c" * 64}}
    with pytest.raises(CannotReplay, match=f"operating points {'c' * 64}; in local.json there is {points.sha256}"):
        replay(changed, files, root / "models", root / "local.json")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("lung-ct", "local operating points for the model bbbbbbbbbbbb… are not used: "),
        ("brain-mri", "tumour: rule_out_below is 0.1, and this model never rules it out"),
    ],
)
def test_points_that_do_not_fit_are_reported_and_the_bundle_s_thresholds_serve(
    root: Path, site: Application, task: str, said: str
) -> None:
    health = site.test_client().get("/health").get_json()
    assert said in health["problems"][task]
    assert health["status"] == "healthy"
    answer = asked(site, task, plain_picture(root))
    (found, *_) = answer["findings"]
    assert (found["state"], found["rule_in_from"], "site" in found) == ("suspected", 0.0, False)
    assert answer["warning"] == health["problems"][task]
    assert "local_operating_points" not in answer["model"]


def test_a_part_of_no_task_is_reported(site: Application) -> None:
    told = site.services.models.problems()["LOCAL_OPERATING_POINTS"]
    assert told == "local operating points for 'feet' are not used: there is no such model here"


def test_a_file_that_is_none_is_reported_and_answers_are_as_without_it(root: Path) -> None:
    app = service(root, root / "none.json", "none")
    told = app.services.models.problems()["LOCAL_OPERATING_POINTS"]
    assert told == (
        "none.json: cannot be read: No such file or directory; local operating points are not used, the model's own "
        "thresholds serve"
    )
    answer = asked(app, "skin", plain_picture(root))
    assert (answer["findings"][0]["state"], answer["findings"][0]["count"]) == ("suspected", 9)
    assert answer["warning"] == told
    assert "site" not in answer["findings"][0]
    assert "local_operating_points" not in answer["model"]


def test_the_setting_is_a_path_and_empty_is_none() -> None:
    assert Config.from_env({"LOCAL_OPERATING_POINTS": "/a/b.json"}).local_operating_points == Path("/a/b.json")
    assert Config.from_env({"LOCAL_OPERATING_POINTS": " "}).local_operating_points is None
