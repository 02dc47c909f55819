"""What all connections of a server share."""

from __future__ import annotations

from dataclasses import dataclass

from backend.app import Application
from backend.config import Config
from backend.errors import Busy
from backend.serving.addresses import counted_as
from backend.serving.admission import Lane
from backend.serving.canned import Canned
from backend.serving.census import Census
from backend.serving.wsgi_call import Environ

LIVENESS, PROBES = "/livez", ("/readyz", "/metrics")


@dataclass(frozen=True)
class Front:
    """`work` answers requests, `probes` those by which the service is watched, which thus never wait for work."""

    app: Application
    config: Config
    census: Census
    work: Lane
    probes: Lane
    canned: Canned

    @property
    def draining(self) -> bool:
        """Whether the server has been told to stop."""
        return self.app.services.readiness.draining_since is not None

    def lane(self, environ: Environ) -> Lane:
        """Where a request is answered."""
        return self.probes if environ["PATH_INFO"] in PROBES else self.work

    def no_room(self, environ: Environ) -> Busy | None:
        """Why a request is not taken on now; None where it is."""
        if environ["PATH_INFO"] == LIVENESS:
            return None
        return self.lane(environ).refusal(counted_as(environ["REMOTE_ADDR"]), self.config.request_deadline_s)
