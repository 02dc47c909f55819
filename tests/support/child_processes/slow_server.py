"""`backend/server.py` with one more address: `/slow?s=<seconds>` holds a thread for so long and says what it got.

With `&file` every answer to it, a refusal too, is sent from a file. `/events?n=<count>` sends so many events, each but
the first after a `/next`, and comments between them; `/left` says whether its maker was told that nobody listens.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator

if __name__ == "__main__":
    from flask import Response, request

    from backend.app import create_app
    from backend.config import Config
    from backend.endpoint import spooled
    from backend.server import parse_arguments, serve
    from backend.storage.spooled import Spool, Spooled

    config = parse_arguments(sys.argv[1:], Config.from_env())
    application = create_app(config)

    def slow() -> Response:
        """Sleep."""
        time.sleep(float(request.args["s"]))
        return Response(f"{len(request.get_data())} bytes from {request.remote_addr} by {request.scheme}")

    def from_a_file(answer: Response) -> Response:
        """Larger than what is held in memory."""
        if "file" not in request.args:
            return answer
        with Spool(config.data_dir).writing() as file:
            file.write(bytes(2_000_000))
            return spooled(Spooled(file), "text/plain")

    asked_for, left = threading.Semaphore(0), threading.Event()

    def events() -> Response:
        def made(count: int) -> Iterator[bytes]:
            left.clear()
            try:
                for number in range(count):
                    yield f"data: {number}\n\n".encode()
                    while not asked_for.acquire(timeout=0.05):
                        yield b": wait\n\n"
                if "broken" in told:
                    raise ValueError("no more")
            finally:
                left.set()

        told = request.args
        return Response(made(int(told["n"])), mimetype="text/event-stream")

    def go_on() -> Response:
        asked_for.release()
        return Response("")

    application.add_url_rule("/events", view_func=events)
    application.add_url_rule("/next", view_func=go_on)
    application.add_url_rule("/left", view_func=lambda: Response(str(left.wait(10))))
    application.after_request(from_a_file)
    application.add_url_rule("/slow", view_func=slow, methods=["GET", "POST"])
    serve(application, config)
    sys.stdout.flush()
    os._exit(0)
