"""The two answers that must stay cheap however many are asked for: that it is alive, and that it has no room.

Each is made once by the application, and stamped with the id of every further request. They are counted, not logged one
by one: a flood must not fill the log as well.
"""

from __future__ import annotations

import time
import uuid

from backend.app import Application
from backend.endpoint import is_ours
from backend.errors import PROBLEM_JSON, Busy
from backend.serving.wsgi_call import Answer, Environ, call, refused
from backend.telemetry import SANE_REQUEST_ID

STAMP = str(uuid.UUID(int=0))
LOGGED_EVERY_S = 1.0


class Canned:
    """Of one server."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._made: dict[tuple[object, ...], Answer] = {}
        self._refused, self._logged_at = 0, 0.0

    def alive(self, environ: Environ) -> Answer:
        """The answer of /livez, by the application itself to anything but a plain GET of it."""
        hosts, plain = self._app.services.config.allowed_hosts, environ["REQUEST_METHOD"] == "GET"
        if not plain or environ["QUERY_STRING"] or not is_ours(environ.get("HTTP_HOST", ""), hosts):
            return call(self._app, environ)
        self._app.services.metrics.requests.labels("GET", "/livez", 200).inc()
        return self._stamped(environ, None)

    def no_room(self, environ: Environ, error: Busy) -> Answer:
        """The refusal of a request."""
        self._app.services.metrics.refused.inc()
        self._refused += 1
        if (now := time.monotonic()) - self._logged_at > LOGGED_EVERY_S:
            self._app.services.logger.warning("overloaded", refused=self._refused)
            self._refused, self._logged_at = 0, now
        return self._stamped(environ, error)

    def _stamped(self, environ: Environ, error: Busy | None) -> Answer:
        if environ["REQUEST_METHOD"] == "HEAD" or "HTTP_ORIGIN" in environ:  # which change the answer
            return call(self._app, environ) if error is None else refused(self._app, environ, error)
        key = (str(error), PROBLEM_JSON in environ.get("HTTP_ACCEPT", ""), environ["wsgi.url_scheme"])
        if key not in self._made:
            marked = {**environ, "HTTP_X_REQUEST_ID": STAMP}
            self._made[key] = call(self._app, marked) if error is None else refused(self._app, marked, error)
        asked, made = environ.get("HTTP_X_REQUEST_ID", ""), self._made[key]
        stamp = asked if SANE_REQUEST_ID.fullmatch(asked) else str(uuid.uuid4())
        body = made.body.replace(STAMP.encode(), stamp.encode())
        new = {"X-Request-ID": stamp, "Content-Length": str(len(body))}
        return Answer(made.status, [(name, new.get(name, value)) for name, value in made.headers], body)
