"""What is written down about tasks, models and conditions, found by BM25 (SQLite's FTS5, in memory)."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backend.services.chat.passages import Passage, Source, in_brackets
from backend.services.chat.words import alike, chat_language, words_of
from backend.services.loading.bundles import Task
from backend.services.loading.models import ModelStore
from backend.services.rendering.catalogue import card_markdown
from ml_model.symptoms.conditions import Condition
from ml_model.symptoms.engine import shipped_knowledge
from ml_model.tasks.registry import ImageTask

_LEAST_SHARE = 0.6  # of a question's words that must stand in what answers it
_MOST_WORDS = 24
_ACRONYM = 4  # letters up to which a name may be one
_FIGURES, _MOST_ROWS = "Test figures: ", 4
_OF_MAKING = ("Reporting checklist", "Files", "Provenance")  # sections of a card that tell nothing of results
_SEARCH = "SELECT rowid FROM told WHERE told MATCH ? ORDER BY bm25(told, 4, 1) LIMIT 200"  # names count fourfold
_SPLIT = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_CARE = {
    "emergency": "an emergency", "urgent": "to be seen today", "soon": "to be seen in the next days",
    "routine": "to be seen at the next visit", "self_care": "mostly managed at home",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A passage and the names that it goes by, which count more than its text."""

    passage: Passage
    names: str


class Library:
    """Made of the task files, the conditions of the symptom checker and the cards of the models that are loaded. Safe
    to use from several threads."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models
        self._using = threading.Lock()
        self._entries: list[Entry] = []
        self._filled: dict[str, str] = {}  # by task: the model whose card is in it
        self._terms: dict[tuple[str, ...], list[int]] = {}
        self._link: sqlite3.Connection | None = None

    def search(
        self, question: str, of: Iterable[str] = (), sources: Iterable[Source] = (), most: int = 3
    ) -> list[Passage]:
        """The passages that fit a question best, perhaps none. of: ids of tasks or conditions; sources: which; both
        empty: any."""
        asked = chat_language().content(question)[:_MOST_WORDS]
        if not asked:
            return []
        wanted, kinds = set(of), set(sources)
        more = chat_language().further
        with self._using:
            link, found = self._opened(), list[Passage]()
            # Words only, each quoted: nothing of a question is an operator of the search.
            query = " OR ".join(f'"{word}"' for one in asked for word in (one, *more.get(one, ())))
            for (number,) in link.execute(_SEARCH, [query]):
                entry = self._entries[number - 1]
                passage = entry.passage
                if wanted and passage.of not in wanted or kinds and passage.source not in kinds:
                    continue
                if _share(asked, f"{entry.names} {passage.text}") >= _LEAST_SHARE:
                    found.append(passage)
                if len(found) == most:
                    break
        return found

    def tested(self, task_id: str) -> list[Passage]:
        """The first rows of figures in a model's card."""
        with self._using:
            self._opened()
            own = [e.passage for e in self._entries if e.passage.of == task_id and e.passage.source == "card"]
        return [p for p in own if p.text.startswith(_FIGURES)][:_MOST_ROWS]

    def task_of(self, question: str) -> str | None:
        """The task whose title or id a question has most words of; None where it has none."""
        language = chat_language()
        asked, tasks = language.content(question), self._models.tasks.values()
        names = {task.id: language.content(f"{task.title} {task.id}") for task in tasks}
        shares = {id_: sum(any(alike(word, one) for one in own) for word in asked) for id_, own in names.items()}
        best = max(shares, key=lambda id_: shares[id_], default=None)
        return best if best and shares[best] else None

    def terms(self, question: str, of: str = "") -> list[Passage]:
        """What is written about the classes, findings and conditions that a question names, the longest name first.
        of: the task whose classes come first."""
        words = words_of(question)[:200]
        capital = {word.lower() for word in question.split() if word.strip(".,?!").isupper()}
        with self._using:
            self._opened()
            found = {
                (end - start, start): numbers
                for start in range(len(words))
                for end in range(start + 1, min(start + 6, len(words)) + 1)
                if (numbers := self._terms.get(tuple(words[start:end])))
                # "ALL" is a disease, "all" is not.
                and (end - start > 1 or len(words[start]) > _ACRONYM or words[start] in _bare(capital))
            }
            numbers = [n for _, many in sorted(found.items(), reverse=True) for n in many]
            passages = [self._entries[n].passage for n in dict.fromkeys(numbers)]
        return sorted(passages, key=lambda p: p.of != of) if of else passages

    def fill(self) -> None:
        """What the first question would wait for."""
        with self._using:
            self._opened()

    def _opened(self) -> sqlite3.Connection:
        """With everything in it that is loaded now."""
        if self._link is None:
            self._link = sqlite3.connect(":memory:", check_same_thread=False)
            self._link.execute("CREATE VIRTUAL TABLE told USING fts5(names, text, tokenize='porter unicode61')")
            self._add(_of_conditions(shipped_knowledge().conditions))
            for task in self._models.tasks.values():
                self._add(_of_task(task))
        for task in self._models.tasks.values():
            loaded = self._models.current(task.id)
            if loaded is not None and self._filled.get(task.id) is None:
                self._filled[task.id] = loaded.bundle.sha256
                self._add(_of_card(task, card_markdown(task, loaded)))
        return self._link

    def _add(self, entries: Iterable[tuple[Entry, Sequence[str]]]) -> None:
        assert self._link is not None  # noqa: S101 - made by `_opened`  # nosec B101
        for entry, terms in entries:
            self._entries.append(entry)
            row = (len(self._entries), entry.names, entry.passage.text)
            self._link.execute("INSERT INTO told(rowid, names, text) VALUES (?, ?, ?)", row)
            for term in terms:
                if key := tuple(words_of(term)):
                    self._terms.setdefault(key, []).append(len(self._entries) - 1)


def _bare(words: Iterable[str]) -> set[str]:
    return {word.strip(".,?!()") for word in words}


def _share(asked: Sequence[str], text: str) -> float:
    told = set(words_of(text))
    further = chat_language().further
    wanted = [(word, *further.get(word, ())) for word in asked]
    return sum(any(alike(word, one) for word in words for one in told) for words in wanted) / len(asked)


Named = Iterator[tuple[Entry, tuple[str, ...]]]


def _of_conditions(conditions: Iterable[Condition]) -> Named:
    for one in conditions:
        name = f"{one.name}{in_brackets(one.lay, one.name)}"
        told = f"{name}: {one.description} It is {_CARE[one.urgency]}. {' '.join(one.care)}"
        names = tuple(dict.fromkeys((one.name, one.lay, *(s for s in one.synonyms if len(s) > 2))))
        yield Entry(Passage("condition", one.id, "description", told, "term"), " ".join(names)), names


def _of_task(task: Task) -> Named:
    def told(field: str, text: str, topic: str, names: str = "") -> Entry:
        return Entry(Passage("task", task.id, field, text, topic), f"{task.title} {task.id} {names}")

    yield told("intended_use", task.intended_use, "use", "intended use purpose made for"), ()
    for number, limit in enumerate(task.limits_of_use):
        yield told(f"limits_of_use.{number}", limit, "limits", "limits limitations cannot"), ()
    if not isinstance(task, ImageTask):
        return
    if task.unmeasured_groups:
        groups = "; ".join(task.unmeasured_groups)
        yield told("unmeasured_groups", f"Not measured: {groups}.", "limits", "not measured groups bias"), ()
    for one in task.classes:
        text = f"{one.name}: {one.staging.description} {one.staging.prognosis}"
        yield told(f"classes.{one.code}", text, "term", one.name), (one.name, one.code)
    for data in task.datasets:
        text = f"{data.name}: {data.population}"
        yield told(f"datasets.{data.name}", text, "data", "data trained training people"), ()


def _of_card(task: Task, card: str) -> Named:
    """Sentences, and rows of tables with the names of their columns."""
    section, columns, told = "", list[str](), list[str]()
    for line in [*map(str.strip, card.splitlines()), ""]:
        if section.startswith(_OF_MAKING):
            told = []
        if told and (not line or line[0] in "#|-!>"):
            yield from ((_card_entry(task, section, text), ()) for text in _SPLIT.split(" ".join(told)))
            told = []
        if line.startswith("#"):
            section, columns = line.lstrip("# "), []
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not columns:
                columns = cells
            elif not set(line) <= set("|-: ") and not section.startswith(_OF_MAKING):
                text = ", ".join(f"{name} {cell}" for name, cell in zip(columns, cells, strict=False) if cell)
                yield _card_entry(task, section, f"{section}: {text}."), ()
        else:
            columns = []
            told += [line.lstrip("-> ")] if line and not line.startswith("!") else []


def _card_entry(task: Task, section: str, text: str) -> Entry:
    return Entry(Passage("card", task.id, section, text, "card"), f"{task.title} {task.id} {section}")
