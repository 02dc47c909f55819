"""Batches worked off by other processes, which a queue tells of them (Celery, Redis).

A message is the id of a batch that waits, as JSON; pickles are neither written nor read. What there is to do, and whose
turn it is, is in the database: a message that is lost, or comes twice, changes nothing but the time. Redis may forget
all of them.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import worker_shutting_down
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerUnavailable

from backend.errors import RecordsUnavailable
from backend.services.batches.leases import Leases
from backend.services.batches.work import BLOCK, BatchWork
from backend.telemetry import Logger, Readiness

QUEUE, TASK = "batches", "batches.work"
MOST_TELLING_S = 15.0  # before a queue is told again of a batch that nobody serves
_MOST_MESSAGES = 16  # of one batch: so many workers share it
_CONNECT_S, _ANSWER_S = 2.0, 5.0
_AGAIN_S = 600  # after which Redis hands a message on that nobody acknowledged; a few files take half of that at most


def celery_app(broker_url: str, **options: Any) -> Celery:
    """Of nobody's module state. options: of the transport."""
    app = Celery("medidiagnose", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"visibility_timeout": _AGAIN_S, "socket_connect_timeout": _CONNECT_S, **options},
    )
    return app


class QueueLabour:
    """Tells a queue of batches, and tells it again of those that nobody serves while it is empty."""

    begins_within_s = _CONNECT_S + 1.0

    def __init__(self, leases: Leases, broker_url: str, logger: Logger) -> None:
        self._leases, self._logger = leases, logger
        self._again_s = min(MOST_TELLING_S, leases.lease_s)
        self._app = celery_app(broker_url, socket_timeout=_ANSWER_S)
        self.problem: str | None = None

    def once(self) -> float | None:
        """One round. What the queue does not take now, it is told of in the next."""
        try:
            unserved = self._leases.unserved(self._again_s)
            forgot = any(told for _, _, told in unserved) and self._is_empty()
            for batch_id, files, told in unserved:
                if not told or forgot:
                    for _ in range(min(_MOST_MESSAGES, -(-files // BLOCK))):
                        self._app.send_task(TASK, [str(batch_id)])
                    self._leases.note_told(batch_id)
        except (KombuError, OSError, BrokerUnavailable) as error:
            self.problem = "batches wait: the queue does not answer now; they begin by themselves once it does"
            self._logger.warning("queue_unavailable", error_type=type(error).__name__)
            return self._again_s
        self.problem = None
        return None if self._leases.due_in_s() is None else self._again_s

    def _is_empty(self) -> bool:
        with self._app.connection_for_write() as link, link.SimpleQueue(QUEUE) as queue:
            try:
                return bool(queue.qsize() == 0)
            except link.channel_errors:  # in Redis, a queue without messages is none
                return True


def work_off(work: BatchWork, broker_url: str, readiness: Readiness, logger: Logger, arguments: list[str]) -> None:
    """Be a worker until told to stop: a message has a few files answered, of whoever has the turn, and sends the next
    one."""
    app = celery_app(broker_url)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def some(batch_id: str) -> None:
        try:
            if work.some():
                app.send_task(TASK, [batch_id])
        except (RecordsUnavailable, KombuError, OSError) as error:  # the queue is told again of what is left
            logger.warning("batch_work_stopped", error_type=type(error).__name__)

    def stop(**_told: Any) -> None:
        readiness.draining_since = 0.0

    worker_shutting_down.connect(stop, weak=False)
    app.worker_main(arguments)
