"""One SDK client per event loop.

Connections belong to the loop that opened them. The sync face runs a loop in a thread of its own while async callers
have theirs, so one model may serve several loops at a time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """A client that holds connections."""

    async def close(self) -> None:
        """Give the connections back."""
        ...


C = TypeVar("C", bound=Closable)


class ClientPool(Generic[C]):
    """Makes a client for each event loop at its first use there, and closes it with the loop, or with the pool."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._lock = threading.Lock()
        # Not a weak dictionary: a client refers to its loop, which would keep every entry alive for good.
        self._held: dict[asyncio.AbstractEventLoop, tuple[C, AsyncGenerator[None, None]]] = {}

    async def get(self) -> C:
        """The client of the running loop."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is not None:
            return held[0]
        with self._lock:
            for ended in [known for known in self._held if known.is_closed()]:
                del self._held[ended]
            client = self._make()
            guard = _closed_with_loop(client)
            self._held[loop] = client, guard
        await anext(guard)
        return client

    async def close(self) -> None:
        """Close the clients: the running loop's at once, the others' as soon as their loops come to it."""
        with self._lock:
            held, self._held = self._held, {}
        for loop, (_, guard) in held.items():
            if loop is asyncio.get_running_loop():
                await guard.aclose()
            elif loop.is_running():
                # Not waited for: that loop may itself be waiting for this call. It may also end right now, and then
                # it closes the client by itself.
                with suppress(RuntimeError):
                    asyncio.run_coroutine_threadsafe(_finish(guard), loop)


async def _closed_with_loop(client: Closable) -> AsyncGenerator[None, None]:
    """A generator that, once begun, closes the client when it is finalised: asyncio does that before a loop ends."""
    try:
        yield
    finally:
        await client.close()


async def _finish(guard: AsyncGenerator[None, None]) -> None:
    await guard.aclose()
