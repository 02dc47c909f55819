"""`make fuzz`: every parser in two processes, then every format over HTTP. Exits with 1 on any finding.

python -m fuzzing.campaign [--minutes 30] [--seed N] [--only KEPT-] | --replay FOLDER
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from fuzzing.parsing import fuzz_parsers
from fuzzing.serving import fuzz_server
from fuzzing.summary import FINDINGS, Tally, kept
from fuzzing.targets import PARSERS, examined

PROCESSES = 2
_REQUESTS_PER_MINUTE = 670  # 20,000 in half an hour


def _told(phase: str, tallies: dict[str, Tally]) -> int:
    """Print a line a format; the number of findings."""
    print(f"\n{phase}")
    for name, tally in sorted(tallies.items()):
        print(tally.line(name))
    findings = sum(tally.findings for tally in tallies.values())
    print(f"{phase}: {sum(tally.ends.total() for tally in tallies.values())} cases, {findings} findings", flush=True)
    return findings


def _replayed(folder: Path) -> int:
    case, upload = kept(folder)
    if case.family not in PARSERS:
        print(f"{case}: of a request, which no parser reads alone; start the server and send {folder}")
        return 2
    outcome = examined(case, upload)
    print(f"{case}: {outcome.refused or 'answered'} in {outcome.computing_s:.2f} s, +{outcome.grown_mib:.0f} MiB")
    print(outcome.fault or "no fault")
    return int(outcome.fault is not None)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Fuzz every parser and the server.")
    parser.add_argument("--minutes", type=float, default=30, help="of computing, in the parsers")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--only", default="", help="parsers of formats whose names begin so, and no server")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help=f"a folder of {FINDINGS.name}/ once more")
    options = parser.parse_args(arguments)
    if options.replay:
        return _replayed(options.replay)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that what was started is ended
    print(f"seed {options.seed}; findings go to {FINDINGS}", flush=True)
    tallies, computed_s = fuzz_parsers(options.seed, PROCESSES, options.minutes * 60, options.only)
    findings = _told("parsers", tallies)
    print(f"parsers: {computed_s / 60:.1f} minutes of computing, seed {options.seed}", flush=True)
    if options.only:
        return int(bool(findings))
    sent, memory, is_back = fuzz_server(options.seed, max(1, round(options.minutes * _REQUESTS_PER_MINUTE)))
    findings += _told("http", sent)
    print(memory + ("" if is_back else ": a finding, it did not come back"))
    return int(bool(findings) or not is_back)


if __name__ == "__main__":
    sys.exit(main())
