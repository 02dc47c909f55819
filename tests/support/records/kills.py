"""`make soak`: the server is killed (SIGKILL) at random moments while clients write; nothing acknowledged is lost.

    python -m records.kills [--kills 50] [--seed N]

On SQLite, then on PostgreSQL. After each kill the database and the files are looked through; in the end
`python -m backend.admin cleanup` takes what no record names. Exit code 1 on any fault, with the seed.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

from child_processes.processes import Service, one_task
from records.databases import fresh_postgres, postgres_server
from records.surviving import faults, swept
from records.writers import Caller, Told, log_in, writing

_LATEST_S = 0.6  # after a round's first answer
_FIRST_WITHIN_S = 60.0


def killed_while_writing(root: Path, address: str, kills: int, seed: int) -> tuple[Told, int, list[str]]:
    """What was told, how many files a crash had left, and every fault. address: empty for SQLite."""
    rng, told, found = random.Random(seed), Told(), list[str]()
    settings = {**one_task(root), "DATABASE_URL": address, "APP_ENV": "testing", "PYTHONDONTWRITEBYTECODE": ""}
    data_dir = Path(settings["DATA_DIR"])
    dead = []
    for _ in range(kills):
        service, unread = _killed_once(settings, told, rng)
        dead.append(service)
        found += [*unread, *faults(data_dir, address, told)]
    for service in dead:
        service.wait()
    removed, differing = swept(data_dir, address)
    found += [f"{name}: a row without its file, or a file without its row" for name in differing]
    found += faults(data_dir, address, told)
    return told, removed, found


def _killed_once(settings: dict[str, str], told: Told, rng: random.Random) -> tuple[Service, list[str]]:
    service = Service(settings)
    try:
        service.wait_ready()
        token = log_in(service.port)
        unread = _unread(service.port, token, told)
        before, until = len(told.predictions), time.monotonic() + _FIRST_WITHIN_S
        with writing(service.port, token, told, rng):
            while len(told.predictions) == before and time.monotonic() < until:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, _LATEST_S))
            service.process.kill()
    finally:
        service.process.kill()
        service.process.wait()
    return service, unread if len(told.predictions) > before else [*unread, "nothing was written"]


def _unread(port: int, token: str, told: Told) -> list[str]:
    """Of the newest that should be there, those that are not given back."""
    caller, newest = Caller(port, token), list(told.predictions)[-3:]
    given = {one: caller.call("GET", f"/history/{one}")[0] for one in newest if one not in told.doubtful}
    caller.close()
    return [f"prediction {one}: {status}" for one, status in given.items() if status != 200]


def main() -> int:
    """Print the figures; exit code 1 where anything was lost or is not whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    failed = False
    with postgres_server(keeps=True) as server:
        for name, address in (("sqlite", ""), ("postgresql", fresh_postgres(server.address))):
            with tempfile.TemporaryDirectory() as folder:
                told, removed, found = killed_while_writing(Path(folder), address, options.kills, options.seed)
            print(f"{name}: {options.kills} kills, {len(told.predictions)} predictions and {len(told.uploads)} uploads "
                  f"acknowledged, {len(told.deleted)} deleted, {told.unanswered} requests unanswered; {removed} files "
                  f"swept; {len(found)} faults", *found, sep="\n  ", flush=True)  # fmt: skip
            failed = failed or bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
