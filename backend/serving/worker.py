"""A process that works off batches: `python -m backend.serving.worker`, with the settings of the service.

As many as there is work for, on one machine or several that share database and store.
"""

from __future__ import annotations

import os
import sys
import time

from backend.app import create_app
from backend.config import Config, ConfigError
from backend.errors import RecordsUnavailable
from backend.memory import give_large_memory_back
from backend.server import CANNOT_START
from backend.services.container import Services
from backend.services.records.opened import OpenRecords
from ml_model.errors import TaskFileInvalid

_TRY_AGAIN_S = 5.0
_MODELS_WITHIN_S = 600.0


def opened(services: Services) -> OpenRecords:
    """Once the database is there, however long that takes."""
    while True:
        try:
            return services.records.open()
        except RecordsUnavailable:
            time.sleep(_TRY_AGAIN_S)


def main() -> int:
    """Work until told to stop. Returns the exit status."""
    try:
        config = Config.from_env()
        if not config.celery_broker_url:
            raise ConfigError("CELERY_BROKER_URL: a worker needs the queue that tells it of batches")
        app = create_app(config)
    except (ConfigError, TaskFileInvalid) as error:
        print(f"cannot start: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_START
    from backend.services.batches.queue import QUEUE, work_off

    services = app.services
    give_large_memory_back()
    services.images.start_reading()
    records = opened(services)
    services.models.wait_ready(_MODELS_WITHIN_S)
    records.executor.stay()
    print("working (stop with Ctrl-C)", flush=True)
    arguments = ["--quiet", "worker", "--pool", "solo", "--loglevel", "WARNING", "--queues", QUEUE, "--without-gossip"]
    arguments += ["--without-mingle", "--hostname", f"batches-{os.getpid()}@%h"]
    work_off(records.work, config.celery_broker_url, services.readiness, services.logger, arguments)
    app.log.drain()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # as backend/server.py does, and why
