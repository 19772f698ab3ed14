"""What may go wrong with the answer of a fake provider, as data, and what it then does, step by step."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import accumulate, repeat
from typing import Literal

from routing.testing.wire_http import Answer

Instead = Literal["status", "body"]
OfConnection = Literal["reset", "cut", "stall", "slow", "drip"]
OfContent = Literal["end", "error", "extra", "raw", "endless", "twice", "swapped", "changed"]
Place = Literal["nothing", "opening", "some", "text", "all"]
"""What has been sent until then: nothing; the head and what comes before the text; half of the text; all of the text,
without what ends an answer; all but the end of the body. An answer in one piece counts as text, but for its last byte.
"""
_USUAL_EVENTS = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request.

    - "status": it is answered with `status`, `headers` and `body` (by default an error of the provider's form)
    - "body": it is answered with 200 and `body`, whatever that is
    - "reset", "cut": the connection is reset, or closed, in the middle of the answer
    - "stall": nothing more comes; "slow": nothing for `seconds`; "drip": the rest comes a byte each `seconds`
    - "end": the answer ends as if that were all; "error": and before that comes an error with `status` (a stream only)
    - "extra": `body` comes as one more event; "raw": it comes without the form of HTTP; "endless": again and again
    - "twice": an event comes twice; "swapped": an event comes after the one that should follow it
    - "changed": everywhere in the answer what the regular expression `find` finds is replaced by `body`

    `after` says when: after so many events of a stream, or at a `Place`. `byte` does, too: after so many bytes of the
    answer, its head included, from its end when negative. By default a reset comes before everything, all else in a
    stream after three events, and otherwise before everything.
    """

    kind: Instead | OfConnection | OfContent
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes | None = None
    content_type: str = "application/json"
    after: int | Place | None = None
    byte: int | None = None
    seconds: float = 0.0
    find: str = ""


class Then(Enum):
    """What a server may do between the bytes it sends."""

    RESET = "reset"
    CLOSE = "close"
    WAIT = "wait until the client has gone"


Step = bytes | float | Then
"""Bytes to send, seconds to wait, or the end of the connection."""


def steps(answer: Answer, fault: Fault, pieces: Sequence[str], error: bytes) -> Iterator[Step]:
    """What is done instead of sending `answer`, whose text comes in `pieces`; `error` is an event that tells of one."""
    if fault.kind in ("twice", "swapped", "changed"):
        change = _changed if fault.kind == "changed" else _disordered
        yield from change(answer, fault, pieces).frames()
        return
    if fault.kind == "endless":
        answer = replace(answer, streamed=True)
    position = _position(answer, fault, pieces)
    if fault.kind == "end" and not answer.streamed:
        body = answer.parts[0][: max(position - len(answer.head()), 0)]
        yield from replace(answer, parts=(body,)).frames()
        return
    before, after = _split(answer.frames(), position)
    yield from before
    body = _bytes(fault)
    match fault.kind:
        case "reset":
            yield Then.RESET
        case "cut":
            yield Then.CLOSE
        case "stall":
            yield Then.WAIT
        case "error":
            yield answer.framed(error)
            yield answer.framed(b"")
        case "end":
            yield answer.framed(b"")
        case "endless":
            yield from repeat(answer.framed(body))
        case "drip":
            for byte in b"".join(after):
                yield fault.seconds
                yield bytes([byte])
        case _:
            yield fault.seconds if fault.kind == "slow" else body if fault.kind == "raw" else answer.framed(body)
            yield from after


def _bytes(fault: Fault) -> bytes:
    return fault.body.encode() if isinstance(fault.body, str) else fault.body or b""


def _changed(answer: Answer, fault: Fault, _pieces: Sequence[str]) -> Answer:
    return replace(answer, parts=[re.sub(fault.find.encode(), _bytes(fault), part) for part in answer.parts])


def _disordered(answer: Answer, fault: Fault, pieces: Sequence[str]) -> Answer:
    at = _event(answer, fault, pieces)
    parts = list(answer.parts)
    parts[at : at + 2] = parts[at : at + 2][::-1] if fault.kind == "swapped" else [parts[at], *parts[at : at + 2]]
    return replace(answer, parts=parts)


def _position(answer: Answer, fault: Fault, pieces: Sequence[str]) -> int:
    """How many bytes of the answer are sent."""
    sizes = [0, *accumulate(map(len, answer.frames()))]
    if fault.byte is not None:
        return max(fault.byte + (sizes[-1] if fault.byte < 0 else 0), 0)
    after = fault.after
    if after == "nothing" or (after is None and (fault.kind == "reset" or not answer.streamed)):
        return 0
    if not answer.streamed:
        body = sizes[-1] - sizes[1]
        return sizes[1] + {"opening": 0, "some": body // 2, "text": body - 1}.get(str(after), body)
    return sizes[1 + _event(answer, fault, pieces)]


def _event(answer: Answer, fault: Fault, pieces: Sequence[str]) -> int:
    """After how many events of the stream it happens."""
    if not isinstance(fault.after, str):
        return min(_USUAL_EVENTS if fault.after is None else fault.after, len(answer.parts))
    said = _speaking(answer.parts, pieces) or [len(answer.parts) // 2]
    places = {"opening": said[0], "some": said[len(said) // 2], "text": said[-1] + 1, "all": len(answer.parts)}
    return places.get(fault.after, 0)


def _speaking(parts: Sequence[bytes], pieces: Sequence[str]) -> list[int]:
    """The events that bring the pieces of the text, in order; events that repeat it at the end are none of them."""
    found: list[int] = []
    for piece in pieces:
        written = json.dumps(piece).encode()
        at = next((at for at in range(found[-1] + 1 if found else 0, len(parts)) if written in parts[at]), None)
        if at is None:
            break
        found.append(at)
    return found


def _split(frames: Sequence[bytes], size: int) -> tuple[list[bytes], list[bytes]]:
    """The frames before and after so many bytes, one of them cut in two where it has to be."""
    before: list[bytes] = []
    rest = list(frames)
    while rest and size:
        frame = rest.pop(0)
        if len(frame) > size:
            rest.insert(0, frame[size:])
            frame = frame[:size]
        before.append(frame)
        size -= len(frame)
    return before, rest


def refused_address() -> str:
    """An address of this machine at which connections are refused: "http://127.0.0.1:PORT"."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def unknown_address() -> str:
    """An address whose name cannot be resolved, not even with a network: it is longer than names may be (RFC 1035)."""
    return f"http://{'.'.join(['nowhere' * 8] * 5)}.invalid"
