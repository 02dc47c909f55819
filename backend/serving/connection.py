"""One connection: requests are received whole in memory, within their time, handed over, and answered in turn.

Every wait for the client has an end. A request's head has `header_deadline_s` in all; a body may pause for as long and
must come at MIN_BYTES_PER_S on average; so must an answer be taken.
"""

from __future__ import annotations

import asyncio
import time
from typing import cast

import h11
from werkzeug.exceptions import BadRequest, HTTPException, RequestTimeout

from backend.errors import Busy
from backend.serving.addresses import counted_as, is_trusted
from backend.serving.admission import Job, Outcome
from backend.serving.front import LIVENESS, Front
from backend.serving.incoming import HeadBuffer, Incoming, unreadable
from backend.serving.states import State
from backend.serving.wsgi_call import NO_REQUEST, Answer, Environ, Stream, refused
from backend.storage.spooled import Spooled
from ml_model.errors import MediDiagnoseError

MIN_BYTES_PER_S = 8_000
KEEP_ALIVE_S = 120.0
MOST_READ_AHEAD_BYTES = 262_144
# What is refused is read on to here and dropped: to a server that closes early many clients report a broken pipe.
MOST_DROPPED_BYTES = 72_000_000
LATE_S = 5.0  # by which an answer may miss its deadline, which a timer of its own keeps


class Connection(asyncio.Protocol):
    """Of one client, from accept to close. Also a `census.Held`."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._buffer = HeadBuffer()
        self._request = Incoming(front.room_for)
        self._environ: Environ | None = None
        self._job: Job | None = None
        self._dropped, self._received_at = 0, time.monotonic()
        self._rest: Spooled | Stream | None = None  # of an answer that is being sent
        self._more = True  # whether another request may follow it
        self._eof = self._write_paused = self._answered_before = False
        self._enter(State.IDLE, front.config.header_deadline_s)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = transport = cast(asyncio.Transport, transport)
        transport.set_write_buffer_limits(high=0)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._own = transport.get_extra_info("sockname") or ("", 0)
        trusted = is_trusted(self._peer, self._front.config.trusted_proxies)
        self.address = None if trusted else counted_as(self._peer)
        self._front.census.add(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        if self._state is State.DROPPING:
            self._drop(len(data))
            return
        self._buffer.data += data
        if self._state is State.BODY:
            self._grant(len(data))
        self._go_on()

    def eof_received(self) -> bool:
        """The client sends no more; it may still wait for an answer."""
        self._eof = True
        if self._state in (State.HEAD, State.BODY):
            self.refuse(BadRequest("the connection ended before the request did"))
        return self._state in (State.ANSWERING, State.SENDING)

    def connection_lost(self, _error: Exception | None) -> None:
        """It is closed."""
        if self._job is not None and self._environ is not None:
            self._front.lane(self._environ).leave(self._job)
        self._enter(State.CLOSING, 0.0)
        if self._rest is not None:
            self._rest.close()
        self._front.census.remove(self)
        self._front.census.release(self._request.let_go())

    def pause_writing(self) -> None:
        """What was sent has not been taken yet."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """All of it has been taken."""
        self._write_paused = False
        self._send_on()

    # What the census and the server call

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client that has to go on."""
        makes_more = self._state is State.SENDING and self._rest is not None and not self._write_paused
        return self._state is not State.ANSWERING and not makes_more

    @property
    def answered(self) -> bool:
        """Whether only the rest of a refused request is still read."""
        return self._state is State.DROPPING

    @property
    def uploaded_bytes(self) -> int:
        """What is held of a body that is on its way."""
        return self._request.held_bytes if self._state is State.BODY else 0

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered, or an answer is still being sent."""
        return self._state is not State.IDLE

    def expire(self) -> None:
        """The client took too long over what it is at."""
        self.end(RequestTimeout("the request came too slowly"))

    def end(self, error: Exception) -> None:
        """Make room; `error` says why, where a request has begun."""
        before, new = self._state, self._state is State.IDLE and not self._answered_before
        if before in (State.HEAD, State.BODY, State.ANSWERING) or (new and isinstance(error, Busy)):
            self.refuse(error)
        else:
            self._transport.abort()
        if before is not State.BODY and not new:  # of which more may be on its way
            self._close(0.0)

    # Receiving

    def _go_on(self) -> None:
        self._advance()
        self._balance_reading()

    def _advance(self) -> None:
        """Make of the bytes received what can be made of them."""
        try:
            if self._state in (State.IDLE, State.HEAD):
                self._read_head()
            if self._state is State.BODY:
                self._read_body()
        except (HTTPException, MediDiagnoseError) as error:
            self.refuse(error)
        except h11.RemoteProtocolError as error:
            self.refuse(unreadable(error))

    def _read_head(self) -> None:
        if self._state is State.IDLE:
            if not self._buffer.data.strip(b"\r\n"):
                return
            self._received_at = time.monotonic()
            self._enter(State.HEAD, self._front.config.header_deadline_s)
        try:
            self._request.read_head(self._buffer)
        finally:
            if self._request.head is not None:
                self._environ = self._front.environ(self._request.head, self._peer, self._own, self._received_at)
        if self._environ is None:
            return
        self._enter(State.BODY, self._front.config.header_deadline_s)
        comes_later = self._request.declared_bytes is None or self._request.declared_bytes > len(self._buffer.data)
        if self._request.has_body and comes_later and (refusal := self._front.no_room(self._environ)) is not None:
            self.refuse(refusal)
        elif self._request.expects_continue:
            self._transport.write(self._request.go_on())

    def _read_body(self) -> None:
        before = self._request.held_bytes
        try:
            self._request.read_body(self._buffer)
        finally:
            self._front.census.hold(self._request.held_bytes - before)
        self._front.census.make_room()  # which may be this connection's
        if self._state is State.BODY and self._request.whole and self._environ is not None:
            self._hand_over(self._environ)
        elif self._state is State.BODY and self._buffer.data:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _hand_over(self, environ: Environ) -> None:
        """The request is whole: have it answered, or refuse it."""
        deadline_s = self._front.deadline_s(environ)
        self._enter(State.ANSWERING, deadline_s + LATE_S)
        environ["backend.deadline"] = self.since + deadline_s
        if environ["PATH_INFO"] == LIVENESS:
            self._answer(self._front.canned.alive(environ))
        elif (refusal := self._front.no_room(environ)) is not None:
            self.refuse(refusal)
        else:
            if self._request.body_bytes:
                environ["CONTENT_LENGTH"] = str(self._request.body_bytes)
            environ["wsgi.input"], let_go = self._request.handed_over()
            census = self._front.census
            self._job = Job(
                environ, counted_as(environ["REMOTE_ADDR"]), environ["backend.deadline"], self._deliver,
                lambda: census.release(let_go()),
            )  # fmt: skip
            self._front.lane(environ).enter(self._job)

    # Answering

    def _deliver(self, outcome: Outcome) -> None:
        self._job = None
        if isinstance(outcome, Exception):
            self.refuse(outcome)
        else:
            self._answer(outcome)

    def refuse(self, error: Exception) -> None:
        """Answer with an error, whatever of the request has come."""
        environ = self._environ or self._front.environ(NO_REQUEST, self._peer, self._own, self._received_at)
        if self._job is not None:
            self._front.lane(environ).leave(self._job)
            self._job = None
        self._front.census.release(self._request.let_go())
        if isinstance(error, Busy):
            self._answer(self._front.canned.no_room(environ, error))
        else:
            self._answer(refused(self._front.app, environ, error))

    def _answer(self, answer: Answer) -> None:
        request, config = self._request, self._front.config
        sent, self._more = request.answered(answer, close=not request.whole or self._eof or self._front.draining)
        self._transport.write(sent)
        self._rest, left_bytes = answer.rest, answer.rest.size_bytes if answer.rest else 0
        to_take_s = config.header_deadline_s + (self._transport.get_write_buffer_size() + left_bytes) / MIN_BYTES_PER_S
        if isinstance(answer.rest, Stream):
            answer.rest.follow(self._send_on, self._transport.abort)
            to_take_s += config.request_deadline_s
        if not request.whole and not self._eof:
            self._enter(State.DROPPING, to_take_s)
            if answer.rest is not None:  # which is not sent
                answer.rest.close()
            self._transport.write_eof()
            self._transport.resume_reading()
            self._drop(len(self._buffer.take(len(self._buffer.data))))
        elif self._rest is None and not self._more:
            self._close(to_take_s)
        else:
            self._enter(State.SENDING, to_take_s)
            self._send_on()

    def _send_on(self) -> None:
        """What is left of the answer, as fast as it is made and taken; then what follows it."""
        if self._state is not State.SENDING:
            return
        while self._rest is not None and not (self._write_paused or self._transport.is_closing()):
            if (piece := next(self._rest, None)) is None:
                self._rest = None
            elif piece:
                self._transport.write(piece)
            else:  # which is still being made
                return
        if self._rest is None and not self._write_paused:
            self._next()

    def _next(self) -> None:
        """The answer is sent: on to the next request, if there may be one, after the other connections."""
        self._request, self._environ, self._answered_before = Incoming(self._front.room_for), None, True
        self._enter(State.IDLE, KEEP_ALIVE_S)
        if not self._more or (self._eof and not self._buffer.data):
            self._close(0.0)
        elif self._buffer.data:
            asyncio.get_running_loop().call_soon(self._go_on)
        self._balance_reading()

    # Bookkeeping

    def _enter(self, state: State, most_s: float) -> None:
        self._state, self.since = state, time.monotonic()
        self.expires_at = self.since + most_s

    def _grant(self, count: int) -> None:
        """What has come buys time for the rest, never more than one pause."""
        most = time.monotonic() + self._front.config.header_deadline_s
        self.expires_at = min(most, self.expires_at + count / MIN_BYTES_PER_S)

    def _drop(self, count: int) -> None:
        self._grant(count)
        self._dropped += count
        if self._dropped > MOST_DROPPED_BYTES:
            self._close(self._front.config.header_deadline_s)

    def _close(self, to_take_s: float) -> None:
        """As soon as what was sent is taken, and at the latest when the time for that is over."""
        self._enter(State.CLOSING, to_take_s)
        self._front.census.count_out(self)
        self._transport.close()

    def _balance_reading(self) -> None:
        if len(self._buffer.data) > MOST_READ_AHEAD_BYTES:
            self._transport.pause_reading()
        elif not self._eof:
            self._transport.resume_reading()
