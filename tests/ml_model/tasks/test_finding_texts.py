"""What every task file says of its findings: what is looked for, and no calm word beside what is open or suspected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from made_tasks import made_finding
from samples import image_task

from ml_model.tasks.finding_schema import Advice, check_findings
from ml_model.tasks.registry import ImageTask, load_image_tasks

each_image_task = pytest.mark.parametrize("task", load_image_tasks(), ids=lambda task: task.id)

# Words that calm. Beside a finding that is open or suspected, and where nothing can be said, none of them may stand.
CALM = re.compile(
    r"benign|harmless|\bnormal|healthy|reassur|unlikely|excellent|\bgood\b|\bfine\b|no sign|nothing suspicious|"
    r"routine|self-check|no treatment\.|next (regular|screening)|keep (on|watching)",
    re.IGNORECASE,
)
COLOURS = {"soon": "#9a6700", "urgent": "#bc4c00"}


def advices_of(task: ImageTask) -> Iterator[tuple[str, Advice, str]]:
    """(field, advice, colour of its level) of all that is said in place of a class's own text."""
    yield from ((f"findings.{f.code}.open", f.open, COLOURS[f.open_level]) for f in task.findings)
    yield from (("undecided", task.undecided, COLOURS["soon"]), ("weak_evidence", task.weak_evidence, COLOURS["soon"]))


def own_sentences(task: ImageTask) -> Iterator[str]:
    """The sentences that no other finding and no other task says too."""
    for _, advice, _ in advices_of(task):
        yield from (advice.message, advice.action)
    for finding in task.findings:
        yield finding.suspected
        yield from [finding.never_ruled_out] if finding.never_ruled_out else []
    yield from (task.unsettled.staging, task.unsettled.treatment)


def sentences(task: ImageTask) -> list[str]:
    return [*own_sentences(task), *(action for _, advice, _ in advices_of(task) for action in advice.actions)]


def test_what_is_looked_for_and_how_little_of_it_may_be_ruled_out() -> None:
    lung = ("adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma")
    expected = {
        "brain-mri": [("tumour", ("glioma", "meningioma", "pituitary_tumor"), 0.95)],
        "breast": [("suspicious_lesion", ("birads_4", "birads_5", "birads_6"), 0.95)],
        "heart": [
            ("infarction", ("mi",), 0.97),
            ("st_t_change", ("sttc",), 0.95),
            ("conduction_disturbance", ("cd",), 0.95),
            ("hypertrophy", ("hyp",), 0.95),
        ],
        "histopathology": [("malignant", ("malignant",), 0.95)],
        "lung-ct": [("lung_cancer", lung, 0.97)],
        "mammogram": [("cancer", ("cancer",), 0.95)],
        "skin": [("melanoma", ("mel",), 0.97), ("other_skin_cancer", ("akiec", "bcc"), 0.95)],
        "xray": [("pneumonia", ("pneumonia",), 0.95)],
    }
    found = {t.id: [(f.code, f.classes, f.min_sensitivity) for f in t.findings] for t in load_image_tasks()}
    assert {task_id: found[task_id] for task_id in expected} == expected
    urgent = {f.code for task in load_image_tasks() for f in task.findings if f.open_level == "urgent"}
    assert urgent == {"infarction"}
    assert {task.id for task in load_image_tasks() for f in task.findings if f.never_ruled_out} == {"mammogram"}
    assert [d.min_specificity for d in image_task("xray").datasets] == [0.98, None]


@each_image_task
def test_texts_are_whole_sentences_and_labels_are_none(task: ImageTask) -> None:
    for text in sentences(task):
        assert re.match(r"[A-Z].*[.]$", text), text
        assert not re.search(r"\s{2}|\s[.,;:]|\.\.|\bTODO\b|[<>{}]", text), text
    for label in (label for _, advice, _ in advices_of(task) for label in (advice.title, advice.timeline)):
        assert re.match(r"[A-Z].*[^.]$", label), label
        assert len(label) <= 80, label


@each_image_task
def test_every_advice_names_something_to_do(task: ImageTask) -> None:
    for field, advice, colour in advices_of(task):
        assert len(advice.actions) >= 3, field
        assert len(set(advice.actions)) == len(advice.actions), field
        assert all(15 <= len(action) <= 200 for action in advice.actions), field
        assert advice.color == colour, field


def test_nothing_is_copied_from_one_finding_to_another() -> None:
    counts: Counter[str] = Counter()
    for task in load_image_tasks():
        counts.update(own_sentences(task))
        counts.update(advice.title for _, advice, _ in advices_of(task))
    assert [text for text, count in counts.items() if count > 1] == []


@each_image_task
def test_no_calm_word_stands_beside_an_open_or_suspected_finding(task: ImageTask) -> None:
    told = [*sentences(task), *(f"{advice.title}; {advice.timeline}" for _, advice, _ in advices_of(task))]
    grave = {code for finding in task.findings for code in finding.classes}
    for severity in {c.severity for c in task.classes if c.code in grave}:
        advice = task.recommendations[severity]
        told += [advice.title, advice.message, *advice.actions]
    assert [text for text in told if CALM.search(text)] == []


@each_image_task
def test_an_open_finding_is_named_and_no_graver_than_a_suspected_one(task: ImageTask) -> None:
    for finding in task.findings:
        assert re.match(r"[a-zA-Z].*[^.]$", finding.name), finding.code
        for text in (finding.open.title, finding.open.action):
            assert finding.name.lower() in text.lower(), text
            assert "not ruled out" in text, text
        assert "suspected" in finding.suspected, finding.code
        suspected = {c.severity for c in task.classes if c.code in finding.classes}
        allowed = {"high", "critical"} if finding.open_level == "urgent" else {"moderate", "high", "critical"}
        assert suspected <= allowed, f"{finding.code}: acted on later when suspected than while open"


@each_image_task
def test_where_nothing_can_be_said_somebody_is_named_who_looks(task: ImageTask) -> None:
    reader = r"\b(read|examined) by (a |an |the )?\w+"
    assert task.undecided.message.startswith("No statement can be made on this ")
    assert "cannot be leant on" in task.weak_evidence.title
    assert "do not go by this answer" in task.weak_evidence.action
    for advice in (task.undecided, task.weak_evidence):
        assert re.search(reader, advice.message), advice.message
        assert re.search(reader, advice.action), advice.action
    assert task.unsettled.staging.startswith(("No ", "Neither ", "Nothing ")), task.unsettled.staging
    assert task.unsettled.treatment.startswith("No treatment is named: "), task.unsettled.treatment


def test_findings_share_no_class_and_have_one_each_of_several_labels() -> None:
    one, two = made_finding("one", ["a"]), made_finding("two", ["a", "b"])
    with pytest.raises(ValueError, match=r"findings\.two: a is in another finding too"):
        check_findings([one, two], ("a", "b", "c"), multi_label=False)
    with pytest.raises(ValueError, match=r"findings\.two: one class only in a multi_label task"):
        check_findings([two], ("a", "b", "c"), multi_label=True)
    with pytest.raises(ValueError, match="findings: two have the same code"):
        check_findings([one, made_finding("one", ["b"])], ("a", "b", "c"), multi_label=False)
