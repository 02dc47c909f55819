"""All that the symptom checker knows, read together: vocabulary, conditions, red flags, words of self-harm."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ml_model.symptoms.conditions import Condition, load_conditions
from ml_model.symptoms.red_flags import RedFlagRule, load_red_flags
from ml_model.symptoms.self_harm.reader import SelfHarmReader
from ml_model.symptoms.sentences import SentenceModel
from ml_model.symptoms.vocabulary import FindingVocabulary, load_vocabulary

SELF_HARM_FILE, DANGER_FILE = "self_harm.toml", "danger.npz"
_FOLDERS = ("vocabulary", "conditions", "red_flags")


@dataclass(frozen=True)
class SymptomKnowledge:
    """danger: hears in whole sentences what no rule of `red_flags` may hold. sha256: of `knowledge_sha256`."""

    vocabulary: FindingVocabulary
    conditions: tuple[Condition, ...]
    red_flags: tuple[RedFlagRule, ...]
    self_harm: SelfHarmReader
    danger: SentenceModel
    sha256: str


def load_knowledge(tasks_dir: Path) -> SymptomKnowledge:
    """Of the folders `vocabulary`, `conditions` and `red_flags` beside the task files. Raises ValueError for what does
    not fit together, OSError for a file that is not there."""
    vocabulary = load_vocabulary(tasks_dir / "vocabulary")
    return SymptomKnowledge(
        vocabulary,
        load_conditions(tasks_dir / "conditions", vocabulary),
        load_red_flags(tasks_dir / "red_flags" / "rules.toml", vocabulary),
        SelfHarmReader.from_file(tasks_dir / "red_flags" / SELF_HARM_FILE),
        SentenceModel.read(tasks_dir / "red_flags" / DANGER_FILE),
        knowledge_sha256(tasks_dir),
    )


def knowledge_sha256(tasks_dir: Path) -> str:
    """Of those files that conditions and urgencies follow from, without reading what they say; words of self-harm are
    found apart from both."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((tasks_dir / folder).glob("*.toml")):
            if path.name == SELF_HARM_FILE:
                continue
            digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
