"""A bundle takes the place of another one whole or not at all, whenever the process is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_processes.publish_and_die import CONTRACT, NAMES, draft, whole
from samples import SUPPORT

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle, load_bundle
from ml_model.inference.publishing import publish

SCRIPT = str(SUPPORT / "child_processes" / "publish_and_die.py")


def loaded(folder: Path) -> Bundle:
    return load_bundle(folder, task="skin", contract_sha256=CONTRACT)


@pytest.mark.parametrize("first", [True, False], ids=["first", "over another"])
def test_killed_before_any_of_its_steps_it_leaves_the_old_or_the_new_bundle(first: bool, tmp_path: Path) -> None:
    versions = []
    for change in range(1, 20):
        folder = tmp_path / str(change)
        folder.mkdir()
        (folder / "log.csv").write_text("1")
        if not first:
            publish(draft(folder, "old"), folder)
        child = subprocess.run([sys.executable, SCRIPT, str(folder), str(change)], check=False, timeout=120)
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL
        if first and not (folder / "manifest.json").is_file():
            with pytest.raises(BundleInvalid, match=r"no manifest\.json"):
                loaded(folder)
            versions.append("none")
        else:
            assert whole(loaded(folder))
            versions.append(loaded(folder).manifest.version)
        publish(draft(folder, "third"), folder)
        assert (whole(loaded(folder)), loaded(folder).manifest.version) == (True, "third")
        assert sorted(path.name for path in folder.iterdir()) == sorted([*NAMES, "log.csv", "manifest.json"])
    else:
        pytest.fail("it never came to its end")
    before, after = ("none" if first else "old"), "new"
    assert versions == [before] * versions.count(before) + [after] * versions.count(after)
    assert min(versions.count(before), versions.count(after)) >= 4


def test_killed_at_random_it_leaves_a_whole_bundle(tmp_path: Path) -> None:
    rng = random.Random(0)
    for _ in range(5):
        child = subprocess.Popen([sys.executable, SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, encoding="utf-8")
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.uniform(0, 0.1))
        child.kill()
        child.communicate(timeout=60)
        assert whole(loaded(tmp_path))


def test_a_draft_without_one_of_its_files_changes_nothing(tmp_path: Path) -> None:
    publish(draft(tmp_path, "old"), tmp_path)
    made = draft(tmp_path, "new")
    (made / NAMES[-1]).unlink()
    with pytest.raises(FileNotFoundError):
        publish(made, tmp_path)
    assert (whole(loaded(tmp_path)), loaded(tmp_path).manifest.version) == (True, "old")


def test_the_disk_has_the_files_before_their_names_and_their_names_before_the_manifest_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut may undo is what was not synced: so a name may only be given to what is."""
    publish(draft(tmp_path, "old"), tmp_path)
    made, steps = draft(tmp_path, "new"), []
    rename, fsync = Path.replace, os.fsync

    def renaming(source: Path, target: Path) -> Path:
        steps.append(("named", source.name, target.name))
        return rename(source, target)

    def syncing(descriptor: int) -> None:
        steps.append(("synced", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name, ""))
        fsync(descriptor)

    monkeypatch.setattr(Path, "replace", renaming)
    monkeypatch.setattr(os, "fsync", syncing)
    publish(made, tmp_path)
    manifest = steps.index(("named", "manifest.json", "manifest.json"))
    for name in [*NAMES, "manifest.json"]:
        named = next(i for i, step in enumerate(steps) if step[:2] == ("named", name))
        assert ("synced", name, "") in steps[:named], name
    waiting = max(i for i, step in enumerate(steps[:manifest]) if step[0] == "named")
    assert ("synced", tmp_path.name, "") in steps[waiting:manifest], "the names of what waits"
    assert steps[manifest + 1] == ("synced", tmp_path.name, ""), "the manifest's name, before anything of the old goes"
    assert (whole(loaded(tmp_path)), loaded(tmp_path).manifest.version) == (True, "new")
