"""Task files: what is refused and in which words, and what a bundle is bound to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ml_model.errors import TaskFileInvalid
from ml_model.tasks.registry import TASKS_DIR, ImageTask, load_task, load_tasks

SAMPLE = """
kind = "image"
title = "Shadows on film"
health_key = "film"
licence = "CC0"
intended_use = "For tests."
limits_of_use = ["Only for tests."]
user_models = ["film_model"]
demo_probabilities = [0.3, 0.7]

[input]
modality = "film"
height_px = 64
width_px = 96

[[findings]]
code = "shade"
name = "a shadow"
classes = ["shadow"]
min_sensitivity = 0.9
suspected = "A shadow is suspected."
open = { title = "Open", message = "M.", actions = ["A."], timeline = "Soon", action = "Look.", color = "#9a6700" }

[undecided]
title = "Nothing can be said"
message = "M."
actions = ["A."]
timeline = "Soon"
action = "Have it seen."
color = "#9a6700"

[weak_evidence]
title = "Not to be leant on"
message = "M."
actions = ["A."]
timeline = "Soon"
action = "Have it seen."
color = "#9a6700"

[unsettled]
staging = "None is given."
treatment = "None is named."

[[datasets]]
name = "Films"
folder = "films"
group_key = "reel"
population = "One archive."
licence = "CC0"
citation = "None."
labels = { CLEAR = ["clear"], SHADOW = ["shadow"] }

[[classes]]
code = "clear"
name = "Clear film"
type = "normal"
severity = "healthy"
treatment_options = ["None."]
staging = { stage = "None", description = "Nothing.", prognosis = "Good." }
urgency = { timeline = "Never", action = "Store it.", color = "#1a7f37" }

[[classes]]
code = "shadow"
name = "Shadow"
type = "abnormal"
severity = "high"
treatment_options = ["Restore it."]
staging = { stage = "Unknown", description = "Something.", prognosis = "Open." }
urgency = { timeline = "Today", action = "Look at it.", color = "#bc4c00" }

[recommendations.healthy]
title = "Fine"
message = "Nothing to do."
actions = ["Store it."]

[recommendations.high]
title = "Look"
message = "There is a shadow."
actions = ["Look at it."]
"""
SHADOW_TABLE = SAMPLE[SAMPLE.index('[[classes]]\ncode = "shadow"') : SAMPLE.index("[recommendations.healthy]")]
HIGH_TABLE = SAMPLE[SAMPLE.index("[recommendations.high]") :]

# What is replaced, by what, and what the message must say after the file's name.
FAULTS = {
    "unknown key": ("limits_of_use", "limit_of_use", "limit_of_use: unknown key; did you mean limits_of_use?"),
    "unknown key without a near one": ('title = "Sh', 'zzz = 1\ntitle = "Sh', "zzz: unknown key; remove it"),
    "unknown key in a class": (
        'type = "abnormal"',
        'type = "abnormal"\nurgncy = "x"',
        "classes.shadow.urgncy: unknown key; did you mean urgency?",
    ),
    "missing field": ('title = "Shadows on film"', "", "title: is missing; add it"),
    "missing field of a class": ('type = "abnormal"\n', "", "classes.shadow.type: is missing; add it"),
    "missing kind": ('kind = "image"', "", "kind: is missing; add it"),
    "unknown kind": (
        'kind = "image"',
        'kind = "video"',
        "kind: must be one of 'image', 'symptoms', 'risk', got",
    ),
    "another id": (
        'kind = "image"',
        'kind = "image"\nid = "x"',
        "id: is the file's name; remove it or",
    ),
    "empty text": ('title = "Shadows on film"', 'title = "  "', "title: is empty; write the text or remove the key"),
    "no classes": (
        SAMPLE[SAMPLE.index("[[classes]]") : SAMPLE.index("[recommendations.healthy]")],
        "",
        "classes: is missing; add it",
    ),
    "one class": (SHADOW_TABLE, "", "classes: needs at least 2 entries, has 1"),
    "class of a label missing": (
        'SHADOW = ["shadow"]',
        'SHADOW = ["shade"]',
        "datasets.Films.labels: no class has the code shade",
    ),
    "population of no set": (
        'group_key = "reel"',
        'group_key = "reel"\npopulation_of = "elsewhere"',
        "datasets: population_of names elsewhere, which is no data set with ages_years",
    ),
    "class without a label": (', SHADOW = ["shadow"]', "", "classes: no data set has a label for shadow"),
    "label without classes": (
        'SHADOW = ["shadow"]',
        "SHADOW = []",
        "datasets.Films.labels.SHADOW: needs at least 1 entries, has 0",
    ),
    "no recommendation for a severity": (
        HIGH_TABLE,
        "",
        "recommendations: no entry for severity high; add one",
    ),
    "recommendation nobody gets": (
        'severity = "high"',
        'severity = "healthy"',
        "recommendations: no class has the severity high; remove it",
    ),
    "unknown severity": (
        'severity = "high"',
        'severity = "bad"',
        "classes.shadow.severity: must be one of 'healthy', 'low', 'moderate', 'high' or 'critical', got 'bad'",
    ),
    "unknown type": ('type = "abnormal"', 'type = "odd"', "classes.shadow.type: must be one of 'benign', 'malignant'"),
    "colour by name": ('"#bc4c00"', '"orange"', "classes.shadow.urgency.color: 'orange' is no colour; write # and six"),
    "colour in capitals": ('"#bc4c00"', '"#BC4C00"', "classes.shadow.urgency.color: '#BC4C00' is no colour"),
    "short colour": ('"#bc4c00"', '"#b40"', "classes.shadow.urgency.color: '#b40' is no colour"),
    "colour with a line break": (
        '"#bc4c00"',
        '"#bc4c00\\n"',
        "classes.shadow.urgency.color: '#bc4c00\\n' is no",
    ),
    "code with a space": ('code = "shadow"', 'code = "a b"', "classes.a b.code: 'a b' may have only letters, digits"),
    "code twice": ('code = "shadow"', 'code = "clear"', "classes: two have the code 'clear'"),
    "name twice": ('name = "Shadow"', 'name = "Clear film"', "classes: two have the name 'Clear film'"),
    "class without a code": ('code = "shadow"\n', "", "classes.Shadow.code: is missing; add it"),
    "user model outside the folder": (
        '"film_model"',
        '"../film"',
        "user_models.entry 1: '../film' may have only",
    ),
    "too few examples": ("[0.3, 0.7]", "[1.0]", "demo_probabilities: 1 values for 2 classes; give one for each"),
    "examples beyond 1": ("[0.3, 0.7]", "[0.3, 0.8]", "demo_probabilities: sum to 1.1, must be 1 unless multi_label"),
    "negative example": ("[0.3, 0.7]", "[-0.3, 1.0]", "demo_probabilities.entry 1: input should be greater than or"),
    "example not a number": ("[0.3, 0.7]", "[nan, 0.7]", "demo_probabilities.entry 1: input should be less than or"),
    "huge input": ("height_px = 64", "height_px = 4096", "input.height_px: input should be less than or equal to 1024"),
    "unknown geometry": (
        "width_px = 96",
        'width_px = 96\ngeometry = "stretch"',
        "input.geometry: must be one of 'squash', 'mirror', 'field', 'breast' or 'body', got",
    ),
    "finding elsewhere": ('classes = ["shadow"]', 'classes = ["x"]', "findings.shade: no class has the code x"),
    "finding of all classes": (
        'classes = ["shadow"]',
        'classes = ["shadow", "clear"]',
        "findings: every class is in one; leave one that is named when all are ruled out",
    ),
    "certain sensitivity": ("= 0.9\n", "= 1.0\n", "findings.shade.min_sensitivity: input should be less than 1"),
    "no TOML": ('title = "Shadows', "title = Shadows", "not valid TOML: Invalid value (at line 3, column 9)"),
}


def write_task(folder: Path, text: str, name: str = "film-check") -> Path:
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def sample_task(folder: Path, text: str = SAMPLE) -> ImageTask:
    task = load_task("film-check", write_task(folder, text))
    assert isinstance(task, ImageTask)
    return task


def test_the_sample_loads(tmp_path: Path) -> None:
    task = sample_task(tmp_path)
    assert task.id == "film-check"
    assert task.codes == ("clear", "shadow")
    assert task.input.geometry == "squash"
    assert task.recommendations["high"].actions == ("Look at it.",)


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_file_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SAMPLE.count(old) == 1 or old == "limits_of_use", "the fault must change one place"
    write_task(tmp_path, SAMPLE.replace(old, new))
    with pytest.raises(TaskFileInvalid) as raised:
        load_tasks(tmp_path)
    assert f"film-check.toml: {message}" in str(raised.value) or f" | {message}" in str(raised.value)
    assert str(raised.value).startswith("film-check.toml: ")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    faulty = SAMPLE.replace('title = "Shadows on film"', "").replace('"#1a7f37"', '"green"').replace("= 64", "= 1")
    with pytest.raises(TaskFileInvalid) as raised:
        load_tasks(write_task(tmp_path, faulty))
    told = str(raised.value).removeprefix("film-check.toml: ").split(" | ")
    assert [part.split(":")[0] for part in told] == [
        "title",
        "input.height_px",
        "classes.clear.urgency.color",
    ]


def test_two_files_cannot_report_health_under_one_name(tmp_path: Path) -> None:
    write_task(tmp_path, SAMPLE, "first")
    write_task(tmp_path, SAMPLE, "second")
    message = "first.toml and second.toml: health_key: 'film' is used twice; each task needs its own"
    with pytest.raises(TaskFileInvalid, match=f"^{re.escape(message)}$"):
        load_tasks(tmp_path)


def test_an_unknown_task_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TaskFileInvalid, match=r"^no task file knee\.toml; known tasks: film-check$"):
        load_task("knee", write_task(tmp_path, SAMPLE))


def test_a_task_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        sample_task(tmp_path).title = "x"  # type: ignore[misc]


def swapped(text: str) -> str:
    """The sample with its two classes in the other order."""
    return text.replace(SHADOW_TABLE, "").replace("[[classes]]", f"{SHADOW_TABLE}[[classes]]", 1)


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        lambda text: text.replace("height_px = 64", "height_px = 65"),
        lambda text: text.replace("width_px = 96", "width_px = 97"),
        lambda text: text.replace('modality = "film"', 'modality = "slide"'),
        lambda text: text.replace('"shadow"', '"shade"'),
        lambda text: text.replace("user_models", "multi_label = true\nuser_models"),
    ],
    ids=["order", "height", "width", "modality", "code", "multi_label"],
)
def test_contract_changes_with_input_and_classes(tmp_path: Path, change: object) -> None:
    assert callable(change)
    before = sample_task(tmp_path).contract_sha256
    after = sample_task(tmp_path, change(SAMPLE)).contract_sha256
    assert re.fullmatch(r"[0-9a-f]{64}", after)
    assert after != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Something.", "Something else."),
        ('title = "Look"', 'title = "Look again"'),
        ("#bc4c00", "#cf222e"),
        ('name = "Shadow"', 'name = "Darkness"'),
        ("[0.3, 0.7]", "[0.4, 0.6]"),
        ("min_sensitivity = 0.9", "min_sensitivity = 0.8"),
        ('folder = "films"', 'folder = "reels"'),
        ("height_px = 64", "min_detail = 0.01\nheight_px = 64"),
        ('user_models = ["film_model"]', ""),
    ],
)
def test_contract_does_not_change_with_texts(tmp_path: Path, old: str, new: str) -> None:
    assert old in SAMPLE
    assert sample_task(tmp_path).contract_sha256 == sample_task(tmp_path, SAMPLE.replace(old, new)).contract_sha256


def test_the_registry_is_the_folder() -> None:
    assert {task.id for task in load_tasks()} == {path.stem for path in TASKS_DIR.glob("*.toml")}
