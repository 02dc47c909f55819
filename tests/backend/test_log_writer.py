"""The log never holds up who writes to it."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from typing import TextIO

from backend.log_writer import LogWriter


def pipe() -> tuple[int, TextIO]:
    reader, writer = os.pipe()
    return reader, open(writer, "w", encoding="utf-8")  # noqa: SIM115 - closed by the test


def test_lines_come_out_whole_and_in_order() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream)
    lines = [f"line {number}\n" for number in range(500)]
    for line in lines:
        writer.write(line)
    writer.drain()
    assert (stream.getvalue(), writer.dropped) == ("".join(lines), 0)


def test_a_full_pipe_takes_no_time_and_what_it_does_not_take_is_counted() -> None:
    """Ten megabytes into a pipe that nobody reads; when somebody does, what waited comes out."""
    reader, stream = pipe()
    writer = LogWriter(stream, most_waiting=50)
    done = threading.Event()

    def write() -> None:
        for _ in range(1_000):
            writer.write("x" * 9_999 + "\n")
        done.set()

    threading.Thread(target=write, daemon=True).start()
    assert done.wait(30)
    writer.drain(0.01)  # not for ever
    assert 900 < writer.dropped < 1_000
    taken = 0
    while taken < (1_000 - writer.dropped) * 10_000:
        taken += len(os.read(reader, 65_536))
    writer.drain()
    os.close(reader)
    stream.close()


def test_a_reader_that_is_gone_and_a_closed_stream_are_counted() -> None:
    reader, stream = pipe()
    os.close(reader)
    writer = LogWriter(stream)
    writer.write("a line\n")
    writer.drain()
    assert writer.dropped == 1
    with contextlib.suppress(BrokenPipeError):
        stream.close()
    closed = io.StringIO()
    writer = LogWriter(closed)
    closed.close()
    writer.write("a line\n")
    writer.drain()
    assert writer.dropped == 1
