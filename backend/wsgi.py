"""The entry point for a WSGI server of your own, such as gunicorn behind nginx:

    gunicorn -c backend/gunicorn.conf.py "backend.wsgi:application()"

It is configured by the same environment as backend/server.py. Heatmaps, signals and histories live in one process:
use threads, not workers.
"""

from __future__ import annotations

import atexit

from backend.app import Application, begin_to_serve, create_app
from backend.config import Config


def application() -> Application:
    """The application as the environment configures it. Raises ConfigError and TaskFileInvalid."""
    made = create_app(Config.from_env())
    begin_to_serve(made)
    atexit.register(made.log.drain)
    return made
