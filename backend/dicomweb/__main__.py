"""`python -m backend.dicomweb watch`, `listen`, `list` and `retry`, with the settings of the service."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, Any

from backend.app import Application, create_app
from backend.config import Config, ConfigError
from backend.dicomweb.answering import Answering
from backend.dicomweb.archive import DicomWeb
from backend.dicomweb.ledger import Entry, Ledger, State
from backend.dicomweb.watch import Watch
from backend.dicomweb.work import Steps, Work
from backend.errors import RecordsUnavailable
from backend.memory import give_large_memory_back
from backend.services.scans.series import limits_of
from backend.settings.pacs import dicomweb_url
from ml_model.errors import TaskFileInvalid

DONE, UNUSABLE = 0, 2
STATES: tuple[State, ...] = ("waiting", "answered", "stored", "skipped", "dead")
_MODELS_WITHIN_S = 600.0
_IDLE_S = 1.0


def watch(config: Config, given: argparse.Namespace) -> int:
    """Answer what is new in the archive, until told to stop."""
    pacs = replace(config.pacs, url=dicomweb_url(given.url)) if given.url else config.pacs
    config = replace(config, pacs=pacs)
    if not pacs.url:
        raise ConfigError("DICOMWEB_URL: which archive? Set it, or say --url https://name/dicom-web")
    ledger, archive = Ledger(config.data_dir), DicomWeb(pacs)
    with ledger.alone("archive"):
        app, answering, stopping = _serving(config)
        limits = limits_of(config)

        def fetch(one: Entry) -> bytes | IO[bytes]:
            if one.whole_series:
                return archive.fetch_series(one, limits, ledger.folder)
            return archive.fetch(one.study_uid, one.series_uid, one.instance_uid)

        steps = Steps(fetch, answering.results, archive.store)
        work = Work(ledger, "archive", steps, pacs, app.services.logger)
        work.sweep()
        print("watching (stop with Ctrl-C)", flush=True)
        Watch(archive, ledger, work, answering.modalities(), pacs, app.services.logger).stay(stopping, once=given.once)
        app.log.drain()
    return DONE


def listen(config: Config, _given: argparse.Namespace) -> int:
    """Answer what devices send, until told to stop."""
    from backend.dicomweb.listen import Listener, received, send_back

    pacs, ledger = config.pacs, Ledger(config.data_dir)
    store: Callable[[str, list[bytes]], None]
    if (peer := pacs.return_to) is not None:
        store = lambda _study, objects: send_back(pacs, peer, objects)  # noqa: E731
    elif pacs.url:
        store = DicomWeb(pacs).store
    else:
        raise ConfigError("DICOM_RETURN_TO, DICOMWEB_URL: where do results go? Set one of them")
    listener = Listener(ledger, pacs)
    with ledger.alone("sent"):
        app, answering, stopping = _serving(config)
        steps = Steps(lambda one: received(ledger, one), answering.results, store)
        work = Work(ledger, "sent", steps, pacs, app.services.logger)
        work.sweep()
        print(f"listening on port {listener.start()} (stop with Ctrl-C)", flush=True)
        try:
            while not stopping.is_set():
                if not work.go_on(stopping):
                    stopping.wait(_IDLE_S)
        finally:
            listener.stop()
        app.log.drain()
    return DONE


def _serving(config: Config) -> tuple[Application, Answering, threading.Event]:
    """Models that are ready, without examples, and what tells to stop."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    app = create_app(replace(config, demo_mode=False))
    give_large_memory_back()
    app.services.images.start_reading()
    app.services.models.wait_ready(_MODELS_WITHIN_S)
    return app, Answering(app.services, config.pacs.gate), stopping


def list_pictures(config: Config, given: argparse.Namespace) -> int:
    """A line each, with tabs between."""
    print("number", "state", "origin", "attempts", "study", "instance", "reason", sep="\t")
    for one in Ledger(config.data_dir).listed(given.state or ("dead", "skipped")):
        print(one.number, one.state, one.origin, one.attempts, one.study_uid, one.instance_uid, one.reason, sep="\t")
    return DONE


def retry(config: Config, given: argparse.Namespace) -> int:
    """Whatever runs, or runs next, takes them up."""
    print(f"{Ledger(config.data_dir).retry(given.number)} pictures are tried again")
    return DONE


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backend.dicomweb", description="Pictures of an archive.")
    commands: Any = parser.add_subparsers(dest="command", required=True)
    watched = commands.add_parser("watch", help="answer what is new in an archive by DICOMweb; store results there")
    watched.add_argument("--url", default="", help="in place of DICOMWEB_URL")
    watched.add_argument("--once", action="store_true", help="look once, do what is due, and end")
    watched.set_defaults(run=watch)
    listening = commands.add_parser("listen", help="answer what devices send by C-STORE; send results back")
    listening.set_defaults(run=listen)
    shown = commands.add_parser("list", help="pictures that were given up or passed over, and why")
    shown.add_argument("--state", action="append", choices=STATES, help="those in this state, in place of these two")
    shown.set_defaults(run=list_pictures)
    again = commands.add_parser("retry", help="try again what was given up, or one picture that was passed over")
    again.add_argument("number", type=int, nargs="?", help="of `list`; all that were given up if absent")
    again.set_defaults(run=retry)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0 done, 2 it could not be done."""
    given = _parsed(arguments)
    try:
        status: int = given.run(Config.from_env(), given)
    except (ConfigError, TaskFileInvalid, RecordsUnavailable, OSError) as error:
        print(f"not done: {' '.join(str(error).split())}", file=sys.stderr)
        return UNUSABLE
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
