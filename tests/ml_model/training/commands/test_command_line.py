"""What a user runs: quick to explain itself, options checked before any work, faults said in a sentence."""

from __future__ import annotations

import json
import os
import pty
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import ROOT

from ml_model.training.commands.command_line import OPTIONS
from ml_model.training.commands.recipes import recipe_files

RECIPES = [*sorted((ROOT / "ml_model").glob("train_*.py")), ROOT / "ml_model" / "image_classification.py"]
COMMANDS = [*RECIPES, ROOT / "ml_model" / "audit.py", ROOT / "ml_model" / "replay.py"]
HEAVY = {"numpy", "cv2", "pydantic", "keras", "tensorflow", "sklearn", "scipy", "onnx"}
MODULES = """
import json, runpy, sys
sys.argv = [sys.argv[1], "--help"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as ended:
    print(json.dumps({"status": ended.code, "modules": sorted(sys.modules)}))
"""


def run(*command: str, **options: str) -> subprocess.CompletedProcess[str]:
    """A command of the project, with nobody at its standard input."""
    return subprocess.run(
        [sys.executable, *command], capture_output=True, encoding="utf-8", check=False, stdin=subprocess.DEVNULL,
        cwd=ROOT, env={**os.environ, **options},
    )  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=lambda p: p.name)
def test_help_needs_no_library_and_no_second(path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = run("-c", MODULES, str(path))
    took_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    text, found = done.stdout.rsplit("\n", 2)[0], json.loads(done.stdout.splitlines()[-1])
    assert found["status"] == 0
    assert text.startswith(f"usage: {path.name} [-h]")
    assert HEAVY.intersection(found["modules"]) == set()
    assert took_s < 1


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_recipes_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--epochs", "-1"), "argument --epochs: -1 is less than 1"),
        (("--epochs", "0"), "argument --epochs: 0 is less than 1"),
        (("--epochs", "many"), "argument --epochs: 'many' is not a whole number"),
        (("--limit", "0"), "argument --limit: 0 is less than 1"),
        (("--batch", "0"), "argument --batch: 0 is less than 1"),
        (("--size", "-224"), "argument --size: -224 is less than 1"),
        (("--seed", "-1"), "argument --seed: -1 is less than 0"),
        (("--cross-validate", "1"), "argument --cross-validate: 1 is less than 2"),
        (("--data", "nowhere"), "argument --data: nowhere is not there; give a folder"),
        (("--data", "README.md"), "argument --data: README.md is a file; give a folder"),
        (("--out", "README.md"), "argument --out: README.md is a file; give a folder"),
        (("--measure", "nowhere"), "argument --measure: nowhere is not there; give a folder"),
        (("--weights", "nowhere.h5"), "argument --weights: no weights file at nowhere.h5; give --weights PATH, "),
    ],
)
def test_options_are_checked_before_any_work(options: tuple[str, str], said: str) -> None:
    done = run("ml_model/train_brain_mri_model.py", *options)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


def test_no_more_networks_are_asked_for_than_the_recipe_has() -> None:
    done = run("ml_model/train_heart_signal_model.py", "--members", "4")
    assert done.returncode == 2
    assert "argument --members: invalid choice: 4" in done.stderr


@pytest.mark.parametrize("arguments", [("--task=skin",), ("--task", "skin")])
def test_a_task_that_is_given_is_not_asked_for(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run("ml_model/image_classification.py", *arguments, "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {tmp_path}: none of HAM10000 is there")


def test_where_nobody_answers_the_option_is_named() -> None:
    done = run("ml_model/image_classification.py")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("error: which model? give --task skin or --task xray")


def test_a_closed_standard_input_is_no_crash() -> None:
    script = f"exec '{sys.executable}' ml_model/image_classification.py <&-"
    done = subprocess.run(["bash", "-c", script], capture_output=True, encoding="utf-8", check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("error: which model? give --task skin or --task xray")


def test_at_a_terminal_it_asks_and_takes_a_number(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"2\n{tmp_path}\n".encode())
    done = subprocess.run(
        [sys.executable, "ml_model/image_classification.py"], stdin=theirs, capture_output=True, encoding="utf-8",
        check=False, cwd=ROOT,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.stdout.startswith("Which model? 1 skin, 2 pneumonia: ")
    assert f"error: {tmp_path}: none of chest_xray" in done.stderr


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("skn", "no recipe 'skn'; did you mean skin? choose one of skin, xray"),
        ("foot", "no recipe 'foot'; choose one of skin, xray"),
    ],
)
def test_an_unknown_task_names_the_tasks_and_the_nearest(task: str, said: str) -> None:
    done = run("ml_model/image_classification.py", "--task", task)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"argument --task: {said}")


def test_every_recipe_has_a_name_for_make() -> None:
    tasks = (
        "skin xray brain-mri breast disease heart heart-risk heart-signal histopathology input-gate lung-ct mammogram"
    )
    assert set(recipe_files()) == set(tasks.split())
    assert {command[0] for command in recipe_files().values()} == {path.name for path in RECIPES}


def test_make_hands_on_to_the_recipe_and_names_the_nearest() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "train-%: $(STAMP)\n\t$(BIN)/python -m ml_model.training.commands.recipes $* $(ARGS)\n" in makefile
    done = run("-m", "ml_model.training.commands.recipes", "input-gate", "--epochs", "0")
    assert done.returncode == 2
    assert "train_input_gate.py: error: argument --epochs: 0 is less than 1" in done.stderr
    done = run("-m", "ml_model.training.commands.recipes", "inputgate")
    assert done.returncode == 2
    assert "no recipe 'inputgate'; did you mean input-gate? choose one of " in done.stderr


def test_shared_options_are_declared_once() -> None:
    """No command declares again what OPTIONS has."""
    for path in [*(ROOT / "ml_model" / "training" / "commands").glob("*.py"), *RECIPES]:
        source = path.read_text(encoding="utf-8")
        assert [name for name in OPTIONS if f'add_argument("{name}"' in source] == [], path.name


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A data set of ten grey pictures for each of two labels."""
    rows = ["file,label,group,split"]
    (tmp_path / "chest_xray").mkdir()
    for n in range(20):
        name, label = f"chest_xray/{n}.png", ("NORMAL", "PNEUMONIA")[n % 2]
        noise = np.random.default_rng(n).normal(70 + 110 * (n % 2), 25, (64, 64))
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(tmp_path / name)
        rows.append(f"{name},{label},{n},{('train', 'train', 'val', 'test', 'test')[n // 2 % 5]}")
    (tmp_path / "chest_xray" / "split.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_imagenet_weights_without_a_network_are_said_with_what_to_do(films: Path, tmp_path: Path) -> None:
    done = run(
        "ml_model/image_classification.py", "--task", "xray", "--data", str(films), "--out", str(tmp_path / "out"),
        KERAS_HOME=str(tmp_path / "keras"), https_proxy="http://127.0.0.1:9", TF_CPP_MIN_LOG_LEVEL="0",
    )  # fmt: skip
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()  # nothing of what TensorFlow writes when it starts
    assert said.startswith(
        "error: the ImageNet weights of efficientnetv2b0 cannot be downloaded (URL fetch failure on "
    )
    assert said.endswith("give it as --weights PATH, or start from nothing with --weights none")
    assert not (tmp_path / "out" / "cache").exists()


def test_a_failing_start_says_what_the_backend_said(tmp_path: Path) -> None:
    """What was set aside is written after all, before the traceback."""
    (tmp_path / "keras.py").write_text("import os\nos.write(2, b'no such device\\n')\nraise ImportError('no keras')\n")
    start = "from ml_model.training.startup import start_keras; start_keras()"
    done = run("-c", start, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert done.returncode == 1
    assert done.stderr.startswith("no such device\nTraceback ")
    assert done.stderr.endswith("ImportError: no keras\n")
