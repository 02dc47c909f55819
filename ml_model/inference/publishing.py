"""A new bundle in the place of an old one: who reads meanwhile, and whatever happens, has one of the two, whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from ml_model.inference.bundle import MANIFEST, WAITING, Manifest, waiting_file
from ml_model.inference.files import sync

DRAFT = "draft"


def draft_of(path: Path) -> Path:
    """Where the next bundle for the folder `path` is made."""
    return path / DRAFT


def fresh_draft(path: Path) -> Path:
    """The same, as an empty folder."""
    draft = draft_of(path)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    return draft


def publish(draft: Path, path: Path) -> None:
    """Move the bundle in `draft` into `path`, on the same file system, over the one that may be there.

    Killed at any moment, and after a power cut, it leaves the old bundle or the new one, whole: the files wait under
    names of their own until the new manifest has replaced the old one, in one step, and whoever reads a bundle takes
    what waits for it. The disk is made to keep the files before their names, and their names before the manifest's.
    """
    manifest = Manifest.model_validate_json((draft / MANIFEST).read_bytes())
    _settle(path)
    for name in (*manifest.files, MANIFEST):
        sync(draft / name)
    for name, sha256 in manifest.files.items():
        (draft / name).replace(waiting_file(path, name, sha256))
    sync(path)
    (draft / MANIFEST).replace(path / MANIFEST)
    sync(path)
    _settle(path)
    shutil.rmtree(draft)


def _settle(path: Path) -> None:
    """Finish what a killed `publish` began: what waits for the manifest that is there moves in, the rest goes."""
    try:
        files = Manifest.model_validate_json((path / MANIFEST).read_bytes()).files
    except (FileNotFoundError, ValidationError):
        files = {}
    for name, sha256 in files.items():
        if (waiting := waiting_file(path, name, sha256)).is_file():
            waiting.replace(path / name)
    for left in path.glob(f"{WAITING}*"):
        left.unlink()
