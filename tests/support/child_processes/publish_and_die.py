"""Puts bundles over one another and is killed at it; a process of its own.

`publish_and_die.py FOLDER N`: one bundle over the one in FOLDER, killed before its Nth change of the disk.
`publish_and_die.py FOLDER`: one after the other, for ever, until somebody kills it.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from ml_model.inference.bundle import Bundle, write_bundle
from ml_model.inference.measured import ImageMetrics
from ml_model.inference.publishing import fresh_draft, publish

NAMES = ["card.md", "familiarity.npz", "model.onnx"]
CONTRACT = "c" * 64


def draft(folder: Path, version: str) -> Path:
    """The next bundle: every file holds its version, but the second, which never changes."""
    made = fresh_draft(folder)
    for name in NAMES:
        (made / name).write_text("the same" if name == NAMES[1] else f"{name} of {version}")
    fields: dict[str, Any] = dict.fromkeys(("trained_on", "licence", "evidence", "created", "git_commit"), "x")
    fields |= dict.fromkeys(("library_versions", "recipe", "data_fingerprints"), {})
    fields["metrics"] = ImageMetrics()
    write_bundle(made, {**fields, "task": "skin", "version": version, "classes": ("a",), "seed": 0,
                        "contract_sha256": CONTRACT}, NAMES)  # fmt: skip
    return made


def whole(bundle: Bundle) -> bool:
    """Whether every file is that of the manifest's version."""
    version, texts = bundle.manifest.version, [bundle.file(name).read_text() for name in NAMES]
    return texts == [f"{NAMES[0]} of {version}", "the same", f"{NAMES[2]} of {version}"]


def die_before(change: int) -> None:
    """Kill this process instead of its `change`th renaming or removal of something."""
    counted = itertools.count(1)

    def counting(function: Any) -> Any:
        def counted_one(*arguments: Any, **options: Any) -> Any:
            if next(counted) == change:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return counted_one

    Path.replace = counting(Path.replace)  # type: ignore[method-assign]
    Path.unlink = counting(Path.unlink)  # type: ignore[method-assign]
    shutil.rmtree = counting(shutil.rmtree)


def main() -> None:
    """As the arguments say."""
    folder = Path(sys.argv[1])
    if len(sys.argv) == 3:
        made = draft(folder, "new")
        die_before(int(sys.argv[2]))
        publish(made, folder)
        return
    for number in itertools.count():
        publish(draft(folder, str(number)), folder)
        print(number, flush=True)


if __name__ == "__main__":
    main()
