"""Who may do what: every route of records, by role and by whose it is. A route that is not in the table fails."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from records.batches import accepted
from records.people import PASSWORD, Person, person
from sqlalchemy import select

from backend.app import Application
from backend.storage.tables import AuditEntry

ROLES = ("nobody", "user", "clinician", "admin")
OWNERS = ("own", "foreign", "shared")
# What an answer may be: by role for what is one's own anyway, by role and owner for what is somebody's.
ALL = {"nobody": 401, "user": 200, "clinician": 200, "admin": 200}
READ = {"own": ALL, "foreign": {"nobody": 401, "user": 404, "clinician": 404, "admin": 404},
        "shared": {"nobody": 401, "user": 404, "clinician": 200, "admin": 200}}  # fmt: skip
OWN = {**READ, "shared": READ["foreign"]}
PRIVATE = {"own": OWN["own"], "foreign": OWN["foreign"]}  # what is never shared
SHARE = {owner: {**OWN[owner], "admin": 200} for owner in OWNERS}
SAY = {owner: {**READ[owner], "user": 403 if owner == "own" else 404} for owner in OWNERS}
CLINICAL = {**ALL, "user": 403}
BY_ROLE: dict[tuple[str, str], dict[str, int]] = {
    ("GET", "/auth/me"): ALL,
    ("GET", "/auth/export"): ALL,
    ("POST", "/auth/password"): ALL,
    ("DELETE", "/auth/me"): ALL,
    ("PATCH", "/auth/me"): ALL,
    ("POST", "/auth/logout"): ALL,
    ("POST", "/auth/refresh"): ALL,
    ("POST", "/upload"): ALL,
    ("POST", "/predict"): ALL,
    ("POST", "/batch-predict"): ALL,
    ("GET", "/history"): ALL,
    ("GET", "/stats"): ALL,
    ("GET", "/patients/<patient_ref>/timeline"): ALL,
    ("GET", "/stats/performance"): CLINICAL,
    ("GET", "/stats/drift"): CLINICAL,
    ("GET", "/feedback/dataset"): CLINICAL,
    ("GET", "/audit"): {"nobody": 401, "user": 403, "clinician": 403, "admin": 200},
}
BY_OWNER: dict[tuple[str, str], dict[str, dict[str, int]]] = {
    ("GET", "/history/<prediction_id>"): READ,
    ("GET", "/history/<prediction_id>/heatmap.png"): READ,
    ("GET", "/download/<prediction_id>"): READ,
    ("GET", "/predictions/<prediction_id>/fhir"): READ,
    ("GET", "/predictions/<prediction_id>/dicom"): READ,
    ("GET", "/predictions/<prediction_id>/dicom-<dicom_object>"): READ,
    ("DELETE", "/history/<prediction_id>"): OWN,
    ("POST", "/history/<prediction_id>/share"): SHARE,
    ("POST", "/history/<prediction_id>/feedback"): SAY,
    ("GET", "/files/<file_id>"): OWN,
    ("GET", "/render/<file_id>"): OWN,
    ("DELETE", "/files/<file_id>"): OWN,
    ("GET", "/batches/<batch_id>"): PRIVATE,
    ("GET", "/batches/<batch_id>/export"): PRIVATE,
    ("DELETE", "/batches/<batch_id>"): PRIVATE,
}
OPEN = {("POST", "/auth/register"), ("POST", "/auth/login"), ("GET", "/health"), ("GET", "/verify/<prediction_id>")}


@dataclass
class Cast:
    """One of each role, and an owner that is none of them."""

    app: Application
    picture: bytes
    callers: dict[str, Person]
    owner: Person
    cases: dict[tuple[str, bool], tuple[str, str]] = field(default_factory=dict)
    batches: dict[str, str] = field(default_factory=dict)

    def call(self, role: str, method: str, path: str) -> int:
        """The status that somebody of a role gets, with a body that is right; 201 and 202 count as 200."""
        bodies: dict[str, dict[str, Any]] = {
            "/auth/password": {"json": {"password": PASSWORD, "new_password": PASSWORD}},
            "/auth/me": {"json": {"DELETE": {"password": PASSWORD}, "PATCH": {"keep_answers": True}}.get(method)},
            "/upload": {"data": {"file": (io.BytesIO(self.picture), "x")}},
            "/feedback/dataset": {"query_string": {"task": "skin"}},
            "/batch-predict": {"data": {"files": (io.BytesIO(self.picture), "x"), "task": "skin"}},
            "/predict": {"data": {"file": (io.BytesIO(self.picture), "x"), "task": "skin", "explain": "none"}},
        }
        sent = bodies.get(path, {})
        if path.endswith("/share"):
            sent = {"json": {"shared": True}}
        if path.endswith("/feedback"):
            sent = {"json": {"agrees": True}}
        if role == "nobody":
            status = self.app.test_client().open(f"/api/v1{path}", method=method, **sent).status_code
        else:
            status = self._caller(role, method, path).call(method, path, **sent).status_code
        return 200 if status in (201, 202) else status

    def kept(self, whose: Person, shared: bool) -> tuple[str, str]:
        """File and record of somebody, made once."""
        key = (whose.username, shared)
        if key not in self.cases:
            self.cases[key] = self.made(whose, shared)
        return self.cases[key]

    def batch(self, whose: Person) -> str:
        """A batch of somebody, made once."""
        if whose.username not in self.batches:
            self.batches[whose.username] = accepted(whose, [("x", self.picture)])["batch_id"]
        return self.batches[whose.username]

    def made(self, whose: Person, shared: bool) -> tuple[str, str]:
        """The same anew."""
        found = whose.predict(self.picture)
        if shared:
            path = f"/history/{found['prediction_id']}/share"
            assert whose.call("POST", path, json={"shared": True}).status_code == 200
        return found["file_id"], found["prediction_id"]

    def _caller(self, role: str, method: str, path: str) -> Person:
        """Somebody new where the token is used up."""
        if not path.startswith("/auth/") or method == "GET":
            return self.callers[role]
        new = person(self.app, role)  # type: ignore[arg-type]
        if path == "/auth/refresh":
            new.access_token = new.refresh_token
        return new


@pytest.fixture(scope="module")
def cast(records_app: Application, picture: Callable[..., bytes]) -> Cast:
    callers = {role: person(records_app, role) for role in ROLES[1:]}  # type: ignore[arg-type]
    return Cast(records_app, picture(width_px=90, height_px=80), callers, person(records_app))


# Of older clients' prefix: what is the newer one's, and files of any kind, which are open to anybody.
NO_RECORDS = ("/api/v1/", "/api/analyze", "/api/chat")


def test_every_route_is_in_the_table(records_app: Application) -> None:
    rules = list(records_app.url_map.iter_rules())
    for prefix in ("/api/v1", "/api"):
        found = {
            (method, rule.rule.removeprefix(prefix))
            for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            if rule.rule.startswith(f"{prefix}/") and (prefix == "/api/v1" or not rule.rule.startswith(NO_RECORDS))
        }  # fmt: skip
        assert found == {*BY_ROLE, *BY_OWNER, *OPEN}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", BY_ROLE, ids=" ".join)
def test_routes_of_ones_own(cast: Cast, route: tuple[str, str], role: str) -> None:
    method, rule = route
    assert cast.call(role, method, rule.replace("<patient_ref>", "p-1")) == BY_ROLE[route][role]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", BY_OWNER, ids=" ".join)
def test_routes_of_what_is_somebodys(cast: Cast, route: tuple[str, str], role: str) -> None:
    method, rule = route
    for owner in BY_OWNER[route]:
        whose = cast.callers.get(role, cast.owner) if owner == "own" else cast.owner
        used_up = method == "DELETE" or rule.endswith("/share")
        file_id, prediction_id = (cast.made if used_up else cast.kept)(whose, owner == "shared")
        path = rule.replace("<file_id>", file_id).replace("<prediction_id>", prediction_id)
        path = path.replace("<dicom_object>", "sr")
        if "<batch_id>" in rule:
            path = rule.replace("<batch_id>", cast.batch(whose))
        if (method, rule) == ("DELETE", "/files/<file_id>"):  # the file of a record goes with that alone
            path = f"/files/{whose.upload(cast.picture)}"
        assert cast.call(role, method, path) == BY_OWNER[route][owner][role], owner
        gone = method == "DELETE" and "<batch_id>" not in rule and BY_OWNER[route][owner][role] == 200
        look = re.sub("/(share|feedback|fhir|dicom|dicom-sr)$", "", path)
        look = look.replace("/download/", "/history/").replace("/predictions/", "/history/")
        assert whose.call("GET", look).status_code == (404 if gone else 200), "what is refused changes nothing"


def test_lists_hold_nothing_of_anybody_elses(cast: Cast) -> None:
    kept = cast.owner.predict(cast.picture, patient_ref="p-77")
    cast.owner.call("POST", f"/history/{kept['prediction_id']}/share", json={"shared": True})
    for somebody in cast.callers.values():
        assert somebody.get("/patients/p-77/timeline")["timeline"] == []
        assert kept["prediction_id"] not in str(somebody.get("/history?per_page=100"))
        assert kept["prediction_id"] not in str(somebody.get("/auth/export"))


def test_a_file_of_another_is_not_answered(cast: Cast) -> None:
    body = {"file_id": cast.owner.upload(cast.picture), "task": "skin"}
    assert cast.callers["admin"].call("POST", "/predict", json=body).status_code == 404


# What shows something of other people, by how the audit log calls it.
OF_OTHERS = {
    "view": "/history/{id}", "heatmap": "/history/{id}/heatmap.png", "report": "/download/{id}",
    "dicom": "/predictions/{id}/dicom-sr",
    "performance": "/stats/performance?task=skin", "drift": "/stats/drift", "dataset": "/feedback/dataset?task=skin",
    "audit": "/audit?per_page=1",
}  # fmt: skip


@pytest.mark.parametrize("action", OF_OTHERS)
def test_who_sees_something_of_others_is_in_the_audit_log(cast: Cast, action: str) -> None:
    _, record_id = cast.kept(cast.owner, True)
    path, seen = OF_OTHERS[action].format(id=record_id), list[str]()
    for role in ROLES[1:]:
        who, before = cast.callers[role], entries(cast)
        reply = who.call("GET", path, headers={"X-Request-ID": f"look-{action}"})
        of_look = [one for one in entries(cast)[len(before) :] if one.action == action]
        if reply.status_code != 200:
            assert of_look == [], "nothing was seen"
            continue
        (entry,), seen = of_look, [*seen, role]
        assert (entry.actor_id, entry.request_id) == (who.get("/auth/me")["user"]["id"], f"look-{action}")
    assert seen == (["admin"] if action == "audit" else ["clinician", "admin"])


def entries(cast: Cast) -> list[AuditEntry]:
    with cast.app.services.records.open().database.reading() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.number)))
