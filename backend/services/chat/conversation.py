"""The way of a question: rules first, then the evidence, then the words."""

from __future__ import annotations

import functools
import uuid
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from backend.errors import NotFound, Unauthenticated
from backend.schemas.accounts import Account
from backend.schemas.chat.turns import ChatAnswer, ChatPictureAnswer, ChatQuestion, CitationAnswer
from backend.schemas.common import TriageAnswer
from backend.schemas.symptoms import QuestionAnswer
from backend.services.chat import offline
from backend.services.chat.checked import REASONS, CheckedText
from backend.services.chat.library import Library
from backend.services.chat.outward import LanguageModel, NoReply, messages_for
from backend.services.chat.passages import Passage, ToldResult, passages_of_result
from backend.services.chat.pictures import AnsweredPicture, ChatPictures, as_data_url
from backend.services.chat.symptoms import Told, listen, without_examples
from backend.services.chat.words import chat_language
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.services.records.store import RecordStore
from backend.services.rendering.messages import DISCLAIMER
from backend.services.symptoms import SymptomDiagnosis
from backend.settings.chat import ChatSettings
from backend.telemetry import RequestContext
from ml_model.errors import MediDiagnoseError
from ml_model.tasks.triage_scale import LEVELS

MOST_EVIDENCE = 80
_EARLIER_TURNS, _EARLIER_CHARACTERS = 4, 600
_FIND_MORE = 6
_OF_SYMPTOMS = {"next", "certainty", "treatment", "medicine", "meaning", "danger"}


@dataclass(frozen=True)
class Asked:
    """What one request asks. images: as sent; task: what they are of, where that is said."""

    question: ChatQuestion
    images: tuple[bytes, ...] = ()
    task: str | None = None


@dataclass(frozen=True)
class Discarded:
    """What was said so far is taken back: why, in a sentence."""

    why: str


@dataclass
class Talk:
    """One reply on its way."""

    asked: Asked
    told: Told
    cases: list[offline.Case]
    pictures: list[AnsweredPicture]
    writer: offline.Writer = field(default_factory=offline.Writer)
    provider: str = "offline"
    chat_model: str | None = None
    fallback: str | None = None
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def message(self) -> str:
        return self.asked.question.message

    @functools.cached_property
    def symptoms(self) -> ToldResult | None:
        """Of this message, or of earlier ones where a question follows them."""
        answer = self.told.answer
        if answer is None or self.told.crisis:
            return None
        intents = chat_language().asked(self.message)
        follows = not self.cases and bool(_OF_SYMPTOMS & set(intents))
        told = not self.cases or (
            chat_language().tells(self.message, "telling") and not intents and "?" not in self.message
        )
        telling = self.told.now and told and not chat_language().is_question(self.message)
        if not (follows or telling or (self.told.now and answer.red_flags)):
            return None
        return ToldResult.model_validate(without_examples(answer).model_dump(mode="json", exclude_unset=True))

    @property
    def triage(self) -> TriageAnswer | None:
        """The gravest of what is talked about."""
        if self.told.crisis and self.told.answer:
            return self.told.answer.triage
        found = [case.result.triage for case in self.cases if not case.result.demo_mode]
        found += [self.symptoms.triage] if self.symptoms else []
        return max(found, key=lambda triage: LEVELS.index(triage.level), default=None)


class Chat:
    """Answers questions. It sees the records of whoever asks, and keeps nothing but pictures' answers for an hour."""

    def __init__(
        self, models: ModelStore, images: ImageDiagnosis, symptoms: SymptomDiagnosis, records: RecordStore,
        settings: ChatSettings,
    ) -> None:  # fmt: skip
        self._symptoms = symptoms
        self._records = records
        self._pictures = ChatPictures(models, images)
        self._library = Library(models)
        self._titles = {task.id: task.title for task in models.image_tasks}
        self._model = LanguageModel(settings) if settings.base_url else None

    def prepare_library(self) -> None:
        """Put together what the first question would wait for. Of models that are loaded."""
        chat_language()
        self._library.fill()

    def answer(self, asked: Asked, account: Account | None, context: RequestContext) -> ChatAnswer:
        """The whole reply. Raises what `prepare` raises."""
        *_, last = self.reply(self.prepare(asked, account, context), context)
        assert isinstance(last, ChatAnswer)  # noqa: S101 - a reply ends with it  # nosec B101
        return last

    def prepare(self, asked: Asked, account: Account | None, context: RequestContext) -> Talk:
        """Everything that can be refused is looked at, and pictures are answered.

        Raises Unauthenticated for a record without an account, NotFound for one that is not the account's and for a
        picture that is forgotten, InvalidValue, RecordsUnavailable.
        """
        question = asked.question
        told = listen(self._symptoms, question.message, question.history, question.answers, context)
        cases = [] if told.crisis else list(self._named_cases(question, account, context))
        pictures = [] if told.crisis else [
            self._pictures.answered(number, data, asked.task, context) for number, data in enumerate(asked.images, 1)
        ]  # fmt: skip
        return Talk(asked, told, [*cases, *self._picture_cases(pictures)], pictures)

    def _named_cases(
        self, question: ChatQuestion, account: Account | None, context: RequestContext
    ) -> Iterator[offline.Case]:
        if question.prediction_id is not None:
            if account is None:
                raise Unauthenticated("a record is shown to its account alone; log in (POST /api/v1/auth/login)")
            history, record_id = self._records.open().history, uuid.UUID(question.prediction_id)
            whole = history.one(account, record_id, context.request_id)
            yield offline.Case(ToldResult.model_validate(whole.result))
        if question.case_id is not None:
            remembered = self._pictures.remembered(question.case_id, context.owner)
            if remembered is None:
                raise NotFound("this picture is not remembered any more; send it again, or name a kept prediction_id")
            yield offline.Case(remembered)

    def _picture_cases(self, pictures: Sequence[AnsweredPicture]) -> Iterator[offline.Case]:
        says = chat_language().says
        for one in pictures:
            if one.answer is not None:
                told = ToldResult.model_validate(one.answer.model_dump(mode="json", by_alias=True, exclude_unset=True))
                title = self._titles.get(one.answer.model.task, one.answer.model.task)
                yield offline.Case(told, says["picture_of"].format(number=one.number, title=title))

    def reply(self, talk: Talk, context: RequestContext) -> Iterator[str | Discarded | ChatAnswer]:
        """The reply in pieces, and at the end the whole answer."""
        writer = talk.writer
        if talk.told.crisis:
            talk.provider = "rules"
            help_ = talk.told.crisis
            writer.paragraphs += [f"{help_.title}.", help_.message, *help_.actions]
        else:
            self._say_refusals(talk)
            if talk.told.crisis_before:
                writer.say("crisis_earlier")
                writer.paragraphs += talk.told.crisis_before.actions[:3]
            self._say_red_flags(talk)
            worded = False
            if self._model and talk.provider != "rules":
                worded = yield from self._worded(talk, self._model, context)
            if worded:
                yield self._answer(talk, context)
                return
            self._put_together(talk)
        yield from (f"{paragraph}\n\n" for paragraph in talk.writer.paragraphs)
        yield self._answer(talk, context)

    def _say_refusals(self, talk: Talk) -> None:
        for one in talk.pictures:
            if one.error is not None:
                talk.writer.say("picture_refused", number=one.number, why=str(one.error))
            elif one.answer is None:
                talk.writer.say("which_kind", tasks=", ".join(self._titles))

    def _say_red_flags(self, talk: Talk) -> None:
        """By rule; no model is asked then."""
        symptoms = talk.symptoms
        if symptoms is None or not symptoms.red_flags:
            return
        talk.provider = "rules"
        talk.writer.say("red_flag_asked" if chat_language().is_question(talk.message) else "red_flag_now")
        passages = passages_of_result(symptoms)
        talk.writer.cite([p for p in passages if p.topic == "red_flags"])
        talk.writer.cite([p for p in passages if p.topic == "triage"])
        if talk.cases:
            talk.writer.say("red_flag_over_result")

    def _put_together(self, talk: Talk) -> None:
        """Without a language model."""
        flagged = talk.provider == "rules"
        emergency = flagged and talk.symptoms is not None and talk.symptoms.triage.level == "emergency"
        asked = chat_language().is_question(talk.message)
        symptoms = None if emergency or (flagged and asked) else talk.symptoms
        unread = bool(talk.pictures) and not talk.cases and not symptoms
        if talk.cases or not (unread or (emergency and not asked)):
            offline.answer(talk.message, talk.cases, symptoms, self._library, talk.writer, flagged=flagged)
        if symptoms and (questions := self._questions(talk)):
            talk.writer.say("symptoms_asked", question=questions[0].question)

    def _questions(self, talk: Talk) -> tuple[QuestionAnswer, ...]:
        return without_examples(talk.told.answer).next_questions if talk.symptoms and talk.told.answer else ()

    def _worded(
        self, talk: Talk, model: LanguageModel, context: RequestContext
    ) -> Generator[str | Discarded, None, bool]:
        """Have a language model word the reply, each sentence checked; true where it did. What it said is taken back
        where it breaks off."""
        evidence = self._evidence(talk)
        if not evidence:
            return False
        before = replace(talk.writer, paragraphs=[*talk.writer.paragraphs], cited=[*talk.writer.cited])
        for case in talk.cases:
            passages = passages_of_result(case.result)
            talk.writer.cite([p for p in passages if p.topic in ("headline", "triage")])
        if talk.symptoms:
            talk.writer.cite([p for p in passages_of_result(talk.symptoms) if p.topic == "triage"])
        talk.writer.say("of_model", model=model.settings.model)
        yield from (f"{paragraph}\n\n" for paragraph in talk.writer.paragraphs)
        level, asked = talk.triage.level if talk.triage else None, [talk.message, *self._before(talk)]
        checked = CheckedText(evidence, talk.writer.number, level, asked)
        said = list[str]()
        try:
            messages = messages_for(talk.message, self._before(talk), evidence, self._shown(talk, context))
            for sentence in checked.passed(model.pieces(messages, context.deadline - 1.0)):
                said.append(sentence)
                yield f"{sentence} "
            if not said:
                raise NoReply("nothing of what it said is borne out by the result")
        except NoReply as error:
            talk.writer, talk.fallback = before, str(error)
            talk.writer.say("fallback", why=error)
            yield Discarded(str(error))
            return False
        talk.writer.paragraphs.append(" ".join(said))
        talk.provider, talk.chat_model, talk.left_out = "model", model.settings.model, checked.left_out
        if checked.left_out:
            what = "; ".join(f"{count} {REASONS[reason]}" for reason, count in checked.left_out.items())
            talk.writer.say("left_out", what=what)
            yield f"\n\n{talk.writer.paragraphs[-1]}"
        return True

    def _evidence(self, talk: Talk) -> list[Passage]:
        found = [p for case in talk.cases if not case.result.demo_mode for p in passages_of_result(case.result)]
        found += passages_of_result(talk.symptoms) if talk.symptoms else ()
        tasks = {case.result.model.task for case in talk.cases}
        found += self._library.terms(talk.message)[:2]
        found += self._library.search(talk.message, tasks, most=_FIND_MORE)
        return list(dict.fromkeys(found))[:MOST_EVIDENCE]

    def _before(self, talk: Talk) -> list[str]:
        return [turn.content[:_EARLIER_CHARACTERS] for turn in talk.asked.question.history[-_EARLIER_TURNS:]]

    def _shown(self, talk: Talk, context: RequestContext) -> list[str]:
        return [as_data_url(one.data, context) for one in talk.pictures if one.answer is not None]

    def _answer(self, talk: Talk, context: RequestContext) -> ChatAnswer:
        flags = talk.symptoms.red_flags if talk.symptoms else ()
        cited = tuple(
            CitationAnswer(number=number, source=p.source, of=p.of, field=p.field, text=p.text)
            for number, p in enumerate(talk.writer.cited, 1)
        )
        return ChatAnswer.model_validate(
            {
                "success": True, "reply": talk.writer.text, "citations": cited, "provider": talk.provider,
                "chat_model": talk.chat_model, "fallback": talk.fallback, "left_out": dict(talk.left_out),
                "triage": talk.triage, "red_flags": flags, "questions": self._questions(talk),
                "pictures": tuple(map(_picture_answer, talk.pictures)), "request_id": context.request_id,
                "processing_ms": context.elapsed_ms(), "disclaimer": DISCLAIMER,
            }
        )  # fmt: skip


def _picture_answer(one: AnsweredPicture) -> ChatPictureAnswer:
    error: MediDiagnoseError | None = one.error
    return ChatPictureAnswer(
        number=one.number, task=one.answer.model.task if one.answer else None, case_id=one.case_id, result=one.answer,
        code=error.code if error else None, error=str(error) if error else None,
    )  # fmt: skip
