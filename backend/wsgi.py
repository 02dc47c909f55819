"""The entry point for a WSGI server of your own, such as gunicorn behind nginx:

    gunicorn -c backend/gunicorn.conf.py "backend.wsgi:application()"

It is configured by the same environment as backend/server.py. Heatmaps, signals and histories live in one process:
use threads, not workers.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from typing import Any

from backend.app import begin_to_serve, create_app
from backend.config import Config, Network
from backend.serving.addresses import client_address, is_trusted
from backend.serving.wsgi_call import Environ, WsgiApplication


def behind(app: WsgiApplication, trusted: tuple[Network, ...]) -> WsgiApplication:
    """Take address and scheme from what proxies of ours say, as the embedded server does by itself."""

    def forwarded(environ: Environ, start_response: Any) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        if is_trusted(peer, trusted):
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            environ["wsgi.url_scheme"] = "https" if scheme == "https" else environ["wsgi.url_scheme"]
            environ["REMOTE_ADDR"] = client_address(peer, environ.get("HTTP_X_FORWARDED_FOR", ""), trusted)
        return app(environ, start_response)

    return forwarded


def application() -> WsgiApplication:
    """The application as the environment configures it. Raises ConfigError and TaskFileInvalid."""
    config = Config.from_env()
    made = create_app(config)
    begin_to_serve(made)
    atexit.register(made.log.drain)
    return behind(made, config.trusted_proxies)
