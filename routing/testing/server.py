"""A fake provider on a local port, which fails on demand.

It speaks the HTTP interfaces of `routing.testing.wires`: OpenAI's, Anthropic's, Cohere's, and reranking at vLLM. It
shows an adapter everything a real provider does, down to a connection that breaks in the middle of a stream, and needs
no network and no package.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable

from routing.testing.faults import Fault, Step, Then, steps
from routing.testing.serving import LocalServer
from routing.testing.wire import Script
from routing.testing.wire_http import Answer, Received, read_request
from routing.testing.wires import Asked, wire_of

__all__ = ["FakeProvider", "Fault", "Received", "Script"]
MESSAGE = "scripted failure"
"""What the errors of a fake provider say."""


class FakeProvider(LocalServer):
    """The server, as an async context manager: `async with FakeProvider() as server: … server.url`.

    `script` is what it answers; set it at any time. `faults` go wrong in order, one request each; for the requests
    after them `choose` says what does. `requests` has all that arrived. `pause` is the seconds between the events of a
    stream, `dim` the length of its embeddings. `port` is its own, by default any that is free.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        faults: Iterable[Fault] = (),
        choose: Callable[[Received], Fault | None] = lambda received: None,
        pause: float = 0.0,
        dim: int = 1536,
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.script = script or Script()
        self.faults: deque[Fault] = deque(faults)
        self.choose = choose
        self.requests: list[Received] = []
        self.pause = pause
        self.dim = dim

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes, or fail."""
        while (received := await read_request(reader)) is not None:
            self.requests.append(received)
            for step in self._steps(received):
                await self._do(step, reader, writer)

    def _steps(self, received: Received) -> Iterable[Step]:
        fault = self.faults.popleft() if self.faults else self.choose(received)
        speaks = wire_of(received)
        answer = speaks.answer(Asked(self.script, received.body, self.dim))
        if fault is None:
            return answer.frames()
        if fault.kind in ("status", "body") or (fault.kind == "error" and not answer.streamed):
            said = json.dumps(speaks.error(fault.status, MESSAGE)) if fault.body is None else fault.body
            body = said.encode() if isinstance(said, str) else said
            status = 200 if fault.kind == "body" else fault.status
            other = Answer((body,), status=status, content_type=fault.content_type, headers=fault.headers)
            return other.frames()
        return steps(answer, fault, self.script.pieces, speaks.error_event(fault.status, MESSAGE))

    async def _do(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Raises `ConnectionError` when the connection is not to be used any more."""
        match step:
            case bytes():
                writer.write(step)
                await writer.drain()
                await asyncio.sleep(self.pause)
            case Then.RESET:
                _reset(writer)
                raise ConnectionResetError
            case Then.WAIT:
                await reader.read()
            case float():
                await asyncio.sleep(step)
        if step in (Then.CLOSE, Then.WAIT):
            raise ConnectionAbortedError


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the client sees a reset: with nothing left to linger for, the kernel sends RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
