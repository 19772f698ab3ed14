"""A fake provider on a local port, which fails on demand.

It speaks the HTTP interfaces of OpenAI and Anthropic, of embedding and reranking at Cohere, and of reranking at vLLM.
It shows an adapter everything a real provider does, down to a connection that breaks in the middle of a stream, and
needs no network and no package.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from routing.testing import wire, wire_rerank
from routing.testing.fakes import hashed_vector
from routing.testing.wire import Script

_LONGEST_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request.

    - "status": answers with `status`, `headers` and `body` (by default an error of the provider's form)
    - "body": answers with 200 and `body`, whatever that is
    - "reset": resets the connection before any answer
    - "stall": never answers; in a stream, never goes on after `after` events
    - "cut": closes the connection in a stream after `after` events, without ending it properly
    - "end": ends a stream properly after `after` events
    - "error": sends an error with `status` inside a stream, after `after` events
    """

    kind: Literal["status", "body", "reset", "stall", "cut", "end", "error"]
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    content_type: str = "application/json"
    after: int = 3


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class FakeProvider:
    """The server, as an async context manager: `async with FakeProvider() as server: … server.url`.

    `script` is what it answers; set it at any time. `faults` go wrong in order, one request each; `requests` has all
    that arrived. `pause` is the seconds between the events of a stream, `dim` the length of its embeddings.
    """

    def __init__(
        self, script: Script | None = None, *, faults: Iterable[Fault] = (), pause: float = 0.0, dim: int = 1536
    ) -> None:
        self.script = script or Script()
        self.faults: deque[Fault] = deque(faults)
        self.requests: list[Received] = []
        self.pause = pause
        self.dim = dim
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The server's address, "http://127.0.0.1:PORT"."""
        assert self._server is not None, "the server runs inside its `async with` block"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (received := await _read(reader)) is not None:
                self.requests.append(received)
                if not await self._answer(received, writer):
                    break
        except (ConnectionError, asyncio.CancelledError):
            # The client went away, or the server is closing; a cancelled task of asyncio's server would be reported.
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; false when the connection is not to be used again."""
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and fault.kind == "reset":
            _reset(writer)
            return False
        if received.body.get("stream") and (fault is None or fault.kind not in ("status", "body")):
            return await self._stream(received, writer, fault)
        if fault is not None and fault.kind == "stall":
            await asyncio.Event().wait()
        if fault is None:
            await _send(writer, 200, json.dumps(self._document(received)))
        else:
            anthropic = received.path.endswith("/messages")
            body = json.dumps(wire.error_body(fault.status, "scripted failure", anthropic=anthropic))
            status = 200 if fault.kind == "body" else fault.status
            await _send(writer, status, body if fault.body is None else fault.body, fault.headers, fault.content_type)
        return True

    def _document(self, received: Received) -> dict[str, Any]:
        model = str(received.body.get("model"))
        if received.path.endswith("/messages"):
            return wire.anthropic_message(self.script, model)
        if received.path.endswith("/embeddings"):
            return self._embeddings(received.body, model)
        if received.path.endswith("/embed"):
            return self._cohere_embeddings(received.body)
        if received.path.endswith("/v2/rerank"):
            return wire_rerank.cohere_results(received.body)
        if received.path.endswith("/rerank"):
            return wire_rerank.served_results(received.body)
        if received.path.endswith("/score"):
            return wire_rerank.served_scores(received.body)
        return wire.openai_completion(self.script, model)

    def _embeddings(self, body: Mapping[str, Any], model: str) -> dict[str, Any]:
        vectors = [hashed_vector(text, int(body.get("dimensions", self.dim))) for text in body["input"]]
        tokens = sum(len(text.split()) for text in body["input"])
        return wire.openai_embeddings(vectors, model, tokens, as_base64=body.get("encoding_format") == "base64")

    def _cohere_embeddings(self, body: Mapping[str, Any]) -> dict[str, Any]:
        vectors = [hashed_vector(text, int(body.get("output_dimension", self.dim))) for text in body["texts"]]
        return wire_rerank.cohere_embeddings(vectors, sum(len(text.split()) for text in body["texts"]))

    def _events(self, received: Received) -> Iterator[bytes]:
        model = str(received.body.get("model"))
        if received.path.endswith("/messages"):
            return wire.anthropic_events(self.script, model)
        return wire.openai_chunks(self.script, model)

    async def _stream(self, received: Received, writer: asyncio.StreamWriter, fault: Fault | None) -> bool:
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        for count, event in enumerate(self._events(received)):
            if fault is not None and count == fault.after:
                return await self._break(received, writer, fault)
            await _send_chunk(writer, event)
            await asyncio.sleep(self.pause)
        await _send_chunk(writer, b"")
        return True

    async def _break(self, received: Received, writer: asyncio.StreamWriter, fault: Fault) -> bool:
        if fault.kind == "stall":
            await asyncio.Event().wait()
        if fault.kind == "error":
            anthropic = received.path.endswith("/messages")
            body = wire.error_body(fault.status, "scripted failure", anthropic=anthropic)
            event = wire.sse("error", body) if anthropic else f"data: {json.dumps(body)}\n\n".encode()
            await _send_chunk(writer, event)
        if fault.kind != "cut":
            await _send_chunk(writer, b"")
        return fault.kind != "cut"


async def _read(reader: asyncio.StreamReader) -> Received | None:
    """The next request of a connection, or `None` when the client has closed it."""
    with suppress(asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        assert len(head) < _LONGEST_HEAD
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Received(request.split(" ")[1], headers, json.loads(body or b"{}"))
    return None


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: str,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> None:
    data = body.encode()
    lengths = {"content-type": content_type, "content-length": str(len(data))}
    writer.write(_head(status, {**lengths, **(headers or {})}) + data)
    await writer.drain()


async def _send_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    """One chunk of a body (RFC 9112, 7.1); an empty one ends it."""
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the client sees a reset: with nothing left to linger for, the kernel sends RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
