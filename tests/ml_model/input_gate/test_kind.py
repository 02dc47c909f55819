"""Refusals of pictures of another kind: written once from header and looks, and never in circles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import image_task

from ml_model.input_gate.kind import kind_refusal
from ml_model.input_gate.modality_classifier import Recognition, modality_spec
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.tasks.registry import ImageTask, load_image_tasks

TASKS = load_image_tasks()
KINDS = modality_spec().codes
NO_FACTS = DicomFacts(None, None, None, None, "MONOCHROME2", 1)
THRESHOLDS = dict.fromkeys(KINDS, 0.5)


def looks(expected: str, **scores: float) -> Recognition:
    return Recognition(expected, {**dict.fromkeys(KINDS, 0.0), **scores}, THRESHOLDS)


def refusal(task: ImageTask, modality: str | None, recognition: Recognition | None) -> str | None:
    return kind_refusal(task, TASKS, replace(NO_FACTS, modality=modality), recognition)


def test_header_and_looks_that_name_one_task_name_its_endpoint() -> None:
    told = refusal(image_task("xray"), "CT", looks("chest_xray", chest_ct=0.9, chest_xray=0.1))
    assert told == (
        "xray reads a frontal chest X-ray; the DICOM header says modality CT, and the picture looks like a CT slice of "
        "the chest (as a frontal chest X-ray it scores 0.100, at least 0.500 is needed): send it to /analyze/lung-ct"
    )


def test_a_picture_of_the_expected_kind_that_scores_too_low_is_not_said_to_look_like_it() -> None:
    told = refusal(image_task("xray"), None, looks("chest_xray", chest_xray=0.433, chest_ct=0.3, brain_mri=0.267))
    assert told == (
        "xray reads a frontal chest X-ray; the picture is too little like one (as a frontal chest X-ray it scores "
        "0.433, at least 0.500 is needed): send the whole picture, upright and in its own colours, or gate=warn for an "
        "answer with this warning"
    )


def test_header_and_looks_that_disagree_send_nobody_elsewhere() -> None:
    for task_id in ("lung-ct", "brain-mri"):
        task = image_task(task_id)
        told = refusal(task, "MR", looks(task.input.modality, chest_ct=0.95, brain_mri=0.05))
        assert told is not None
        assert "/analyze/" not in told
    assert "the two disagree" in str(refusal(image_task("lung-ct"), "MR", looks("chest_ct", chest_ct=1.0)))


def test_a_view_in_the_header_is_told_with_the_refusal() -> None:
    facts = replace(NO_FACTS, modality="DX", view_position="LL")
    told = kind_refusal(image_task("xray"), TASKS, facts, looks("chest_xray", other=0.9, chest_xray=0.1))
    assert "the DICOM header says view LL, and the picture looks like" in str(told)


def test_part_of_the_body_and_view_speak_against_a_task_as_the_modality_does() -> None:
    """What a header is silent of speaks against nothing, and an endpoint is named only where the whole header fits."""

    def told(task: str, **facts: str) -> str | None:
        return kind_refusal(image_task(task), TASKS, replace(NO_FACTS, **facts), None)

    assert told("xray", modality="DX", body_part="HAND", view_position="LL") == (
        "xray reads a frontal chest X-ray; the DICOM header says body part HAND and view LL: no endpoint here takes "
        "such a picture; send one of that kind, or gate=warn for an answer with this warning"
    )
    assert told("xray", modality="DX", body_part="CHEST", view_position="PA") is None
    assert told("mammogram", modality="MG", body_part="BREAST", view_position="CC", laterality="L") is None
    assert "view XCCL" in str(told("mammogram", modality="MG", view_position="XCCL"))
    assert "body part BRAIN" in str(told("lung-ct", modality="CT", body_part="BRAIN"))
    assert str(told("xray", modality="CT", body_part="CHEST")).endswith("send it to /analyze/lung-ct")
    assert "/analyze/" not in str(told("xray", modality="CT", body_part="FOOT"))
    assert told("skin", body_part="FOOT", view_position="LL") is None


def test_a_refusal_says_that_black_and_white_look_exchanged() -> None:
    seen = looks("chest_xray", breast_ultrasound=0.8, chest_xray=0.2)
    plain = refusal(image_task("xray"), None, seen)
    assert refusal(image_task("xray"), None, replace(seen, exchanged=True)) == (
        f"{plain}; with black and white exchanged it looks like a frontal chest X-ray: if it is one, send it with "
        "dark air"
    )


def test_what_is_surely_another_kind_with_black_and_white_exchanged_is_sent_to_nobody_as_it_is() -> None:
    seen = replace(looks("chest_xray", chest_xray=0.9, other=0.1), inverted_kind="breast_ultrasound")
    assert refusal(image_task("xray"), None, seen) == (
        "xray reads a frontal chest X-ray; with black and white exchanged the picture looks like an ultrasound picture "
        "of a breast: send the whole picture, upright and in its own colours, or gate=warn for an answer with this "
        "warning"
    )


@pytest.mark.parametrize("modality", ["OT", "SC", None])
def test_a_header_that_says_nothing_refuses_nothing(modality: str | None) -> None:
    assert refusal(image_task("skin"), modality, looks("dermatoscopy", dermatoscopy=0.9, other=0.1)) is None
    assert refusal(image_task("skin"), modality, None) is None


SCORES = st.lists(st.floats(0.001, 1), min_size=len(KINDS), max_size=len(KINDS))


@given(
    scores=SCORES,
    thresholds=SCORES,
    modality=st.sampled_from([None, "OT", "CT", "MR", "DX", "CR", "MG", "US", "GM", "NM"]),
)
def test_whoever_follows_a_refusal_is_not_refused_again(
    scores: list[float], thresholds: list[float], modality: str | None
) -> None:
    shares = {kind: score / sum(scores) for kind, score in zip(KINDS, scores, strict=True)}
    limits = dict(zip(KINDS, thresholds, strict=True))
    for task in TASKS:
        for looked in (Recognition(task.input.modality, shares, limits), None):
            told = refusal(task, modality, looked)
            named = [t for t in TASKS if told and told.endswith(f"send it to /analyze/{t.id}")]
            for other in named:
                assert other is not task
                there = looked and Recognition(other.input.modality, shares, limits)
                assert refusal(other, modality, there) is None
