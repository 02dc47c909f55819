"""Questions and replies between the service and its reading processes: a head of JSON, and the arrays behind it, raw.

No pickle: what a decoder that was taken over sends back can be damaged, but is never more than data of the type asked
for. Values are frozen dataclasses, pydantic models, tuples, dictionaries by text, numbers, text, bytes and arrays.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Sequence
from io import RawIOBase
from typing import Any, Literal, Union

import numpy as np

MOST_HEAD_BYTES = 4 * 2**20
MOST_BYTES = 512 * 2**20  # of one message; the pictures of one request have 8 x 32 MB
_WORD = 4


class Damaged(Exception):
    """Bytes that are no message, or no value of the type that was asked for."""


def packed(value: Any, buffers: list[Any]) -> Any:
    """`value` as JSON knows it; bytes and arrays are added to `buffers`, their place stands for them.

    Raises TypeError for what no message can hold.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        buffers.append(value)
        return len(buffers) - 1
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("an array of objects is no message")
        buffers.append(np.ascontiguousarray(value).data.cast("B") if value.size else b"")
        return [len(buffers) - 1, *value.shape]
    if isinstance(value, tuple):
        return [packed(one, buffers) for one in value]
    if isinstance(value, dict):
        return {name: packed(one, buffers) for name, one in value.items()}
    if hasattr(value, "model_dump"):  # pydantic
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value):
        return {f.name: packed(getattr(value, f.name), buffers) for f in dataclasses.fields(value) if f.init}
    raise TypeError(f"{type(value).__name__} is no message")


def unpacked(kind: Any, value: Any, buffers: Sequence[bytearray]) -> Any:
    """The value of the type `kind`. Raises Damaged where it is none."""
    try:
        return _unpacked(kind, value, buffers)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise Damaged(f"no {kind}") from error


def _unpacked(kind: Any, value: Any, buffers: Sequence[bytearray]) -> Any:
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        chosen, *others = [one for one in of if one is not types.NoneType]
        if others:
            raise Damaged(f"{kind} is not told apart")
        return None if value is None else _unpacked(chosen, value, buffers)
    if kind is types.NoneType:
        return _required(value, value is None)
    if origin is Literal:
        return _required(value, value in of)
    if origin is tuple:
        several = [of[0]] * len(value) if of[-1] is Ellipsis else of
        return tuple(_unpacked(one, v, buffers) for one, v in zip(several, value, strict=True))
    if origin is dict:
        return {_unpacked(of[0], name, buffers): _unpacked(of[1], one, buffers) for name, one in value.items()}
    if origin is np.ndarray:
        place, *shape = value
        (dtype,) = typing.get_args(of[1])
        return np.frombuffer(buffers[place], dtype).reshape(shape)
    if kind is bytes:
        return bytes(buffers[value])
    if kind is float:
        return float(_required(value, type(value) in (int, float)))
    if kind in (int, str, bool):
        return _required(value, type(value) is kind)
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    hints = _fields(kind)
    return kind(**{name: _unpacked(hint, value[name], buffers) for name, hint in hints.items()})


def _required(value: Any, is_so: bool) -> Any:
    if not is_so:
        raise Damaged("a value of another type")
    return value


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    """Types of a dataclass's fields, by name."""
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in dataclasses.fields(kind) if f.init}


def send(stream: RawIOBase, head: dict[str, Any], buffers: Sequence[Any] = ()) -> None:
    """Write one message; the stream is unbuffered."""
    text = json.dumps({**head, "bytes": [len(one) for one in buffers]}).encode()
    for part in (len(text).to_bytes(_WORD, "big") + text, *buffers):
        rest = memoryview(part)
        while rest:
            rest = rest[stream.write(rest) or 0 :]


def receive(stream: RawIOBase, most_bytes: int = MOST_BYTES) -> tuple[dict[str, Any], list[bytearray]]:
    """Read one message, its buffers at most `most_bytes` together.

    Raises EOFError where the other end is gone, Damaged where it is none.
    """
    length = int.from_bytes(_exactly(stream, _WORD), "big")
    if length > MOST_HEAD_BYTES:
        raise Damaged("the head is too long")
    try:
        head = json.loads(_exactly(stream, length))
        sizes = head.pop("bytes")
        if not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) > most_bytes:
            raise Damaged("the sizes are none")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged("the head is no object") from error
    return head, [_exactly(stream, size) for size in sizes]


def _exactly(stream: RawIOBase, count: int) -> bytearray:
    found = bytearray(count)
    rest = memoryview(found)
    while rest:
        got = stream.readinto(rest)
        if not got:
            raise EOFError("the other end is gone")
        rest = rest[got:]
    return found
