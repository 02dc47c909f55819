"""Agreement, drift and the data set of feedback over HTTP, at a terminal, and as the training recipes read it."""

from __future__ import annotations

import csv
import io
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from records.people import Person, person
from samples import image_task, write_tiny
from sqlalchemy import event, update

from backend.admin import main
from backend.app import Application
from backend.storage.files import FILES
from backend.storage.tables import Prediction, User
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.readers import read_task

SKIN, XRAY = image_task("skin"), image_task("xray")
Picture = Callable[..., bytes]


def say(who: Person, record_id: str, **body: Any) -> None:
    reply = who.call("POST", f"/history/{record_id}/feedback", json=body)
    assert reply.status_code == 201, reply.text


def another(code: str) -> str:
    return next(one for one in XRAY.codes if one != code)


def names_of(archive: zipfile.ZipFile) -> set[str]:
    return {Path(name).stem for name in archive.namelist() if "/images/" in name}


def test_agreement_counts_the_newest_word_of_each_clinician(records_app: Application, picture: Picture) -> None:
    ada, bob = person(records_app, "clinician"), person(records_app, "clinician")
    before = ada.get("/stats/performance?task=skin")["tasks"].get("skin", {"count": 0, "agreed": 0})
    kept = ada.predict(picture(width_px=90, height_px=80))
    named, record_id = kept["class_code"], kept["prediction_id"]
    other = next(code for code in SKIN.codes if code != named)
    ada.call("POST", f"/history/{record_id}/share", json={"shared": True})
    say(ada, record_id, agrees=False, right_class=other)
    say(ada, record_id, agrees=True)
    say(bob, record_id, agrees=False, right_class=other)
    found = ada.get("/stats/performance?task=skin")["tasks"]["skin"]
    assert (found["count"], found["agreed"]) == (before["count"] + 2, before["agreed"] + 1)
    assert found["right_classes"][named][other] >= 1
    assert found["low"] < found["share"] < found["high"]
    assert found["by_class"][named]["count"] >= 2
    assert ada.get("/stats/performance?task=xray")["tasks"] == {}
    assert ada.get("/stats/performance?to=2000-01-01")["tasks"] == {}


@pytest.fixture(scope="module")
def site(
    make_file_app: Callable[..., Application], picture: Picture, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Application, Person, dict[str, str]]:
    """Eight patients of every class, of one clinician; returns the label of each record that has one."""
    models = tmp_path_factory.mktemp("models")
    write_tiny(XRAY, models)
    app = make_file_app(model_dirs=(models,))
    ada, labels = person(app, "clinician"), dict[str, str]()
    for number, code in enumerate(code for code in XRAY.codes for _ in range(8)):
        fields = {"patient_ref": f"p-{number}", "explain": "none", "age_years": "40", "task": "xray", "gate": "off"}
        kept = ada.predict(picture(width_px=64, height_px=64, seed=number), **fields)
        labels[kept["prediction_id"]] = code
        agrees = kept["class_code"] == code
        say(ada, kept["prediction_id"], agrees=agrees, **({} if agrees else {"right_class": code}))
    plain = {"explain": "none", "task": "xray", "gate": "off"}
    again = ada.predict(picture(width_px=64, height_px=64, seed=90), patient_ref="p-0", **plain)
    labels[again["prediction_id"]] = again["class_code"]
    say(ada, again["prediction_id"], agrees=True)
    wrong = ada.predict(picture(width_px=64, height_px=64, seed=91), **plain)
    say(ada, wrong["prediction_id"], agrees=False)
    return app, ada, labels


def test_the_data_set_is_read_by_the_recipes_loader(
    site: tuple[Application, Person, dict[str, str]], tmp_path: Path
) -> None:
    _, ada, labels = site
    reply = ada.call("GET", "/feedback/dataset?task=xray")
    assert (reply.status_code, reply.mimetype) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        archive.extractall(tmp_path)
    assert isinstance(XRAY, ImageTask)
    samples = read_task(tmp_path, XRAY)
    assert {sample.path.stem: sample.codes for sample in samples} == {name: (code,) for name, code in labels.items()}
    assert {sample.split for sample in samples} == {"train", "val", "test"}
    assert sorted(Counter(sample.group for sample in samples).values()) == [1] * 15 + [2], "one patient came twice"
    assert all("p-" not in sample.group for sample in samples)
    assert {sample.attributes["age"] for sample in samples} == {"40.0", ""}


def test_what_clinicians_differ_on_and_what_is_not_shared_is_left_out(
    site: tuple[Application, Person, dict[str, str]], picture: Picture
) -> None:
    app, ada, labels = site
    bob = person(app, "clinician")
    fields = {"task": "xray", "explain": "none", "gate": "off"}
    mine, own = bob.predict(picture(seed=92), **fields), person(app)
    private = own.predict(picture(seed=93), **fields)
    say(bob, mine["prediction_id"], agrees=True)
    first = next(iter(labels))
    for record_id in (first, private["prediction_id"]):
        (ada if record_id == first else own).call("POST", f"/history/{record_id}/share", json={"shared": True})
    say(bob, private["prediction_id"], agrees=True)
    named = bob.get(f"/history/{first}")["record"]["class_code"]
    told = {"agrees": True} if labels[first] != named else {"agrees": False, "right_class": another(named)}
    say(bob, first, **told)
    own.call("POST", f"/history/{private['prediction_id']}/share", json={"shared": False})
    with zipfile.ZipFile(io.BytesIO(bob.call("GET", "/feedback/dataset?task=xray").data)) as archive:
        assert names_of(archive) == {mine["prediction_id"]}
    for task in ("breast", "heart", "disease", "nothing"):
        assert bob.call("GET", f"/feedback/dataset?task={task}").status_code == 404, task


def test_a_class_that_the_task_has_no_more_is_left_out(
    site: tuple[Application, Person, dict[str, str]], picture: Picture
) -> None:
    app, _, _ = site
    eve = person(app, "clinician")
    ids = [eve.predict(picture(seed=n), task="xray", explain="none", gate="off")["prediction_id"] for n in (94, 95)]
    for record_id in ids:
        say(eve, record_id, agrees=True)
    with app.services.records.open().database.writing() as session:
        session.execute(update(Prediction).where(Prediction.id == uuid.UUID(ids[0])).values(class_code="gone"))
    with zipfile.ZipFile(io.BytesIO(eve.call("GET", "/feedback/dataset?task=xray").data)) as archive:
        assert names_of(archive) & {*ids} == {ids[1]}


def test_an_operator_writes_it_to_a_folder(
    site: tuple[Application, Person, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    app, ada, _ = site
    monkeypatch.setenv("DATA_DIR", str(app.services.config.data_dir))
    monkeypatch.setenv("APP_ENV", "testing")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["export-feedback", "xray", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    with (tmp_path / "chest_xray" / "split.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert told == f"{len(rows)} pictures in {tmp_path / 'chest_xray'}\n"
    assert len(rows) >= 16
    assert all((tmp_path / "chest_xray" / row["file"]).is_file() for row in rows)
    assert main(["export-feedback", "xray", str(tmp_path)]) == 2, "what is there is not written over"
    assert main(["export-feedback", "breast", str(tmp_path)]) == 2
    files = app.services.config.data_dir / FILES
    away = files.rename(files.with_suffix(".away"))
    assert main(["export-feedback", "xray", str(tmp_path / "half")]) == 2
    assert not (tmp_path / "half" / "chest_xray" / "split.csv").exists(), "half of a data set is none"
    away.rename(files)


def rows_of(app: Application, owner: Person, count: int) -> list[Prediction]:
    """Records as the pipeline's, with pictures that get sharper and sharper."""
    loaded = app.services.models.current("skin")
    assert loaded is not None
    with app.services.records.open().database.reading() as session:
        user_id = session.query(User.id).filter_by(username=owner.username).scalar()
    now = datetime.now(UTC)
    return [
        Prediction(
            id=uuid.uuid4(), user_id=user_id, task="skin", created_at=now, day=now.date(), class_code="nv",
            class_name="x", confidence=1.0, triage_level="none", settled=True, scores={}, processing_ms=1.0,
            model_version=loaded.bundle.manifest.version, result={}, distance=0.1, quality={"sharpness": float(number)},
        )
        for number in range(count)
    ]  # fmt: skip


def test_drift_is_told_by_the_route_the_metrics_and_health(records_app: Application) -> None:
    ada = person(records_app, "clinician")
    opened, client = records_app.services.records.open(), records_app.test_client()
    with opened.database.writing() as session:
        session.add_all(rows_of(records_app, ada, 120))
    found = ada.get("/stats/drift")["tasks"]["skin"]
    figures = {one["name"]: one for one in found["figures"]}
    assert figures["class_mix"]["state"] == "no_reference", "the tiny bundle has no figures"
    assert figures["quality_sharpness"]["state"] == "drifted"
    assert found["drifted"] is True
    metrics = client.get("/metrics").text
    assert 'medidiagnose_drifted{task="skin"} 1.0' in metrics
    assert 'medidiagnose_drift_p_value{figure="quality_sharpness",task="skin"}' in metrics
    health = client.get("/health").get_json()
    assert health["status"] == "healthy"
    assert "quality_sharpness (p = " in health["notes"]["drift of skin"]


def test_records_of_one_model_are_found_off_an_index(make_file_app: Callable[..., Application]) -> None:
    """However many another one answered."""
    app, asked = make_file_app(), list[Any]()
    opened = app.services.records.open()
    event.listen(opened.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    opened.monitor.refresh(app.services.models)
    statement, values = next(one for one in asked if "predictions.class_code" in one[0])
    with opened.database.engine.connect() as link:
        plan = link.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert [row[3] for row in plan] == [
        "SEARCH predictions USING INDEX ix_predictions_task_model_version_number (task=? AND model_version=?)"
    ]


def test_who_watches_never_opens_records(make_file_app: Callable[..., Application]) -> None:
    app = make_file_app()
    for path in ("/metrics", "/health"):
        assert app.test_client().get(path).status_code == 200
    assert app.services.records.opened is None


def test_whoever_closes_the_database_waits_for_the_look_that_health_began(
    make_file_app: Callable[..., Application],
) -> None:
    app = make_file_app()
    person(app)
    monitor = app.services.records.open().monitor
    assert (monitor.join(0.0), monitor.latest) == (True, None), "nothing was begun"
    assert app.test_client().get("/health").status_code == 200
    assert monitor.join(60.0)
    assert monitor.latest is not None
