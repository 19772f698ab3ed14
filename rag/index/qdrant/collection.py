"""One collection on the server: made when it is first written to, with the indexes that filters need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from rag.errors import StoreError
from rag.index.filters import Filter
from rag.index.identity import refuse_others
from rag.index.qdrant import conditions, fields
from rag.index.qdrant.calls import Calls, MissingCollectionError
from rag.index.qdrant.options import QdrantOptions
from rag.index.remembered import Remembered
from rag.index.sparse_words import AVERAGE_LENGTH

DENSE, WORDS = "dense", "words"
IDS_PER_PAGE = 5000
POINTS_PER_READ = 256
MOST_LANGUAGES = 200
LANGUAGES_SECONDS = 5.0
_AVERAGE, _OWNER = "average_length", "knowledge_base"


class Collection:
    """The collection `name` for vectors of `dim`; given an `owner`, it is refused to anybody of another name."""

    def __init__(
        self,
        calls: Calls,
        name: str,
        dim: int,
        options: QdrantOptions,
        *,
        local: bool,
        owner: Callable[[], str] | None = None,
    ) -> None:
        self.calls = calls
        self.name = name
        self.dim = dim
        self._options = options
        self._owner = owner
        self.local = local
        self._ready = False
        self._average: float | None = None
        self.languages_seen = Remembered[list[str]](LANGUAGES_SECONDS)
        """To be forgotten when something was written."""
        self._ordered: set[tuple[str, type]] = set()

    async def ensure(self, average: float = AVERAGE_LENGTH) -> None:
        """Make the collection unless it is there, for texts of `average` length; raises `StoreError`.

        It does so for a collection that holds other vectors, or is another's.
        """
        if self._ready:
            return
        try:
            info = await self._info()
        except MissingCollectionError:
            await self.calls.make(lambda client: self._create(client, average))
            info = await self._info()
        vectors = info.config.params.vectors
        found = vectors.get(DENSE) if isinstance(vectors, dict) else None
        if found is None or found.size != self.dim:
            raise StoreError(
                f"The collection {self.name} at {self.calls.place} holds "
                f"{'other things' if found is None else f'vectors of {found.size}'}, not vectors of {self.dim}.",
                hint="Name another collection in the setting store.collection.",
            )
        for field, schema in _FIRST_INDEXES.items():
            await self._index(field, schema)
        self._ready = True

    async def average_length(self) -> float:
        """The length of a text that counts as average; raises `MissingCollectionError`."""
        await self.mine()
        return AVERAGE_LENGTH if self._average is None else self._average

    async def mine(self) -> None:
        """Raise `StoreError` when it is another's, `MissingCollectionError` when nobody's."""
        if self._average is None:
            await self._info()

    async def languages(self) -> list[str]:
        """What the words of its points are read in, as of five seconds ago; raises `MissingCollectionError`."""
        known, since = self.languages_seen.get(), self.languages_seen.moment()
        if known is None:
            found = await self.calls.make(lambda client: client.facet(self.name, fields.LANGUAGE, limit=MOST_LANGUAGES))
            known = [str(hit.value) for hit in found.hits]
            self.languages_seen.keep(known, since)
        return known

    def forget(self) -> None:
        """Ask the server anew for what is known of the collection."""
        self._ready, self._average = False, None
        self._ordered.clear()

    async def ensure_order(self, condition: Filter | None) -> None:
        """Index the fields whose order a filter asks for."""
        for field, kind in set(conditions.ranges(condition)) - self._ordered:
            name = fields.safe(field)
            key = f"{fields.TEXTS}.{name}[].p0" if kind is str else f"{fields.NUMBERS}.{name}"
            await self._index(key, models.FloatIndexParams(type=models.FloatIndexType.FLOAT))
            self._ordered.add((field, kind))

    async def records(self, ids: Sequence[str]) -> list[models.Record]:
        """Those of the points with these ids that exist, with vectors and payload, in any order."""
        found: list[models.Record] = []
        try:
            for start in range(0, len(ids), POINTS_PER_READ):
                found += await self._retrieved(list(ids[start : start + POINTS_PER_READ]))
        except MissingCollectionError:
            return []
        return found

    async def names(self) -> list[str]:
        """Our ids of all points, in any order; holds them all in memory."""
        found: list[str] = []
        offset: Any = None
        try:
            while True:
                some, offset = await self._page(offset)
                found.extend(str((record.payload or {})["id"]) for record in some)
                if offset is None:
                    return found
        except MissingCollectionError:
            return []

    async def remove(self, ids: Sequence[str], keys: Sequence[str]) -> None:
        """Remove points, on the shards with these keys where there are any."""
        some: list[Any] = list(ids)
        selected: Any = list(keys) or None
        selector = models.PointIdsList(points=some)
        await self.calls.make(lambda client: client.delete(self.name, selector, wait=True, shard_key_selector=selected))

    async def drop(self) -> None:
        """Remove the collection, and what pointed at it."""
        try:
            await self.mine()
            self.forget()
            await self.calls.make(lambda client: client.delete_collection(self.name))
        except MissingCollectionError:
            return

    async def publish(self, alias: str) -> None:
        """Point `alias` at this collection, in one step; raises `StoreError`, also when a collection has that name."""
        known = await self.calls.make(lambda client: client.get_aliases())
        made: list[models.AliasOperations] = [
            models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=self.name, alias_name=alias))
        ]
        if any(each.alias_name == alias for each in known.aliases):
            gone = models.DeleteAlias(alias_name=alias)
            made.insert(0, models.DeleteAliasOperation(delete_alias=gone))
        await self.calls.make(lambda client: client.update_collection_aliases(made))

    async def _info(self) -> models.CollectionInfo:
        info = await self.calls.make(lambda client: client.get_collection(self.name))
        metadata = info.config.metadata or {}
        owner = await asyncio.to_thread(self._owner) if self._owner else None
        refuse_others(metadata.get(_OWNER), owner, f"The collection {self.name} at {self.calls.place}")
        known = metadata.get(_AVERAGE)
        self._average = float(known) if isinstance(known, int | float) else AVERAGE_LENGTH
        return info

    async def _retrieved(self, ids: list[Any]) -> list[models.Record]:
        return await self.calls.make(lambda client: client.retrieve(self.name, ids, with_vectors=True))

    async def _page(self, offset: Any) -> tuple[list[models.Record], Any]:
        """Some ids, and where the next begin."""
        return await self.calls.make(
            lambda client: client.scroll(self.name, limit=IDS_PER_PAGE, offset=offset, with_payload=["id"])
        )

    async def _index(self, key: str, schema: models.PayloadSchemaParams) -> None:
        if not self.local:  # local mode has none, and says so
            await self.calls.make(lambda client: client.create_payload_index(self.name, key, schema, wait=True))

    async def _create(self, client: AsyncQdrantClient, average: float) -> None:
        """Make the collection; that another process was quicker is no error."""
        if await client.collection_exists(self.name):
            return
        options = self._options
        owner = {_OWNER: await asyncio.to_thread(self._owner)} if self._owner else {}
        codes = _QUANTIZATIONS[options.quantization]
        try:
            await client.create_collection(
                self.name,
                # Vectors are of unit length: the dot product is the cosine, and leaves them as they are.
                vectors_config={
                    DENSE: models.VectorParams(
                        size=self.dim,
                        distance=models.Distance.DOT,
                        quantization_config=codes,
                        on_disk=codes is not None,
                    )
                },
                sparse_vectors_config={WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                shard_number=options.shards,
                sharding_method=models.ShardingMethod.CUSTOM if options.shard_field else None,
                replication_factor=options.replicas,
                write_consistency_factor=options.write_consistency,
                on_disk_payload=True,
                metadata={_AVERAGE: average, **owner},
            )
        except Exception:
            if not await client.collection_exists(self.name):
                raise


_FIRST_INDEXES: dict[str, models.PayloadSchemaParams] = {
    fields.LANGUAGE: models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD),
    fields.FACTS: models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD),
    fields.TENANT: models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
}
_QUANTIZATIONS: dict[str, models.QuantizationConfig | None] = {
    "none": None,
    "int8": models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
    ),
    "binary": models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True)),
}
