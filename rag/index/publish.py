"""Stores that others read too: they are told which generation is searched."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from rag.index.store import Store


@runtime_checkable
class Published(Protocol):
    """A store with a name for whichever generation is searched, such as an alias on a Qdrant server."""

    async def publish(self) -> None:
        """Let that name mean this generation, at once for everyone."""
        ...


async def publish(store: Store) -> None:
    """Say that this store's generation is searched from now on, where it has a way to; else do nothing."""
    if isinstance(store, Published):
        await store.publish()
