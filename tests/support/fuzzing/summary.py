"""What a campaign found, counted by format, and the failing files with how to replay them."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing.cases import Case
from fuzzing.seeds import Upload
from samples import ROOT

FINDINGS = ROOT / "fuzz-findings"


@dataclass
class Tally:
    """The cases of one format. `slowest`: seconds and the case's name."""

    ends: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    findings: int = 0

    def add(self, case: Case, end: str, seconds: float, fault: str | None) -> None:
        self.ends[end] += 1
        self.slowest = max(self.slowest, (seconds, str(case)))
        self.findings += fault is not None

    def line(self, name: str) -> str:
        """One line: cases, how they ended, the slowest, findings."""
        ends = ", ".join(f"{count} {end}" for end, count in self.ends.most_common())
        slowest = f"slowest {self.slowest[0]:.2f} s ({self.slowest[1]})" if self.slowest[1] else ""
        return f"{name:10} {self.ends.total():7} cases: {ends}; {slowest}; {self.findings} findings"


def write_finding(case: Case, upload: Upload, phase: str, fault: str) -> Path:
    """Keep a failing upload: its files, and what was wrong with it."""
    folder = FINDINGS / phase / str(case).replace(":", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in upload:
        (folder / name).write_bytes(data)
    command = shlex.join(["make", "fuzz-replay", f"CASE={folder.relative_to(ROOT)}"])
    (folder / "fault.txt").write_text(f"{case}\n{fault}\nreplay: {command}\n", encoding="utf-8")
    print(f"finding {phase} {case}: {fault.splitlines()[-1]:.200}\n  {command}", flush=True)
    return folder


def kept(folder: Path) -> tuple[Case, Upload]:
    """What `write_finding` wrote."""
    case = Case.named((folder / "fault.txt").read_text(encoding="utf-8").splitlines()[0])
    files = sorted(path for path in folder.iterdir() if path.name != "fault.txt")
    return case, tuple((path.name, path.read_bytes()) for path in files)
