"""HTTP/1.1 as a server writes it: heads, bodies, and the bytes they come to on the wire (RFC 9112)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

_LONGEST_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: `parts` are the events of a stream, or one whole document."""

    parts: Sequence[bytes]
    streamed: bool = False
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def frames(self) -> list[bytes]:
        """The answer in bytes: its head, each part, and of a stream what ends it."""
        return [
            self.head(),
            *(self.framed(part) for part in self.parts),
            *([self.framed(b"")] if self.streamed else ()),
        ]

    def head(self) -> bytes:
        """The line of the status and the headers."""
        length = {"content-length": str(sum(map(len, self.parts)))}
        of_body = {"transfer-encoding": "chunked"} if self.streamed else length
        headers = {"content-type": self.content_type, **of_body, **self.headers}
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def framed(self, part: bytes) -> bytes:
        """A part as it is sent: in a stream as a chunk, of which an empty one is the last."""
        return f"{len(part):x}\r\n".encode() + part + b"\r\n" if self.streamed else part


async def read_request(reader: asyncio.StreamReader) -> Received | None:
    """The next request of a connection, or `None` when the client has closed it, or does not speak HTTP (but TLS)."""
    with suppress(asyncio.IncompleteReadError):
        first = await reader.readexactly(1)
        if not first.isalpha():
            return None
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        assert len(head) < _LONGEST_HEAD
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Received(request.split(" ")[1], headers, json.loads(body or b"{}"))
    return None
