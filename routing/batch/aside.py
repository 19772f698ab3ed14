"""A slot among few is given up while its holder waits for hours, so that others can come as far as it has."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

_slot: ContextVar[Semaphore | None] = ContextVar("plumbline_batch_slot", default=None)


@contextmanager
def lending(slots: Semaphore) -> Iterator[None]:
    """Inside the block whoever waits for a batch gives up the one of `slots` that is held, and takes one afterwards."""
    token = _slot.set(slots)
    try:
        yield
    finally:
        _slot.reset(token)


@asynccontextmanager
async def set_aside() -> AsyncIterator[None]:
    """The wait of somebody who may hold such a slot."""
    slots = _slot.get()
    if slots is None:
        yield
        return
    slots.release()
    try:
        yield
    finally:
        await slots.acquire()
