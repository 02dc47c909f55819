"""What every task file of the registry must keep: orders, gravity, texts, colours, citations, and no text elsewhere."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from samples import ROOT, image_task

from ml_model.tasks.registry import ImageTask, load_image_tasks

# Output orders that trained models, the public data and clients rely on: changing one is a breaking change.
ORDERS = {
    "breast": ("birads_1", "birads_2", "birads_3", "birads_4", "birads_5", "birads_6"),
    "heart": ("normal", "mi", "sttc", "cd", "hyp"),
    "skin": ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"),
    "xray": ("normal", "pneumonia"),
}
HEALTH_KEYS = {"breast": "breast_cancer", "heart": "heart_image", "skin": "skin_cancer", "xray": "pneumonia"}
USER_MODELS = {
    "breast": ("breast_cancer_model", "breast_tumor", "resnet50_ultrasound_final"),
    "heart": ("heart_image_model",),
    "skin": ("skin_cancer_model",),
    "xray": ("pneumonia_model",),
}


def test_orders_and_names_of_the_first_four_tasks_are_kept() -> None:
    tasks = {task.id: task for task in load_image_tasks()}
    assert {name: tasks[name].codes for name in ORDERS} == ORDERS
    assert {name: tasks[name].health_key for name in ORDERS} == HEALTH_KEYS
    assert {name: tasks[name].user_models for name in ORDERS} == USER_MODELS
    assert {name: tasks[name].multi_label for name in ORDERS} == {
        "breast": False,
        "heart": True,
        "skin": False,
        "xray": False,
    }
    assert [name for name in ORDERS if tasks[name].recommendations_as_list] == ["xray"]


def test_gravity_of_the_skin_classes() -> None:
    skin = image_task("skin")
    assert {c.code: (c.type, c.severity) for c in skin.classes} == {
        "akiec": ("pre-cancerous", "moderate"),
        "bcc": ("malignant", "moderate"),
        "bkl": ("benign", "low"),
        "df": ("benign", "low"),
        "mel": ("malignant", "high"),
        "nv": ("benign", "low"),
        "vasc": ("benign", "low"),
    }


def test_breast_categories_and_the_labels_they_are_learnt_from() -> None:
    breast = image_task("breast")
    assert [c.birads for c in breast.classes] == ["1", "2", "3", "4", "5", "6"]
    assert breast.datasets[0].labels == {
        "normal": ("birads_1",),
        "benign": ("birads_2", "birads_3"),
        "malignant": ("birads_4", "birads_5", "birads_6"),
    }


def texts_of(task: ImageTask) -> Iterator[tuple[str, str]]:
    """(field, text) of everything that has to be a sentence."""
    yield "intended_use", task.intended_use
    for field, sentences in (("limits_of_use", task.limits_of_use), *_class_sentences(task)):
        yield from ((field, sentence) for sentence in sentences)
    for level, advice in task.recommendations.items():
        yield from ((f"recommendations.{level}", text) for text in (advice.message, *advice.actions))
    for dataset in task.datasets:
        yield f"datasets.{dataset.name}.population", dataset.population


def _class_sentences(task: ImageTask) -> Iterator[tuple[str, tuple[str, ...]]]:
    for c in task.classes:
        staging, urgency = c.staging, c.urgency
        yield f"classes.{c.code}", (staging.description, staging.prognosis, urgency.action, *c.treatment_options)


each_image_task = pytest.mark.parametrize("task", load_image_tasks(), ids=lambda task: task.id)


@each_image_task
def test_texts_are_whole_sentences(task: ImageTask) -> None:
    for field, text in texts_of(task):
        assert re.match(r"[A-Z0-9]", text), f"{field}: begins in lower case: {text}"
        assert text.endswith("."), f"{field}: does not end with a full stop: {text}"
        assert not re.search(r"\s{2}|\s[.,;:]|\.\.|\bTODO\b|[<>{}]", text), f"{field}: {text}"
    # Treatments may be as short as "No treatment."; what explains a class is not.
    for c in task.classes:
        assert len(c.staging.description) >= 80, c.code
        assert len(c.staging.prognosis) >= 60, c.code
        assert len(c.treatment_options) >= 2, c.code


@each_image_task
def test_labels_are_no_sentences(task: ImageTask) -> None:
    labels = [(c.name, c.staging.stage, c.urgency.timeline) for c in task.classes]
    titles = [advice.title for advice in task.recommendations.values()]
    for label in (task.title, *titles, *itertools.chain.from_iterable(labels)):
        assert re.match(r"[A-Z]", label), label
        assert not label.endswith("."), label
        assert len(label) <= 80, label


def test_nothing_is_copied_from_one_class_to_another() -> None:
    counts: Counter[str] = Counter()
    for task in load_image_tasks():
        for c in task.classes:
            staging = c.staging
            counts.update((staging.stage + task.id + c.code, staging.description, staging.prognosis, c.urgency.action))
            counts.update(option for option in c.treatment_options if option != "No treatment.")
        for advice in task.recommendations.values():
            counts.update((advice.title, advice.message))
    assert [text for text, count in counts.items() if count > 1] == []


@each_image_task
def test_every_recommendation_names_something_to_do(task: ImageTask) -> None:
    for level, advice in task.recommendations.items():
        assert len(advice.actions) >= 3, level
        assert len(set(advice.actions)) == len(advice.actions), level
        assert all(15 <= len(action) <= 200 for action in advice.actions), level


# What a severity says of how soon one acts, and the words of a timeline that say so.
TIMELINES = {
    "critical": r"^Immediately",
    "high": r"\b(same day|days|2 weeks)\b",
    "moderate": r"\bweeks\b",
    "low": r"\b(routine visit|regular appointment|next appointment)\b",
    "healthy": r"\b(none|next routine)\b",
}


@each_image_task
def test_a_timeline_says_what_its_severity_says(task: ImageTask) -> None:
    told: list[tuple[str, str, str]] = [(c.code, c.severity, c.urgency.timeline) for c in task.classes]
    severities = {"soon": "moderate", "urgent": "high"}
    told += [(f.code, severities[f.open_level], f.open.timeline) for f in task.findings]
    told += [("undecided", "moderate", task.undecided.timeline), ("weak", "moderate", task.weak_evidence.timeline)]
    for code, severity, timeline in told:
        assert re.search(TIMELINES[severity], timeline, re.IGNORECASE), f"{code}: {timeline}"


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb as WCAG 2 defines it, 0-1."""
    levels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@each_image_task
def test_urgency_colours_are_seen_by_all(task: ImageTask) -> None:
    for c in task.classes:
        assert contrast(c.urgency.color, "#ffffff") >= 4.5, f"{c.code}: white text on it cannot be read"
        assert contrast(c.urgency.color, "#12181b") >= 3, f"{c.code}: hard to see on a dark page"


def test_a_colour_means_one_severity_everywhere() -> None:
    meanings = {(c.urgency.color, c.severity) for task in load_image_tasks() for c in task.classes}
    assert len({colour for colour, _ in meanings}) == len(meanings)
    assert len({severity for _, severity in meanings}) == len(meanings)


@each_image_task
def test_type_and_severity_go_together(task: ImageTask) -> None:
    allowed = {
        "normal": {"healthy"},
        "benign": {"low", "moderate"},
        "pre-cancerous": {"moderate", "high"},
        "malignant": {"moderate", "high", "critical"},
        "abnormal": {"moderate", "high", "critical"},
    }
    for c in task.classes:
        assert c.severity in allowed[c.type], c.code


@each_image_task
def test_data_sets_are_cited_and_licensed(task: ImageTask) -> None:
    for dataset in task.datasets:
        assert re.search(r"\b(19|20)\d\d\b", dataset.citation), dataset.name
        assert len(dataset.citation) > 40, dataset.name
        restricted = re.search(r"-NC|non-commercial", dataset.licence)
        assert not restricted or re.search(r"-NC|non-commercial", task.licence, re.IGNORECASE), "a model is no freer"


def clinical_words() -> set[str]:
    """Class names, their distinctive words and every recommendation's title."""
    words = {"melanoma", "pneumonia", "carcinoma", "infarction", "keratosis", "nevus", "dermatofibroma"}
    for task in load_image_tasks():
        words |= {c.name.lower() for c in task.classes} - {"normal"}
        words |= {advice.title.lower() for advice in task.recommendations.values()}
        words |= {a.title.lower() for a in (*(f.open for f in task.findings), task.undecided, task.weak_evidence)}
        words |= {c.staging.prognosis.lower() for c in task.classes}
    return words


def test_no_clinical_text_outside_the_task_files() -> None:
    sources = [*(ROOT / "backend").rglob("*.py")]
    sources += [p for p in (ROOT / "frontend").rglob("*") if p.suffix in {".js", ".html", ".css", ".svg"}]
    suffixes = Counter(p.suffix for p in sources)
    assert suffixes[".py"] >= 10, "the guard found no service to look at"
    assert suffixes[".js"] >= 1, "the guard found no page to look at"
    words = clinical_words()
    assert len(words) > 30
    found = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in sources
        for text in [path.read_text(encoding="utf-8").lower()]
        for word in words
        if word in text
    }
    assert found == set()
