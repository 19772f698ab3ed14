"""Server-sent events (WHATWG HTML, 9.2), and work that stops when its client goes away."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request, Response

from plumbline.errors import PlumblineError
from rag.serve import problems
from rag.serve.errors import BusyError, ClientGoneError, RequestTimeoutError
from rag.serve.host import Host
from rag.serve.problems import Problem

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PING_SECONDS = 15.0
PING = b": ping\n\n"

T = TypeVar("T")
_Item = bytes | ClientGoneError | None
_log = logging.getLogger("rag.serve")


def event(name: str, data: str) -> bytes:
    """One event; `data` is JSON and so has no line break."""
    return f"event: {name}\ndata: {data}\n\n".encode("utf-8", "replace")


def problem_event(problem: Problem, request_id: str) -> bytes:
    """The event that ends a stream which failed."""
    return event("error", json.dumps(problem.document(request_id), ensure_ascii=False))


class EventStream(Response):
    """Sends what `events` yields, as it comes, each item one or more whole events in bytes.

    An error before the first item is raised, so that it is answered with its own status; a later one is told by the
    event that `on_error` makes of it. An idle connection gets a comment from time to time. When the client goes away,
    when the request's time is over and when the server is stopping, `events` is closed.
    """

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncGenerator[bytes, None], *, host: Host, on_error: Callable[[Problem], bytes]
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._host = host
        self._on_error = on_error
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream to its end, or until its client is gone."""
        queue: asyncio.Queue[_Item] = asyncio.Queue()
        pump = asyncio.create_task(self._pump(queue))
        watch = asyncio.create_task(_watch(receive, queue))
        try:
            failed = await self._told(self._pass_on(queue, pump, send), scope)
            if failed is not None:
                await self._send(send, self._on_error(failed))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            pump.cancel()
            watch.cancel()
            await asyncio.gather(pump, watch, return_exceptions=True)

    async def _pump(self, queue: asyncio.Queue[_Item]) -> None:
        try:
            async for item in self._events:
                queue.put_nowait(item)
        finally:
            await self._events.aclose()
            queue.put_nowait(None)

    async def _pass_on(self, queue: asyncio.Queue[_Item], pump: asyncio.Task[None], send: Send) -> None:
        while (item := await _next(queue)) is not None:
            if isinstance(item, ClientGoneError):
                raise item
            await self._send(send, item)
        await pump

    async def _told(self, passing: Coroutine[Any, Any, None], scope: Scope) -> Problem | None:
        """The problem that ended the stream; raised instead when nothing was sent yet."""
        seconds = self._host.settings.serve.timeout_seconds
        failed: PlumblineError
        try:
            async with asyncio.timeout(seconds):
                await passing
        except ClientGoneError:
            raise
        except PlumblineError as error:
            failed = error
        except TimeoutError:
            failed = RequestTimeoutError(f"The request was not done within {seconds:g} s.")
        except asyncio.CancelledError:
            if not self._host.traffic.expired:
                raise
            failed = BusyError("The server is stopping.")
        except Exception:
            if not self._begun:
                raise
            request_id = scope["state"]["request_id"]
            _log.exception("request %s: the stream failed", request_id)
            return problems.internal(request_id)
        else:
            return None
        if not self._begun:
            raise failed
        return Problem.of(failed)

    async def _send(self, send: Send, body: bytes) -> None:
        if not self._begun:
            self._begun = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def attended(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; when the client goes away first, it is cancelled and `ClientGoneError` raised."""
    queue: asyncio.Queue[_Item] = asyncio.Queue()
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: queue.put_nowait(None))
    watch = asyncio.create_task(_watch(request.receive, queue))
    try:
        if isinstance(first := await queue.get(), ClientGoneError):
            raise first
        return await task
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _next(queue: asyncio.Queue[_Item]) -> _Item:
    """What comes next, or a ping when nothing comes."""
    try:
        async with asyncio.timeout(PING_SECONDS):
            item = await queue.get()
    except TimeoutError:
        return PING
    return item


async def _watch(receive: Receive, queue: asyncio.Queue[_Item]) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    queue.put_nowait(ClientGoneError("The client went away."))
