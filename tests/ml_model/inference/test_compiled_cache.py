"""A compiled graph on the disk is believed if its hash is right, made again if not, and done without if need be."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from child_processes.compile_there import noise
from samples import ROOT, SUPPORT

from ml_model.inference import compiled_cache
from ml_model.inference.bundle import Bundle
from ml_model.inference.compiled_cache import DIGEST_BYTES, CompiledCache
from ml_model.inference.predictor import Predictor
from ml_model.tasks.registry import load_image_tasks

TASK = load_image_tasks()[0]
Told = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: Callable[..., Bundle]) -> Bundle:
    return write_tiny_bundle(TASK, tmp_path_factory.mktemp("bundle"))


def opened(bundle: Bundle, folder: Path) -> tuple[bytes, Told]:
    """What a predictor with a cache there answers, and what the cache told."""
    told: Told = []
    cache = CompiledCache(folder, lambda *said: told.append(said))
    found = Predictor(bundle, engine="openvino", cache=cache).predict(noise(bundle))
    return found.probabilities.tobytes() + found.activation_maps.tobytes(), told


def only_file(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_the_second_start_reads_what_the_first_one_wrote_and_answers_bit_for_bit_alike(
    bundle: Bundle, tmp_path: Path
) -> None:
    plain = Predictor(bundle, engine="openvino").predict(noise(bundle))
    first, second = opened(bundle, tmp_path / "made" / "here"), opened(bundle, tmp_path / "made" / "here")
    assert (first[1], second[1]) == ([(TASK.id, "written", "")], [(TASK.id, "read", "")])
    assert first[0] == second[0] == plain.probabilities.tobytes() + plain.activation_maps.tobytes()


def flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 4
    path.write_bytes(content)


def swapped(path: Path) -> None:
    """What another engine made, under this one's name, whole and with its hash."""
    there = CompiledCache(path.parent)
    there.write("other", "another engine", path.read_bytes()[DIGEST_BYTES:])
    next(path.parent.glob("other-*")).replace(path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "its hash": (lambda path: flip(path, 0), "SHA-256 differs"),
    "a bit in the middle": (lambda path: flip(path, 0.5), "SHA-256 differs"),
    "the last bit": (lambda path: flip(path, 1 - 1e-9), "SHA-256 differs"),
    "cut off": (lambda path: os.truncate(path, path.stat().st_size // 2), "SHA-256 differs"),
    "empty": (lambda path: os.truncate(path, 0), "SHA-256 differs"),
    "another's": (swapped, "SHA-256 differs"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "it is no ordinary file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_graph_is_told_removed_and_made_again(bundle: Bundle, tmp_path: Path, damage: str) -> None:
    sound, _ = opened(bundle, tmp_path)
    DAMAGES[damage][0](only_file(tmp_path))
    found, told = opened(bundle, tmp_path)
    assert (found, told) == (sound, [(TASK.id, "damaged", DAMAGES[damage][1]), (TASK.id, "written", "")])
    assert opened(bundle, tmp_path) == (sound, [(TASK.id, "read", "")])
    assert len(list(tmp_path.iterdir())) == 1


def test_a_graph_that_the_engine_does_not_take_is_made_again(bundle: Bundle, tmp_path: Path) -> None:
    """Its hash is right, and yet it is none."""

    class Forger(CompiledCache):
        def write(self, name: str, made_of: str, graph: bytes) -> None:
            super().write(name, made_of, b"no graph" + graph[8:])

    Predictor(bundle, engine="openvino", cache=Forger(tmp_path))
    _, told = opened(bundle, tmp_path)
    assert [outcome for _, outcome, _ in told] == ["damaged", "written"]
    assert told[0][2].startswith("the engine does not take it")


def in_place(path: Path) -> Path:
    path.write_bytes(b"a file")
    return path


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        (lambda root: in_place(root / "file"), "File exists"),
        (lambda root: in_place(root / "file") / "compiled", "Not a directory"),
        (lambda root: Path("/proc/nothing/compiled"), "No such file or directory"),
        (lambda root: root / ("x" * 300), "File name too long"),
    ],
    ids=["a file", "under a file", "read-only", "no name"],
)
def test_without_a_folder_the_model_answers_all_the_same(
    bundle: Bundle, tmp_path: Path, folder: Callable[[Path], Path], reason: str
) -> None:
    found, told = opened(bundle, folder(tmp_path))
    assert found == opened(bundle, tmp_path / "sound")[0]
    assert told[-1] == (TASK.id, "not_kept", reason)


def child(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SUPPORT / "child_processes" / "compile_there.py"), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")


def test_a_full_disk_leaves_nothing_half_written_and_several_processes_at_once_one_whole_file(
    bundle: Bundle, tmp_path: Path
) -> None:
    """RLIMIT_FSIZE ends a write in the middle, as a full disk does."""
    (tmp_path / "full").mkdir()
    shared = [str(bundle.path), TASK.id, str(tmp_path / "shared")]
    running = [child(*shared), child(*shared), child(str(bundle.path), TASK.id, str(tmp_path / "full"), "2000")]
    said = [process.communicate(timeout=120)[0].split("|") for process in running]
    answers, outcomes = {line[0] for line in said}, [line[1].strip() for line in said]
    assert len(answers) == 1
    assert set(outcomes[:2]) <= {"written", "read"}
    assert outcomes[2] == "not_kept: File too large"
    assert list((tmp_path / "full").iterdir()) == []
    assert opened(bundle, tmp_path / "shared")[1] == [(TASK.id, "read", "")]
    assert len(list((tmp_path / "shared").iterdir())) == 1


def test_without_a_free_descriptor_a_whole_graph_is_not_thrown_away(tmp_path: Path) -> None:
    told: Told = []
    cache, taken = CompiledCache(tmp_path, lambda *said: told.append(said)), []
    cache.write("model", "x", b"graph")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        assert cache.read("model", "x") is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)
    assert told == [("model", "written", ""), ("model", "not_kept", "Too many open files")]
    assert cache.read("model", "x") == b"graph"


def test_the_folder_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_cache, "MOST_FILES", 3)
    cache = CompiledCache(tmp_path)
    (tmp_path / "123.blob").touch()  # of versions without a hash
    killed, working = tmp_path / f".skin-1{compiled_cache.SUFFIX}-a", tmp_path / f".skin-2{compiled_cache.SUFFIX}-b"
    killed.touch()
    working.touch()
    os.utime(killed, (0, 0))
    for number in range(5):
        cache.write(f"model{number}", "x", b"graph")
        os.utime(next(tmp_path.glob(f"model{number}-*")), (number, number))
    left = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert left == [".skin", "model2", "model3", "model4"]
    assert working.exists()
    assert cache.read("model4", "x") == b"graph"
    assert cache.read("model0", "x") is None
