"""Connections to a Qdrant server: one client for each event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rag.index.qdrant.backup import Server
from routing.models.clients import ClientPool
from routing.models.direct import way_to

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient

TIMEOUT_SECONDS = 30


def server_at(url: str, key: str | None, timeout: float = TIMEOUT_SECONDS) -> Server:
    """The server at `url`, asked with `key`."""
    return Server(url.rstrip("/"), {"api-key": key} if key else {}, timeout)


def clients_of(server: Server) -> ClientPool[AsyncQdrantClient]:
    """The clients of a server. They ask nothing until they are used."""
    from qdrant_client import AsyncQdrantClient

    def make() -> AsyncQdrantClient:
        return AsyncQdrantClient(
            url=server.url,
            port=None,
            headers=dict(server.headers),
            timeout=int(server.timeout),
            check_compatibility=False,  # it would ask the server here and now
            **way_to(server.url),
        )

    return ClientPool(make)


class OneClient:
    """The same client on every loop: for the local mode, which holds no connection."""

    def __init__(self, make: Callable[[], AsyncQdrantClient]) -> None:
        self._client = make()

    async def get(self) -> AsyncQdrantClient:
        """The client."""
        return self._client

    async def close(self) -> None:
        """Keep it: other stores may use it."""
