"""How much at a time, how large and how long: the requests that run, and what a body may hold."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.serve.errors import BodyTooLargeError, BusyError, ClientGoneError, SlowRequestError

if TYPE_CHECKING:
    from starlette.types import Message, Receive

RETRY_AFTER_SECONDS = 1
LONGEST_FILTER = 20_000
"""Characters of a filter in a request."""


@dataclass(slots=True)
class Traffic:
    """The requests that run now, at most `limit` of them.

    `draining` is true once the server is told to stop; `expired` once running requests were cut off.
    """

    limit: int
    draining: bool = False
    expired: bool = False
    running: set[asyncio.Task[object]] = field(default_factory=set)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count the task that runs the block; raises `BusyError` when there are too many."""
        if len(self.running) >= self.limit:
            raise BusyError(
                f"The server works on {self.limit} requests, as many as it takes at a time.",
                hint="Try again shortly.",
                headers={"retry-after": str(RETRY_AFTER_SECONDS)},
            )
        task = asyncio.current_task()
        assert task is not None, "requests run in tasks"
        self.running.add(task)
        try:
            yield
        finally:
            self.running.discard(task)

    def cut_off(self) -> None:
        """Cancel what still runs."""
        self.expired = True
        for task in tuple(self.running):
            task.cancel()


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], *, limit: int, seconds: float) -> bytes:
    """The whole body.

    Raises `BodyTooLargeError` for more than `limit` bytes, before reading them where the length is announced,
    `SlowRequestError` when it has not come after `seconds`, `ClientGoneError` when it never will.
    """
    if announced_bytes(headers.get(b"content-length", b"")) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError("The client went away.")
                body += message.get("body", b"")
                if len(body) > limit:
                    raise _too_large(limit)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise SlowRequestError(f"The request's body did not come within {seconds:g} s.") from error


def announced_bytes(content_length: bytes) -> int:
    """How long a body says that it is; 0 when it does not."""
    return int(content_length) if re.fullmatch(rb"[0-9]{1,18}", content_length) else 0


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then what comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The request has more than {limit:,} bytes.", hint="Send less, or raise the setting 'serve.max_body_bytes'."
    )
