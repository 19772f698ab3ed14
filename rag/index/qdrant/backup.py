"""Snapshots of a collection: the server's own where one file holds it all, else every point in a file of ours."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from plumbline.database import storage_errors
from plumbline.errors import InputError
from rag.errors import StoreError
from rag.index.points_file import export_points, refuse_existing, restore
from rag.index.qdrant.calls import Calls
from rag.index.qdrant.collection import Collection
from routing.models.direct import way_to

if TYPE_CHECKING:
    from rag.index.qdrant.store import QdrantStore


@dataclass(frozen=True, slots=True)
class Server:
    """Where files are fetched from and sent to; the client knows no way. `headers` carry the key."""

    url: str
    headers: Mapping[str, str]
    timeout: float


@dataclass(frozen=True, slots=True)
class Backup:
    """Writes and reads snapshots of one collection of `server`; `None`: of the local mode, which has none."""

    calls: Calls
    collection: Collection
    server: Server | None

    async def write(self, target: Path, store: QdrantStore) -> None:
        """Write to `target`; raises `StoreError`, `StorageError`."""
        refuse_existing(target)
        await self.collection.ensure()
        if self.server is None or await self._is_spread():
            await export_points(store, target, self.collection.dim)
            return
        name = self.collection.name
        made = await self.calls.make(lambda client: client.create_snapshot(name, wait=True))
        if made is None:
            raise StoreError(f"Qdrant at {self.calls.place} made no snapshot of {name}.")
        try:
            await self._download(f"{self._snapshots}/{made.name}", target)
        finally:
            await self.calls.make(lambda client: client.delete_snapshot(name, made.name, wait=True))

    async def read(self, source: Path, store: QdrantStore) -> None:
        """Take what is in `source` in the place of what the collection holds; raises as `write`, and `InputError`."""
        if _is_points(source):
            await store.clear()
            await restore(store, source)
            return
        if self.server is None:
            raise InputError(f"'{source}' is a snapshot of a Qdrant server, which only a server can read.")
        await self.calls.make(lambda client: self._upload(source))
        self.collection.forget()
        await self.collection.ensure()

    @property
    def _snapshots(self) -> str:
        return f"/collections/{self.collection.name}/snapshots"

    async def _is_spread(self) -> bool:
        found = await self.calls.make(lambda client: client.collection_cluster_info(self.collection.name))
        return bool(found.remote_shards)

    def _http(self) -> httpx.AsyncClient:
        server = self.server
        assert server is not None
        return httpx.AsyncClient(
            base_url=server.url, headers=dict(server.headers), timeout=server.timeout, **way_to(server.url)
        )

    async def _download(self, path: str, target: Path) -> None:
        draft = target.with_name(f"{target.name}.draft")

        async def fetch() -> None:
            async with self._http() as client, client.stream("GET", path) as response:
                response.raise_for_status()
                with storage_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with draft.open("wb") as file:
                        async for block in response.aiter_bytes():
                            file.write(block)

        try:
            await self.calls.make(lambda client: fetch())
            with storage_errors(target):
                draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    async def _upload(self, source: Path) -> None:
        """Send the file; the server takes it in the place of what it has."""
        with storage_errors(source), source.open("rb") as file:
            async with self._http() as client:
                response = await client.post(
                    f"{self._snapshots}/upload",
                    params={"priority": "snapshot", "wait": "true"},
                    files={"snapshot": (source.name, file)},
                )
                response.raise_for_status()


def _is_points(source: Path) -> bool:
    """Whether a file is one of `rag.index.points_file`: gzip; a server's snapshot is a tar."""
    if not source.is_file():
        raise InputError(f"There is no snapshot at '{source}'.")
    with storage_errors(source), source.open("rb") as file:
        return file.read(2) == gzip.compress(b"")[:2]
