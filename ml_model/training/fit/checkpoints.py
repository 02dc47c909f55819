"""Stages of a training on disk. Each is bound to what made it: a resumed run goes on only from stages of its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from ml_model.inference.bundle import file_sha256
from ml_model.training.data.decoded_cache import data_fingerprint
from ml_model.training.data.samples import Sample

FOLDER = "checkpoints"
SHOWN = 16  # characters of a checksum in a message


class OtherTraining(ValueError):
    """What is to be resumed was made from another recipe, other data or another seed."""


@dataclass(frozen=True)
class Stage:
    """A part of a training that is kept once it is finished: a phase, a network, the gate.

    made_from: all that its weights follow from, as plain data.
    """

    folder: Path
    name: str
    made_from: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """Of the finished stage."""
        return self.folder / f"{self.name}.weights.h5"

    @property
    def best(self) -> Path:
        """The best weights so far, while it runs."""
        return self.folder / f"{self.name}-best"

    @property
    def snapshots(self) -> Path:
        """The weights after each epoch, where the recipe chooses among them."""
        return self.folder / f"{self.name}-snapshots"

    @property
    def backup(self) -> Path:
        """The state after the last epoch, while it runs."""
        return self.folder / f"{self.name}-backup"

    @property
    def _binding(self) -> Path:
        return self.folder / f"{self.name}.made_from.json"

    def check(self) -> None:
        """Raises OtherTraining where something is kept of this stage that other choices made."""
        kept = any(path.exists() for path in (self.weights, self.backup, self.best.with_suffix(".weights.h5")))
        if not self._binding.is_file():
            if kept:
                raise OtherTraining(self._said("they do not say from what"))
            return
        before, now = _leaves(json.loads(self._binding.read_text())), _leaves(self.made_from)
        changed = [
            f"{name} was {_shown(before.get(name))} and is {_shown(now.get(name))}"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
        if changed:
            raise OtherTraining(self._said("; ".join(changed)))

    def _said(self, what: str) -> str:
        return (
            f"the checkpoints of {self.name} in {self.folder} were made otherwise: {what}. Resume with the options and "
            "data of that run, start anew without --resume, or give another --out"
        )

    def bind(self) -> None:
        """Write down what makes it, before it begins."""
        self._binding.write_text(json.dumps(self.made_from, indent=1))

    def run(self, model: keras.Model, fit: Callable[[], None]) -> None:
        """Load the finished weights into the model, or fit it and keep what came of it. Raises OtherTraining."""
        self.check()
        if self.weights.is_file():
            model.load_weights(self.weights)
            return
        self.bind()
        began = time.monotonic()
        fit()
        (self.folder / f"{self.name}.minutes").write_text(f"{(time.monotonic() - began) / 60:.2f}")
        model.save_weights(self.weights)
        shutil.rmtree(self.backup, ignore_errors=True)


def open_checkpoints(out_dir: Path, *, resume: bool) -> Path:
    """The folder of the stages; empty unless a run is resumed."""
    folder = out_dir / FOLDER
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def training_minutes(out_dir: Path) -> float:
    """Minutes that the finished stages took, over all sittings but those that were killed."""
    return sum(float(path.read_text()) for path in (out_dir / FOLDER).glob("*.minutes"))


def made_from(
    recipe: Mapping[str, Any], contract_sha256: str, samples: Sequence[Sample], weights: str | None
) -> dict[str, Any]:
    """What a stage follows from: choices, input and classes, data with their splits, weights that it starts from."""
    data = {s: data_fingerprint([x for x in samples if x.source == s]) for s in sorted({x.source for x in samples})}
    starting = file_sha256(Path(weights)) if weights and Path(weights).is_file() else weights or "none"
    return {"recipe": dict(recipe), "input and classes": contract_sha256, "data": data, "starting weights": starting}


def of_stage(base: Mapping[str, Any], **recipe: Any) -> dict[str, Any]:
    """`made_from` of one stage: of the recipe, fields that are its own."""
    return {**base, "recipe": {**base["recipe"], **recipe}}


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Every plain value by its dotted path."""
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {name: value}
    return {k: v for key, inner in items for k, v in _leaves(inner, f"{name}.{key}".lstrip(".")).items()}


def _shown(value: Any) -> str:
    return "not there" if value is None else str(value)[:SHOWN]
