"""What is there to read: cards, the document of the interface, the web app's pages, and the headers of every answer."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.app import Application
from backend.schemas.common import Answer
from backend.services.rendering.card_html import card_page
from backend.services.rendering.catalogue import card_markdown
from backend.services.rendering.messages import DISCLAIMER
from backend.telemetry import OVER_TLS, SECURITY_HEADERS
from ml_model.tasks.registry import load_image_tasks, load_task, load_tasks


@pytest.mark.parametrize("task", load_tasks(), ids=lambda t: t.id)
def test_cards_in_three_forms(live_app: Application, task: Any) -> None:
    client = live_app.test_client()
    bundle = live_app.services.models.current(task.id).bundle
    card = client.get(f"/models/{task.id}/card")
    assert card.mimetype == "text/markdown"
    assert card.text == (bundle.path / "card.md").read_text(encoding="utf-8")
    assert card.text.startswith("# ")
    data = client.get(f"/models/{task.id}/card", headers={"Accept": "application/json"}).get_json()
    assert data["task"] == task.id
    page = client.get(f"/models/{task.id}/card", headers={"Accept": "text/html"})
    assert page.mimetype == "text/html"
    assert f"<h1>{card.text.splitlines()[0].removeprefix('# ')}</h1>" in page.text.replace("&amp;", "&")
    described = client.get(f"/models/{task.id}").get_json()
    assert described["limits_of_use"] == list(task.limits_of_use)
    assert described["kind"] == task.kind


def test_the_model_of_recordings_has_a_card_of_its_own(live_app: Application) -> None:
    card = live_app.test_client().get("/models/heart/card?member=signal").text
    assert card.startswith("# The tiny model heart-signal\n")


@pytest.mark.parametrize("task", load_tasks(), ids=lambda t: t.id)
def test_without_a_model_the_card_says_so_and_gives_use_and_limits(demo_app: Application, task: Any) -> None:
    limits = "\n".join(f"- {limit}" for limit in task.limits_of_use)
    assert demo_app.test_client().get(f"/models/{task.id}/card").text == (
        f"# {task.title}\n\n> {DISCLAIMER}\n\nNo trained model is loaded for this task; it answers with a marked "
        f"example.\n\n## Intended use\n{task.intended_use}\n\n## Limits\n{limits}\n"
    )


def test_a_model_that_came_without_a_card_is_said_to_have_none(live_app: Application) -> None:
    """As a user's own file does."""
    loaded = live_app.services.models.current("skin")
    assert loaded is not None
    bare = loaded.bundle.manifest.model_copy(update={"files": {}})
    text = card_markdown(load_task("skin"), replace(loaded, bundle=replace(loaded.bundle, manifest=bare)))
    assert "The model of this task came without a card; what is known of it is at `/models/skin`." in text
    assert "tiny" not in text


def test_a_card_as_a_page_shows_its_tables_and_plots_and_no_foreign_html() -> None:
    card = "# Spots\n\n> A note\n\n| a | b |\n|---|---|\n| 1 | <script>x</script> |\n\n![curve](curve.png)\n"
    page = card_page("Spots & more", card, "/models/spots/plots/pictures/")
    assert "<title>Spots &amp; more</title>" in page
    assert "<td>1</td>" in page
    assert "<blockquote>" in page
    assert "<script>" not in page
    assert 'src="/models/spots/plots/pictures/curve.png"' in page


@pytest.mark.parametrize(
    ("link", "page"),
    [
        ("[a](javascript:alert)", "<p><a>a</a></p>"),
        ("[a](JavaScript:alert 'title')", '<p><a title="title">a</a></p>'),
        ("[a](java&#115;cript:alert)", "<p><a>a</a></p>"),
        ("[a](data:text/html;base64,eA)", "<p><a>a</a></p>"),
        ("[a][b]\n\n[b]: vbscript:x", "<p><a>a</a></p>"),
        ("[a](https://example.org/x)", '<p><a href="https://example.org/x">a</a></p>'),
        ("[a](http://example.org)", '<p><a href="http://example.org">a</a></p>'),
        ("[a](/models/skin)", '<p><a href="/models/skin">a</a></p>'),
    ],
)
def test_links_of_a_card_lead_to_the_web_or_nowhere(link: str, page: str) -> None:
    assert page in card_page("Spots", link, "/models/spots/plots/pictures/")


def test_document_describes_every_task_and_field(live_app: Application) -> None:
    document = live_app.test_client().get("/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    for task in load_tasks():
        described = live_app.test_client().get(f"/models/{task.id}").get_json()
        operation = document["paths"][described["endpoint"]]["post"]
        assert {"200", "400", "415", "422", "503"} <= operation["responses"].keys()
    heart = document["paths"]["/predict-heart"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert heart["properties"]["age"]["minimum"] > 0
    assert heart["required"] == ["age", "sex"]
    names = {f"#/components/{kind}/{name}" for kind, found in document["components"].items() for name in found}
    references = set(_references(document))
    assert references
    assert references <= names


def test_no_two_parts_of_the_document_have_one_name() -> None:
    """The document takes the later of two."""
    names = [model.__name__ for model in _below(Answer)]
    assert "TriageAnswer" in names
    assert sorted(names) == sorted(set(names))


def _below(model: type[Answer]) -> list[type[Answer]]:
    return [found for own in model.__subclasses__() for found in (own, *_below(own))]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [r for value in node.values() for r in _references(value)]
    return [r for value in node for r in _references(value)] if isinstance(node, list) else []


def test_headers_of_every_answer(live_app: Application) -> None:
    client = live_app.test_client()
    for path in ("/", "/health", "/nothing", "/static/app.js"):
        reply = client.get(path, headers={"Origin": "http://elsewhere.example"})
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        reply.close()
    assert client.get("/health").headers["Cache-Control"] == "no-store"


def test_every_route_by_every_method_answers_with_all_headers(live_app: Application) -> None:
    client, seen = live_app.test_client(), set[int]()
    for rule in live_app.url_map.iter_rules():
        path = re.sub("<[^>]*>", "x", rule.rule)
        for method in ("GET", "POST", "OPTIONS"):
            reply = client.open(path, method=method, base_url="http://localhost")
            seen.add(reply.status_code)
            assert SECURITY_HEADERS.items() <= dict(reply.headers).items(), (method, path)
            assert OVER_TLS.keys().isdisjoint(reply.headers.keys())
            reply.close()
    assert {200, 400, 401, 404, 405} <= seen
    assert OVER_TLS.items() <= dict(client.get("/health", base_url="https://localhost").headers).items()
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "*" not in policy


def test_the_pages_ask_nobody_else_and_name_no_disease(live_app: Application) -> None:
    """The web app knows neither classes nor addresses outside this server."""
    folder = Path(str(live_app.static_folder))
    text = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    for name, content in text.items():
        addresses = content.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in addresses, name
        assert "https://" not in addresses, name
        for task in load_image_tasks():
            for c in task.classes:
                assert c.name.lower() not in content.lower(), (name, c.name)
