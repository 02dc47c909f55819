"""The service answers as its OpenAPI document says: what the document allows is answered, what it does not is refused.

`make fuzz-contract` plays more of the same from another seed.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from beats import twelve_leads
from child_processes.processes import Service
from clients.contract import Known, Played, ct_series, play, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pictures import detailed, encode
from PIL import Image
from samples import upload

from backend.app import Application
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.recording import EcgRecording
from ml_model.inference.bundle import Bundle
from ml_model.tasks.registry import RiskTask, load_image_tasks, load_tasks

LEAST_CASES = 3000
KNOWN = Known(("fever", "headache", "cough", "chest pain", "fatigue", "nausea"))
PLOT = "/models/{task}/plots/{member}/{name}"
SERIES = "/api/analyze/series"
VIEW = "/regions/{answer_id}/{part}.png"
RECORDS = "^/api/v1/"  # played in tests/backend/api/records/test_contract.py, by people with accounts
PROBES = "^/(livez|readyz|health|history|symptoms|models)$"


@pytest.fixture(scope="module")
def document(live_app: Application) -> dict[str, Any]:
    found: dict[str, Any] = live_app.test_client().get("/openapi.json").get_json()
    return found


def _page_read(app: Application) -> str:
    """The id under which the signal and the heatmap of an ECG page are kept."""
    page = io.BytesIO()
    Image.fromarray(draw_page(EcgRecording(twelve_leads(seed=4), 100.0)).pixels).save(page, "JPEG")
    reply = app.test_client().post("/analyze/heart", data=upload(page.getvalue()))
    return str(reply.get_json()["recording"]["csv_url"]).removeprefix("/signals/").removesuffix(".csv")


@pytest.fixture(scope="module")
def played(live_app: Application, request: pytest.FixtureRequest) -> Played:
    examples, seed = (request.config.getoption(f"--contract-{name}") for name in ("examples", "seed"))
    seed = secrets.randbits(32) if seed < 0 else seed
    print(f"--contract-seed {seed}", flush=True)
    answer_id = _page_read(live_app)
    there = {"/signals/{answer_id}.{kind}": {"answer_id": answer_id, "kind": "zip"}}
    there |= dict.fromkeys((f"/heatmaps/{{answer_id}}.{form}" for form in ("png", "json")), {"answer_id": answer_id})
    picture = upload(encode(detailed(280, 256, 1), "PNG"), field="file")
    views = live_app.test_client().post("/process-image?scan_type=skin", data=picture).get_json()["views"]
    there |= {VIEW: {"answer_id": views["enhanced"].split("/")[2], "part": "enhanced"}}
    begun = live_app.test_client().post(SERIES, data=upload(ct_series(), field="file")).get_json()
    there |= {f"{SERIES}/{{answer_id}}": {"answer_id": begun["series_id"]}}
    there |= {PLOT: {"task": "skin", "member": "pictures", "name": "curve.png"}}
    known = Known(KNOWN.symptoms, there)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", live_app, config=settings(examples, seed))
    found = play(schema.exclude(path_regex=RECORDS), known)
    print(found)
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: Callable[..., Bundle]) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    for task in load_image_tasks():
        write_tiny_bundle(task, folder / "models")
    folders = {"MODEL_DIR": folder / "models", "DATA_DIR": folder / "data", "USER_MODELS_DIR": folder}
    running = Service({"INPUT_GATE": "off", **{name: str(path) for name, path in folders.items()}})
    running.wait_ready()
    yield running
    running.process.terminate()
    assert running.wait() == 0


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def _examples(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every schema of a document that has examples, with each of them."""
    if isinstance(node, dict) and isinstance(node.get("examples"), list):
        yield from ((path, node, example) for example in node["examples"])
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, inner in parts:
        yield from _examples(inner, f"{path}/{name}")


def test_examples_are_valid_and_answered(document: dict[str, Any], live_app: Application) -> None:
    found = list(_examples(document))
    for _, schema, example in found:
        Draft202012Validator(schema).validate(example)
    bodies = [example for path, _, example in found if path.endswith("/content/application~1json/schema")]
    risk = document["paths"]["/predict-heart"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert bodies or risk["examples"]
    assert live_app.test_client().post("/predict-heart", json=risk["examples"][0]).status_code == 200


# The parser of forms leaves the file of a part that ends early to the collector, in whose time it is closed.
@pytest.mark.filterwarnings("ignore:.*FileIO name=.* mode='rb.':pytest.PytestUnraisableExceptionWarning")
def test_no_case_contradicts_the_document(played: Played) -> None:
    assert not played.failures, "\n\n".join(f"{key}\n{text}" for key, text in played.failures.items())


def test_every_operation_was_answered_and_refused_often_enough(played: Played, document: dict[str, Any]) -> None:
    paths = {path: found for path, found in document["paths"].items() if not re.match(RECORDS, path)}
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {name for name, statuses in played.answered.items() if statuses[200] or statuses[202]} == operations
    assert played.cases.total() >= LEAST_CASES
    assert {"examples", "coverage", "fuzzing", "stateful"} <= played.cases.keys()


def test_the_service_as_a_process_keeps_to_it(service: Service) -> None:
    url = f"http://127.0.0.1:{service.port}/openapi.json"
    whole = schemathesis.openapi.from_url(url, config=settings(4, 1, coverage=False))
    drawn = play(whole.exclude(path_regex=RECORDS), KNOWN)
    derived = play(schemathesis.openapi.from_url(url, config=settings(1, 1)).include(path_regex=PROBES), KNOWN)
    assert drawn.failures | derived.failures == {}
    assert (drawn.cases.total(), derived.cases.total()) >= (100, 50)
    assert all(statuses[405] for statuses in derived.answered.values()), "methods that are not described"


def test_a_transfer_encoding_that_nobody_knows_is_501_as_described(service: Service, document: dict[str, Any]) -> None:
    head = b"POST /predict-heart HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as link:
        link.sendall(head)
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    status, body = answer.split(b"\r\n", 1)[0], answer.split(b"\r\n\r\n", 1)[1]
    assert status.split()[1] == b"501"
    assert json.loads(body)["code"] == "not_implemented"
    assert "501" in document["paths"]["/predict-heart"]["post"]["responses"]


def test_every_address_has_the_body_that_it_reads(document: dict[str, Any]) -> None:
    def form(path: str) -> dict[str, Any]:
        found: dict[str, Any] = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
        return found["schema"]

    assert form("/predict")["required"] == ["file"]
    assert form("/predict/breast-cancer")["required"] == ["image"]
    assert form("/analyze/heart")["properties"].keys() == {"image", "record"}
    assert (form("/analyze/heart")["minProperties"], form("/analyze/heart")["maxProperties"]) == (1, 1)
    assert form("/analyze/mammogram")["properties"]["image"]["maxItems"] == 4


def test_parameters_are_those_that_are_taken(document: dict[str, Any]) -> None:
    def parameters(path: str, method: str = "post") -> dict[str, Any]:
        return {one["name"]: one["schema"] for one in document["paths"][path][method]["parameters"]}

    breast = parameters("/analyze/breast")
    assert breast["modality"]["enum"] == ["breast_ultrasound", "breast", "ultrasound", "mammogram"]
    assert {"birads_1", "cancer"} <= set(breast["target"]["enum"])
    assert (breast["age_years"]["type"], "default" in breast["age_years"]) == ("number", False), "left out, never null"
    assert parameters("/models/{task}/plots/{member}/{name}", "get").keys() == {"task", "member", "name"}
    assert parameters("/signals/{answer_id}.{kind}", "get")["kind"]["enum"] == ["csv", "zip"]


def test_null_is_described_where_it_is_taken(document: dict[str, Any], live_app: Application) -> None:
    task = next(task for task in load_tasks() if isinstance(task, RiskTask))
    body = document["paths"]["/predict-heart"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    for feature in task.features:
        validator = Draft202012Validator(body)
        sent = {**body["examples"][0], feature.name: None}
        status = live_app.test_client().post("/predict-heart", json=sent).status_code
        assert (status == 200) is validator.is_valid(sent) is not feature.required


def test_the_cookie_of_the_history_is_described(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["session"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "cookie", "medidiagnose_session")
    told = {path: str(one.get("security")) for path, methods in document["paths"].items() for one in methods.values()}
    secured = {path for path, schemes in told.items() if "session" in schemes}
    assert secured == {"/predict", "/history"}


@pytest.mark.parametrize(("symptom", "status"), [("  fever ", 200), ("\x1c\u2003", 422), (" " * 196 + "fever", 422)])
def test_a_symptom_is_measured_as_it_is_described(live_app: Application, symptom: str, status: int) -> None:
    """Blanks around it are dropped, but count: the document cannot say otherwise."""
    assert live_app.test_client().post("/predict-disease", json={"symptoms": [symptom]}).status_code == status
    schema = live_app.test_client().get("/openapi.json").get_json()["components"]["schemas"]["DiseaseQuestion"]
    assert Draft202012Validator(schema).is_valid({"symptoms": [symptom]}) is (status == 200)


def test_a_parameter_that_is_there_twice_is_refused(live_app: Application) -> None:
    reply = live_app.test_client().get("/models/skin/card?format=json&format=html")
    assert (reply.status_code, reply.get_json()["code"]) == (422, "invalid_value")
    assert reply.get_json()["error"].startswith("format: ")
