"""What all connections of a server share."""

from __future__ import annotations

from dataclasses import dataclass

import h11

from backend.app import Application
from backend.config import Config
from backend.endpoint import BATCH_PATHS, SIGNED
from backend.errors import Busy, Unauthenticated
from backend.serving.addresses import client_address, counted_as, is_trusted
from backend.serving.admission import Lane
from backend.serving.canned import Canned
from backend.serving.census import Census
from backend.serving.incoming import Room, header
from backend.serving.wsgi_call import Environ, Peer, environ_of

BATCH_DEADLINE_S = 600.0
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

    def environ(self, head: h11.Request, peer: str, own: tuple[str, int], received_at: float) -> Environ:
        """The environment of a request of `peer`, at our address `own`; a proxy of ours is believed whose it is."""
        trusted = self.config.trusted_proxies
        address, scheme = client_address(peer, header(head, b"x-forwarded-for"), trusted), "http"
        proto = header(head, b"x-forwarded-proto").rpartition(",")[2].strip().lower()
        if proto == "https" and is_trusted(peer, trusted):
            scheme = "https"
        environ = environ_of(head, Peer(address, str(own[0]), int(own[1]), scheme))
        environ["backend.received_at"] = received_at
        return environ

    def room_for(self, head: h11.Request) -> Room:
        """What its body may be. A batch goes through a file where its token is signed by us: who has no account puts
        nothing on the disk. Raises Unauthenticated where a batch is larger than what is taken of anybody."""
        if head.method != b"POST" or head.target.partition(b"?")[0].decode("latin-1") not in BATCH_PATHS:
            return Room()
        if self.app.extensions[SIGNED](header(head, b"authorization"), header(head, b"cookie")):
            most = self.config.batch_body_bytes
            told = f"the batch has more than the {most} bytes that are taken at a time; send it in parts"
            return Room(most, self.config.data_dir, told, self.census.spooling)
        if int(header(head, b"content-length") or 0) > Room.most_bytes:
            raise Unauthenticated("so much needs an account: log in first (POST /api/v1/auth/login)")
        return Room()

    def deadline_s(self, environ: Environ) -> float:
        """How long an answer may take. The files of a batch are put on the disk one by one."""
        of_batch = environ["PATH_INFO"] in BATCH_PATHS
        return max(BATCH_DEADLINE_S, self.config.request_deadline_s) if of_batch else self.config.request_deadline_s

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
