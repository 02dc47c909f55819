"""Who may import whom and how large things may be: read from the source, and seen in a process that serves."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from samples import ROOT

from ml_model.inference.bundle import Bundle
from ml_model.tasks.registry import load_image_tasks

TRAINING_ONLY = ("ml_model.training",)
# Modules at the top of ml_model that exist to train or to measure; the service has no business with them.
RECIPES = ("train_", "image_classification", "audit", "replay", "evaluate")
# Imported when the first record is asked for.
OF_RECORDS = (
    "celery", "kombu", "redis", "sqlalchemy", "alembic", "psycopg", "s3fs", "botocore", "reportlab", "authlib",
    "fhir", "highdicom", "pynetdicom", "openai", "mcp",
)  # fmt: skip
HEAVY = ("tensorflow", "keras", "sklearn", "pandas", "matplotlib", "torch", "tf2onnx")


def imported_modules(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level_imports(path: Path) -> Iterator[str]:
    """Modules that importing the file imports: those outside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("path", sources("ml_model"), ids=lambda p: str(p.relative_to(ROOT)))
def test_ml_model_never_imports_the_service(path: Path) -> None:
    assert [name for name in imported_modules(path) if within(name, ("backend", "flask", "h11"))] == []


@pytest.mark.parametrize("path", sources("backend"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_service_never_imports_training(path: Path) -> None:
    forbidden = [n for n in imported_modules(path) if within(n, TRAINING_ONLY) or within(n, HEAVY)]
    recipes = [n for n in imported_modules(path) if n.startswith(tuple(f"ml_model.{r}" for r in RECIPES))]
    assert forbidden + recipes == []


# Rooms of ml_model from the ground up: each may import those on lower floors, and itself.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("tasks", "sandbox"),
    ("inputs", "inference"),
    ("ecg", "input_gate", "tabular", "deidentify"),
    ("symptoms",),
    ("diagnosis",),
    ("user_models",),
    ("training",),
)
ROOMS = sorted(p.parent for p in (ROOT / "ml_model").rglob("__init__.py") if "Dataset" not in p.parts)


def room_of(name: str) -> str:
    """ml_model.inputs.dicom.header -> inputs."""
    return (name.split(".") + [""])[1]


def floor_of(room: str) -> int:
    """What a user runs stands on top of everything."""
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), len(FLOORS))


@pytest.mark.parametrize("path", sources("ml_model"), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_from_lower_floors_only(path: Path) -> None:
    if path.stem == "keras_converter":  # runs in a process of its own
        return
    own = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    imported = {room_of(name) for name in imported_modules(path) if name.startswith("ml_model.")} - {own}
    assert {room for room in imported if floor_of(room) >= floor_of(own)} == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    paths = [*sources("ml_model"), *sources("backend")]
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in paths if p.stem != "__init__"}
    after = {name: {n for n in imported_modules(path) if n in names} - {name} for name, path in names.items()}
    while free := {name for name, needed in after.items() if not needed}:
        after = {name: needed - free for name, needed in after.items() if name not in free}
    assert after == {}


@pytest.mark.parametrize("room", ROOMS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_room_says_what_it_is_for_and_what_it_may_import(room: Path) -> None:
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    purpose, _, imports = str(docstring).partition("\n\n")
    assert purpose
    assert "May import" in imports or "imports" in imports


MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_ROOM_MODULES = 300, 45, 12


@pytest.mark.parametrize("package", ["ml_model", "backend", "tests", "benchmarks"])
def test_files_and_functions_are_short_and_rooms_small(package: str) -> None:
    """ml_model/ itself holds what a user runs, and ml_model/Dataset is the user's own."""
    text = {p: p.read_text(encoding="utf-8") for p in sources(package) if "Dataset" not in p.parts}
    files = {str(p.relative_to(ROOT)): len(t.splitlines()) for p, t in text.items()}
    assert {name: lines for name, lines in files.items() if lines > MAX_FILE_LINES} == {}
    functions = {
        f"{p.relative_to(ROOT)}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for p, t in text.items()
        for node in ast.walk(ast.parse(t))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in functions.items() if lines > MAX_FUNCTION_LINES} == {}
    rooms = Counter(str(p.parent.relative_to(ROOT)) for p in text if p.stem not in ("__init__", "conftest"))
    assert {room: n for room, n in rooms.items() if n > MAX_ROOM_MODULES and room != "ml_model"} == {}


@pytest.mark.parametrize("path", sources("tests"), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_test_file_imports_another(path: Path) -> None:
    """What several share lies in tests/support or in a conftest.py."""
    assert [n for n in imported_modules(path) if any(part.startswith("test_") for part in n.split("."))] == []


def serving_modules() -> list[Path]:
    apart = ("keras_converter", *RECIPES)
    return [p for p in sources("ml_model") if "training" not in p.parts and not p.stem.startswith(apart)]


@pytest.mark.parametrize("path", serving_modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_serving_modules_load_nothing_heavy_at_the_top(path: Path) -> None:
    assert [n for n in top_level_imports(path) if within(n, HEAVY) or within(n, TRAINING_ONLY)] == []


SERVE = """
import io, json, pathlib, sys
from backend.app import create_app
from backend.config import Config
from ml_model.inference.bundle import MODELS_DIR
root = pathlib.Path(sys.argv[1])
app = create_app(Config(model_dirs=(root, MODELS_DIR), user_models_dir=root, data_dir=root / "data", log=False))
assert app.services.models.wait_ready()
client = app.test_client()
picture = (root / "picture.jpg").read_bytes()
replies = [client.get(p) for p in ("/", "/health", "/symptoms", "/models", "/metrics", "/openapi.json")]
for task in json.loads(sys.argv[2]):
    replies.append(client.post(f"/analyze/{task}?gate=warn", data={"image": (io.BytesIO(picture), "a")}))
    replies.append(client.get(replies[-1].get_json()["explanation"]["heatmap_url"]))
replies.append(client.post("/predict-disease", json={"symptoms": ["fever", "cough"]}))
replies.append(client.post("/predict-heart", json={"age": 54, "sex": 1, "blood_pressure": 130, "cholesterol": 246,
    "chest_pain": 3, "max_heart_rate": 150, "exercise_angina": 0}))
print(json.dumps({"status": [r.status_code for r in replies], "modules": sorted(sys.modules)}))
"""


def test_a_process_that_served_everything_has_loaded_nothing_heavy(
    tmp_path: Path, write_tiny_bundle: Callable[..., Bundle], picture: Callable[..., bytes]
) -> None:
    tasks = load_image_tasks()
    for task in tasks:
        write_tiny_bundle(task, tmp_path)
    (tmp_path / "picture.jpg").write_bytes(picture())
    command = [sys.executable, "-c", SERVE, str(tmp_path), json.dumps([task.id for task in tasks])]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["status"]) == {200}
    assert [m for m in found["modules"] if within(m, (*HEAVY, *TRAINING_ONLY, *OF_RECORDS))] == []
