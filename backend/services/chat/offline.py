"""Replies without any language model: what a question asks for is looked up and said with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.services.chat.library import Library
from backend.services.chat.passages import Passage, ToldResult, passages_of_result
from backend.services.chat.words import alike, chat_language, words_of
from ml_model.tasks.triage_scale import AT_LEAST, LEVELS

_TOPICS: dict[str, tuple[str, ...]] = {
    "meaning": ("headline", "class", "settled", "findings", "abnormal", "triage"),
    "danger": ("headline", "findings", "abnormal", "triage"),
    "next": ("triage", "actions"),
    "treatment": ("treatment",),
    "prognosis": ("headline", "stage"),
    "certainty": ("class", "settled", "findings", "figures", "set", "evidence"),
    "figures": ("figures", "evidence"),
    "where": ("where",),
    "quality": ("quality",),
    "measure": ("measurements", "abnormal"),
    "factors": ("factors", "missing"),
    "model": ("evidence", "trained"),
}
_WHOLE = ("privacy", "medicine", "change", "greeting", "thanks")  # answered by one sentence of the chat's own
_NARROWED = ("certainty", "figures", "measure")  # to what the question names
_SYMPTOM_TOPICS = ("triage", "conditions", "understood")
_SYMPTOMS_FOLLOW = {"next": ("triage", "care"), "certainty": ("conditions", "set"), "treatment": ("care",)}
_MOST_INTENTS, _MOST_OF_TOPIC = 2, 6
_OF_MODELS = {"figures", "model"}
_SMALL_TALK = {"greeting", "thanks"}


@dataclass
class Writer:
    """A reply on its way: sentences, and the passages that they rest on, each numbered once."""

    paragraphs: list[str] = field(default_factory=list)
    cited: list[Passage] = field(default_factory=list)

    def say(self, name: str, **given: object) -> None:
        """A sentence of the chat's own."""
        self.paragraphs.append(chat_language().says[name].format(**given))

    def number(self, passage: Passage) -> int:
        """Under which a passage is cited."""
        if passage not in self.cited:
            self.cited.append(passage)
        return self.cited.index(passage) + 1

    def cite(self, passages: Iterable[Passage], lead: str = "") -> None:
        """What passages say, in one paragraph; what stands there already is not said again. lead: a sentence of the
        chat's own before it."""
        said = {p.text for p in self.cited}
        new = {p.text: p for p in reversed([*passages]) if p.text not in said}
        told = [f"{p.text} [{self.number(p)}]" for p in reversed(new.values())]
        if told:
            self.paragraphs.append(" ".join([*([chat_language().says[lead]] if lead else []), *told]))

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs)


@dataclass(frozen=True)
class Case:
    """One result that is talked about. heading: which, where there are several."""

    result: ToldResult
    heading: str = ""


def answer(
    question: str, cases: Sequence[Case], symptoms: ToldResult | None, library: Library, writer: Writer, *,
    flagged: bool = False,
) -> None:  # fmt: skip
    """Write what is known about a question. flagged: whether red flags were told of before, so that the question may
    be no question."""
    language = chat_language()
    intents = language.asked(question)
    if language.tells(question, "fear"):
        writer.say("fear" if cases else "fear_without_result")
    for case in cases:
        if case.heading:
            writer.paragraphs.append(case.heading)
        _of_case(question, intents, case.result, library, writer, flagged=flagged)
    if symptoms is not None:
        _of_symptoms(question, intents, symptoms, writer)
    if not cases and symptoms is None:
        _of_nothing(question, intents, library, writer)


def _of_case(
    question: str, intents: Sequence[str], result: ToldResult, library: Library, writer: Writer, *, flagged: bool
) -> None:  # fmt: skip
    if result.demo_mode:
        writer.say("no_example")
        return
    passages, before = passages_of_result(result), len(writer.paragraphs)
    chosen = [name for name in intents if name not in _SMALL_TALK][:_MOST_INTENTS]
    if defined := chat_language().defined(question):
        writer.paragraphs += defined
        chosen = []
    if result.abstained and chosen:
        writer.say("abstained")
    named = [] if defined else library.terms(question, result.model.task)
    _say_terms(question, named, passages, result, writer, asked=not chosen and not flagged)
    for name in chosen:
        _intent(name, question, result, passages, library, writer)
    if len(writer.paragraphs) == before and chosen:
        writer.say("not_in_result")
    elif len(writer.paragraphs) == before and not flagged:
        _found_or_unknown(question, intents, passages, result, library, writer)
    if LEVELS.index(result.triage.level) >= LEVELS.index(AT_LEAST) and "triage" not in {p.topic for p in writer.cited}:
        writer.cite(_of_topics(passages, ("triage",)), "still")
    if chosen in (["meaning"], ["danger"]):
        writer.say("ask_more")


def _say_terms(
    question: str, named: Sequence[Passage], passages: Sequence[Passage], result: ToldResult, writer: Writer, *,
    asked: bool,
) -> None:  # fmt: skip
    """A class that is asked for by name: how probable it is here, and what it is. asked: whether nothing else is."""
    own = [p for p in named if p.of == result.model.task and p.source == "task"]
    codes = {p.field.removeprefix("classes.") for p in own}
    findings = [p for p in _of_topics(passages, ("findings",)) if _named_finding(p, codes, result)]
    here = [p for p in passages if p.topic == "each" and p.field.removeprefix("all_predictions.") in codes]
    if not result.abstained and (asked or findings):
        writer.cite(findings or here)
        writer.cite([p for p in _of_topics(passages, ("figures",)) if _named_finding(p, codes, result)])
    if asked or chat_language().tells(question, "asking"):
        of_conditions = [p for p in named if p.source == "condition"]
        if named and not own and result.all_predictions:
            writer.say("not_among", classes=", ".join(one.name for one in result.all_predictions))
        writer.cite((of_conditions or own or list(named))[:1])


def _named_finding(passage: Passage, codes: set[str], result: ToldResult) -> bool:
    """Whether a statement is of a finding that one of these classes is in."""
    return any(
        codes & set(one.classes) and passage.field.startswith(f"findings.{one.code}.") for one in result.findings
    )


def _intent(
    name: str, question: str, result: ToldResult, passages: Sequence[Passage], library: Library, writer: Writer
) -> None:
    if name in _WHOLE:
        general = name == "medicine" and result.settled and bool(_of_topics(passages, ("treatment",)))
        writer.say("medicine_no_result" if name == "medicine" and not general else name)
        name = "treatment" if general else name
    if name == "prognosis" and not result.settled:
        writer.say("no_stage")
    for topic in _TOPICS.get(name, ()):
        lead = "general_treatment" if topic == "treatment" and result.settled else ""
        writer.cite(_narrowed(question, _of_topics(passages, (topic,)), name)[:_MOST_OF_TOPIC], lead)
    if name == "figures" and not _of_topics(passages, ("figures",)):
        writer.cite(library.tested(result.model.task))
    if name == "model":
        writer.cite(library.search(question, [result.model.task], ("card", "task"), most=4))


def _of_topics(passages: Sequence[Passage], topics: Sequence[str]) -> list[Passage]:
    return [p for topic in topics for p in passages if p.topic == topic]


def _narrowed(question: str, passages: list[Passage], intent: str) -> list[Passage]:
    """To what a question names, where it names something of these; how bad a result is, is not told by halves."""
    if intent not in _NARROWED:
        return passages
    return [p for p in passages if _names(question, f"{p.field} {p.text.partition(':')[0]}")] or passages


def _names(question: str, text: str) -> bool:
    """Whether a word of the question, other than small and general ones, stands in a name."""
    general = {"findings", "measurements", "state", "sensitivity", "model", "ruled", "rate", "interval"}
    told = [w for w in words_of(text.replace("_", " ").replace(".", " ")) if w not in general]
    return any(alike(word, one) for word in chat_language().content(question) for one in told if word not in general)


def _found_or_unknown(
    question: str, intents: Sequence[str], passages: Sequence[Passage], result: ToldResult, library: Library,
    writer: Writer,
) -> None:  # fmt: skip
    if small := [name for name in intents if name in _SMALL_TALK]:
        writer.say(small[0])
        return
    content = chat_language().content(question)
    # What is said of treatment in general answers no other question.
    fitting = [
        p
        for p in passages
        if p.topic != "treatment" and content and sum(_names(word, p.text) for word in content) >= len(content) / 2
    ]
    found = fitting[:2] or library.search(question, [result.model.task])
    if found:
        writer.cite(found)
    else:
        writer.say("unknown")
        writer.say("ask_about")


def _of_symptoms(question: str, intents: Sequence[str], told: ToldResult, writer: Writer) -> None:
    passages = passages_of_result(told)
    follow = next((_SYMPTOMS_FOLLOW[name] for name in intents if name in _SYMPTOMS_FOLLOW), None)
    if "medicine" in intents:
        writer.say("medicine_no_result")
    for topic in follow or _SYMPTOM_TOPICS:
        writer.cite(_of_topics(passages, (topic,)))
    if told.abstain_reasons:
        writer.cite([p for p in passages if p.field == "prediction.abstain_reason"])
    if told.something_else and told.prediction and told.something_else > (told.prediction.confidence or 0):
        writer.say("symptoms_something_else")


def _of_nothing(question: str, intents: Sequence[str], library: Library, writer: Writer) -> None:
    """No result, no symptoms."""
    if defined := chat_language().defined(question):
        writer.paragraphs += defined
        return
    for name in [name for name in intents if name in _WHOLE and name not in _SMALL_TALK][:1]:
        writer.say("medicine_no_result" if name == "medicine" else name)
        return
    named = library.terms(question)
    task = library.task_of(question)
    if task and _OF_MODELS & set(intents):
        found = library.tested(task) if "figures" in intents else []
        found = found or library.search(question, [task], ("card", "task"), most=4)
    else:
        named.sort(key=lambda p: p.source != "condition")
        found = named[:1] or ([] if intents else library.search(question))
    if found:
        writer.cite(found)
        writer.say("ask_symptoms")
    elif set(intents) & set(_TOPICS):
        writer.say("ask_which")
        writer.say("ask_symptoms")
    elif set(intents) & _SMALL_TALK:
        writer.say("greeting" if "greeting" in intents else "thanks")
        if "greeting" in intents:
            writer.say("greeting_no_result")
    else:
        writer.say("unknown_no_result")
        writer.say("greeting_no_result")
