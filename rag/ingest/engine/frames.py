"""Messages between a worker process and its parent: 8 bytes of length, then as many bytes of pickle."""

from __future__ import annotations

import pickle
import struct
from typing import Any, BinaryIO

HEADER = struct.Struct(">Q")


def frame(payload: bytes) -> bytes:
    """`payload` as it travels."""
    return HEADER.pack(len(payload)) + payload


def packed(value: object) -> bytes:
    """`value` as a frame. Raises what pickling raises."""
    return frame(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next payload, `None` when the other side has closed the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    payload = stream.read(length)
    return payload if len(payload) == length else None


def unpacked(payload: bytes) -> Any:
    """The value that was packed. Only for what our own process or child has written: a pickle can run code."""
    return pickle.loads(payload)  # noqa: S301 (from our own process or child, over a pipe that nobody else holds)
