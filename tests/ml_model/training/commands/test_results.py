"""No number is typed by hand: the README's figures are those of the manifests."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from ml_model.inference.bundle import MODELS_DIR
from ml_model.training.commands import results


def test_the_readme_and_the_pages_of_results_and_symptoms_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert results.main(["--check"]) == 0, "run make results"
    assert capsys.readouterr().out == "README.md, results.md, symptoms.md are fresh\n"


def test_every_shipped_model_has_its_figures_in_the_readme() -> None:
    readme = results.README.read_text(encoding="utf-8")
    manifests = sorted(MODELS_DIR.glob("*/manifest.json"))
    assert {"disease", "heart-risk", "skin", "xray"} <= {path.parent.name for path in manifests}
    for path in manifests:
        test = json.loads(path.read_text(encoding="utf-8"))["metrics"].get("test", {})
        if "macro_auc" in test and "by_group" in test:
            assert f"{test['macro_auc']['value']:.3f} ({test['macro_auc']['low']:.3f}-" in readme


def test_a_stale_block_is_replaced_and_the_rest_is_kept() -> None:
    stale = f"# Title\n{results.START}\nan outdated row\n{results.END}\nafter\n"
    fresh = results.updated(stale, results.results_markdown())
    assert fresh.startswith(f"# Title\n{results.START}\n")
    assert fresh.endswith(f"{results.END}\nafter\n")
    assert "an outdated row" not in fresh
    with pytest.raises(ValueError, match="README.md lacks"):
        results.updated("# Title\n", "")
    with pytest.raises(ValueError, match="symptoms.md lacks"):
        results.updated("# Title\n", "", "symptoms.md")


def test_the_figures_of_the_checker_are_those_of_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = next(m for m in results.shipped() if m.task == "disease")
    without = manifest.model_copy(update={"metrics": manifest.metrics.model_copy(update={"checker": None})})
    found = getattr(manifest.metrics, "checker", None)
    assert found is not None, "fit the checker: docs/symptoms.md"
    text = results.symptoms_markdown()
    for ranking in (found.whole_text, found.complaint, found.table):
        assert f"{ranking.in_five.value:.3f} ({ranking.in_five.low:.3f}-{ranking.in_five.high:.3f})" in text
    monkeypatch.setattr(results, "shipped", lambda: iter([without]))
    assert results.symptoms_markdown() == "Not measured."


def test_the_page_of_results_holds_every_image_model_and_its_plots() -> None:
    page = results.page_markdown()
    for path in MODELS_DIR.glob("*/manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["metrics"]["kind"] == "image":
            assert f"Version {manifest['version']}, evidence" in page
    for linked in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page):
        assert (results.PAGE.parent / linked).is_file(), linked


@pytest.mark.parametrize("recipe", sorted(results.README.parent.glob("ml_model/*.py")), ids=lambda path: path.stem)
def test_no_recipe_states_a_figure_that_a_training_may_change(recipe: Path) -> None:
    """A decimal fraction, a percentage or a cost in its docstring; the commands in it have none."""
    said = ast.get_docstring(ast.parse(recipe.read_text(encoding="utf-8"))) or ""
    assert re.findall(r"(?<![\w-])\d*\.\d{2,}|\d+ %|\d+ (?:seconds|minutes)", said) == []


def test_the_readme_names_every_page_of_the_docs() -> None:
    layout = results.README.read_text(encoding="utf-8").split("\ndocs/ ", 1)[1].split("```", 1)[0]
    assert sorted(re.findall(r"[\w.]+", layout)) == sorted(page.name for page in results.PAGE.parent.glob("*.md"))
