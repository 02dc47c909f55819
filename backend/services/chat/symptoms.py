"""What somebody tells in a conversation, handed to the symptom checker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backend.schemas.chat.turns import Turn
from backend.schemas.symptoms import DiseaseAnswer
from backend.services.chat.words import chat_language, has, words_of
from backend.services.symptoms import SymptomDiagnosis
from backend.telemetry import RequestContext
from ml_model.errors import ModelUnavailable, NothingRecognised
from ml_model.inputs.tabular import DiseaseQuestion
from ml_model.symptoms.engine import shipped_knowledge
from ml_model.symptoms.self_harm.reader import SelfHarmAnswer

MOST_CHARACTERS = 5000
_SHORT_REPLY = 6  # words up to which "yes" is the answer to a question that was asked back
Given = Literal["yes", "no", "unsure"]


@dataclass(frozen=True)
class Told:
    """crisis: help for thoughts of self-harm in this message. crisis_before: the same of earlier turns. answer: of the
    checker to all that was told, None where nothing was. now: whether this message tells of it."""

    crisis: SelfHarmAnswer | None = None
    crisis_before: SelfHarmAnswer | None = None
    answer: DiseaseAnswer | None = None
    now: bool = False


def listen(
    symptoms: SymptomDiagnosis, message: str, history: Sequence[Turn], answers: Mapping[str, Given],
    context: RequestContext,
) -> Told:  # fmt: skip
    """Before anything else is asked, and whatever else the message asks for. Raises InvalidValue for an answer to an
    unknown finding."""
    reader = shipped_knowledge().self_harm
    earlier = [turn.content for turn in history if turn.role == "user"]
    before = reader.answer if any(reader.found(text) for text in earlier) else None
    alone = _checked(symptoms, _of_a_person(message), {}, context)
    if reader.found(message) or (alone is not None and _is_self_harm(alone)):
        return Told(crisis=reader.answer, answer=alone)
    given = {**_answers(message, history), **answers}
    if alone is None and not given:
        return Told(crisis_before=before, answer=_earlier(symptoms, earlier, context))
    texts = [text for text in earlier if not reader.found(text)]
    answer = _checked(symptoms, _put_together([*texts, message]), given, context)
    if answer is not None and _is_self_harm(answer):
        return Told(crisis=reader.answer, answer=answer)
    return Told(crisis_before=before, answer=answer, now=True)


def _of_a_person(message: str) -> str:
    """Without words that are of the people of a test, where it is the program that is asked about."""
    language = chat_language()
    if not language.is_question(message) or not {"model", "figures"} & set(language.asked(message)):
        return message
    lower = message.lower()
    for cue in language.lists["program"]:
        lower = lower.replace(" ".join(cue), " ")
    return lower


def _earlier(symptoms: SymptomDiagnosis, earlier: Sequence[str], context: RequestContext) -> DiseaseAnswer | None:
    """Of what was told before; nothing where that was self-harm, of which help was given."""
    found = _checked(symptoms, _put_together(earlier), {}, context) if earlier else None
    return None if found is None or _is_self_harm(found) else found


def _checked(
    symptoms: SymptomDiagnosis, text: str, answers: Mapping[str, Given], context: RequestContext
) -> DiseaseAnswer | None:
    """None where nothing of it is understood as a symptom that is there."""
    question = DiseaseQuestion.model_construct(
        symptoms=[], description=text[-MOST_CHARACTERS:], answers=dict(answers), age=None, sex=None, ranking="knowledge"
    )
    try:
        answer = symptoms.predict_disease(question, text.encode(), context)
    except (NothingRecognised, ModelUnavailable):
        return None
    told = any(one.present and not one.history for one in answer.understood) or bool(answers)
    return answer if told or answer.red_flags or _is_self_harm(answer) else None


def _is_self_harm(answer: DiseaseAnswer) -> bool:
    return any(reason.code == "self_harm" for reason in answer.triage.reasons)


def _put_together(texts: Sequence[str]) -> str:
    """The latest that fit, each a sentence of its own."""
    chosen: list[str] = []
    for text in reversed(texts):
        if sum(map(len, chosen)) + len(text) + 2 * len(chosen) > MOST_CHARACTERS:
            break
        chosen.insert(0, text.strip().rstrip("."))
    return ". ".join(chosen)


def _answers(message: str, history: Sequence[Turn]) -> dict[str, Given]:
    """Yes or no to a question that was asked back, word for word, in the turn before: of this message and of earlier
    ones."""
    asked = {finding.ask: finding.id for finding in shipped_knowledge().vocabulary.findings.values() if finding.ask}
    found: dict[str, Given] = {}
    turns = [*history, Turn.model_construct(role="user", content=message)]
    for before, now in zip(turns, turns[1:], strict=False):
        if before.role == "assistant" and now.role == "user" and (given := _given(now.content)):
            found |= {id_: given for ask, id_ in asked.items() if ask in before.content}
    return found


def _given(text: str) -> Given | None:
    words, lists = words_of(text), chat_language().lists
    if not 0 < len(words) <= _SHORT_REPLY or chat_language().is_question(text):
        return None
    kinds: tuple[Given, ...] = ("unsure", "no", "yes")
    return next((kind for kind in kinds if has(words[:3], lists[kind])), None)


def without_examples(answer: DiseaseAnswer) -> DiseaseAnswer:
    """Of an example of demo mode only what rules say: how soon, and the red flags."""
    if not answer.demo_mode:
        return answer
    return answer.model_copy(update={"top_predictions": (), "prediction": None, "next_questions": ()})
