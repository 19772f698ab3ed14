"""One SDK client per provider and event loop.

Connections belong to the loop that opened them. The sync face runs a loop in a thread of its own while async callers
have theirs, so one model may serve several loops at a time. Models of the same provider share their clients where
they are made with the same `Connections`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar


class Closable(Protocol):
    """A client that holds connections."""

    async def close(self) -> None:
        """Give the connections back."""
        ...


C = TypeVar("C", bound=Closable)


class ClientPool(Generic[C]):
    """Makes a client for each event loop at its first use there, and closes it with the loop, or with the pool.

    The pool is closed by the last of its users.
    """

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._users = 1
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

    def shared(self) -> ClientPool[C]:
        """This pool for one user more, who closes it, too."""
        with self._lock:
            self._users += 1
        return self

    async def close(self) -> None:
        """Close the clients: the running loop's at once, the others' as soon as their loops come to it.

        Nothing is closed while others use them.
        """
        with self._lock:
            self._users = max(self._users - 1, 0)
            if self._users:
                return
            held, self._held = self._held, {}
        for loop, (_, guard) in held.items():
            if loop is asyncio.get_running_loop():
                await guard.aclose()
            elif loop.is_running():
                # Not waited for: that loop may itself be waiting for this call. It may also end right now, and then
                # it closes the client by itself.
                with suppress(RuntimeError):
                    asyncio.run_coroutine_threadsafe(_finish(guard), loop)


class Connections:
    """The pools of several models: those whose clients would be the same have one together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[Hashable, ClientPool[Any]] = {}

    def pool(self, key: Hashable, make: Callable[[], C]) -> ClientPool[C]:
        """The pool of `key`, which says all that `make` goes by: provider, address, key, patience."""
        with self._lock:
            known = self._pools.get(key)
            if known is None:
                known = self._pools[key] = ClientPool(make)
                return known
        return known.shared()


async def _closed_with_loop(client: Closable) -> AsyncGenerator[None, None]:
    """A generator that, once begun, closes the client when it is finalised: asyncio does that before a loop ends."""
    try:
        yield
    finally:
        await client.close()


async def _finish(guard: AsyncGenerator[None, None]) -> None:
    await guard.aclose()
