"""Start the service: `python backend/server.py [--host H] [--port N] [--threads N] [--debug] [--allow-pickle]`.

For another WSGI server: backend/wsgi.py.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from backend.app import Application, begin_to_serve, create_app
from backend.config import PORTS, THREADS, Config, ConfigError, default_hosts, whole_number
from backend.serving.server import Server
from backend.wsgi import application as app  # noqa: F401 - "backend.server:app()", an older name of the entry point
from ml_model.errors import TaskFileInvalid

CANNOT_START = 2


def parse_arguments(arguments: Sequence[str], config: Config) -> Config:
    """The configuration, with what the command line says on top."""
    parser = argparse.ArgumentParser(prog="backend/server.py", description="Serve the models over HTTP.")
    parser.add_argument("--host", default=config.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", default=str(config.port), help="port; 0 takes a free one (%(default)s)")
    parser.add_argument("--threads", default=str(config.threads), help="requests answered at once (%(default)s)")
    parser.add_argument("--debug", action="store_true", help="Flask's development server, with its reloader")
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        default=config.allow_pickle,
        help="read a user's .joblib model; a pickle can run any code, so only for files you trust",
    )
    given = vars(parser.parse_args(arguments))
    for name, bounds in (("port", PORTS), ("threads", THREADS)):
        given[name] = whole_number(given[name], f"--{name}", bounds)
    if config.allowed_hosts == default_hosts(config.host):
        given["allowed_hosts"] = default_hosts(given["host"])
    return dataclasses.replace(config, **given)


def _listen_error(error: OSError, config: Config) -> str:
    """Why the address cannot be listened on, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {config.port} of {config.host} is in use, perhaps by this service, started before; stop that, or "
            f"choose another port: --port N or PORT=N (0 takes a free one)"
        )
    reason = error.strerror or error
    return f"cannot listen on {config.host}, port {config.port}: {reason}; see --host and --port"


def serve(application: Application, config: Config) -> None:
    """Listen and answer until a signal says to stop. Raises ConfigError where the address is not to be had."""
    try:
        server = Server(application, config)
    except OSError as error:
        raise ConfigError(_listen_error(error, config)) from error

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):  # a second one ends it at once
            signal.signal(name, signal.SIG_DFL)
        server.stop()

    begin_to_serve(application)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"serving on http://{config.host}:{server.port} (stop with Ctrl-C)", flush=True)
    server.run()
    application.log.drain()


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop. Returns the exit status."""
    try:
        config = parse_arguments(arguments, Config.from_env())
        if config.debug:
            create_app(config).run(host=config.host, port=config.port, debug=True)
        else:
            serve(create_app(config), config)
    except (ConfigError, TaskFileInvalid, OSError) as error:
        print(f"cannot start: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_START
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    with contextlib.suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
    # Not sys.exit: a model may still be compiling in a native thread, and taking the interpreter down under it aborts.
    os._exit(status)
