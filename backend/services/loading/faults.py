"""What is wrong with models and folders: in log, counters and `/health`, without saying where they lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from backend.telemetry import Logger, Metrics
from ml_model.errors import MediDiagnoseError
from ml_model.inference.compiled_cache import Outcome

ABSOLUTE_FOLDER = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\:'\"]+[/\\])+")
OF_ALL = ""


class Faults:
    """`problems`: by name, what keeps a model from serving. `notes`: what is amiss though every answer is as ever.
    `unused_points`: by bundle, or OF_ALL, why the site's own operating points do not serve."""

    def __init__(self, folders: Iterable[Path], logger: Logger, metrics: Metrics) -> None:
        self.problems: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.unused_points: dict[str, str] = {}
        self._logger = logger
        self._metrics = metrics
        written = {form for folder in folders for form in (str(folder), str(folder.absolute()), str(folder.resolve()))}
        # The longest first, for one can lie in another.
        self._folders = sorted(written - {".", "/"}, key=len, reverse=True)

    def problem(self, name: str, error: Exception) -> str:
        """Report an error; what was said of it."""
        known = isinstance(error, MediDiagnoseError)
        message = str(error) if known else f"{name}: {type(error).__name__}: the model could not be loaded"
        message = self._without_folders(message)
        self.problems[name] = "; ".join(filter(None, (self.problems.get(name), message)))
        self._logger.error("model_problem", task=name, problem=message)
        return message

    def on_points(self, *names: str) -> str | None:
        """What answers of these bundles say where the site's own operating points do not serve."""
        return next((self.unused_points[name] for name in (OF_ALL, *names) if name in self.unused_points), None)

    def note(self, name: str, text: str) -> None:
        """Report what costs no answer."""
        self.notes[name] = self._without_folders(text)
        self._logger.warning("note", about=name, note=self.notes[name])

    def cache(self, name: str, outcome: Outcome, reason: str) -> None:
        """What became of a compiled graph, as CompiledCache tells it."""
        self._metrics.compiled_graphs.labels(outcome).inc()
        if outcome == "damaged":
            self.note(name, f"its compiled graph on the disk was damaged ({reason}): removed and made again")
        elif outcome == "not_kept" and "DATA_DIR" not in self.notes:
            self.not_kept(reason)

    def not_kept(self, reason: str) -> None:
        """The data folder takes nothing."""
        self.note("DATA_DIR", f"nothing can be kept for the next start ({reason}); models are prepared anew each time")

    def _without_folders(self, message: str) -> str:
        """Where the service is installed is nobody's business: engines quote the whole path of a file."""
        for folder in self._folders:
            message = message.replace(f"{folder}/", "").replace(folder, Path(folder).name)
        return ABSOLUTE_FOLDER.sub("", " ".join(message.split()))
