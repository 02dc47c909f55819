"""Start the service: `python backend/server.py [--host H] [--port N] [--threads N] [--debug] [--allow-pickle]`.

For another WSGI server: `gunicorn --threads 4 "backend.server:app()"`. Heatmaps are kept in
one process, so use threads rather than workers, or ask for them with `?explain=inline`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from backend.app import Application, create_app
from backend.config import Config, ConfigError
from backend.http_server import Server
from ml_model.errors import TaskFileInvalid

CANNOT_START = 2


def app() -> Application:
    """The application as the environment configures it, for gunicorn and other WSGI servers."""
    return create_app(Config.from_env())


def parse_arguments(arguments: Sequence[str], config: Config) -> Config:
    """The configuration, with what the command line says on top."""
    parser = argparse.ArgumentParser(prog="backend/server.py", description="Serve the models over HTTP.")
    parser.add_argument("--host", default=config.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=config.port, help="port; 0 takes a free one (%(default)s)")
    parser.add_argument("--threads", type=int, default=config.threads, help="requests answered at once (%(default)s)")
    parser.add_argument("--debug", action="store_true", help="Flask's development server, with its reloader")
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        default=config.allow_pickle,
        help="read a user's .joblib model; a pickle can run any code, so only for files you trust",
    )
    return dataclasses.replace(config, **vars(parser.parse_args(arguments)))


def _serve(config: Config) -> None:
    application = create_app(config)
    server = Server(application, config)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"serving on http://{config.host}:{server.port} (stop with Ctrl-C)", flush=True)
    server.run()


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop. Returns the exit status."""
    try:
        config = parse_arguments(arguments, Config.from_env())
        if config.debug:
            create_app(config).run(host=config.host, port=config.port, debug=True)
        else:
            _serve(config)
    except (ConfigError, TaskFileInvalid, OSError) as error:
        print(f"cannot start: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_START
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Not sys.exit: a model may still be compiling in a native thread, and taking the interpreter down under it aborts.
    os._exit(status)
