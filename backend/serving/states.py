"""What a connection is at."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """In the order in which a request passes through them."""

    IDLE = enum.auto()  # before the first byte of a request
    HEAD = enum.auto()
    BODY = enum.auto()
    ANSWERING = enum.auto()
    SENDING = enum.auto()  # the answer waits for the client to take it
    DROPPING = enum.auto()  # answered; what is still coming is read and dropped
    CLOSING = enum.auto()  # answered, and closed once that is taken
