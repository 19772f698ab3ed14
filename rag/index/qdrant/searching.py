"""Searches of one collection. This module imports qdrant_client; import it lazily."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qdrant_client import models

from plumbline.errors import InputError
from rag.index.lexical.query import LexicalQuery
from rag.index.phrases import holding
from rag.index.qdrant.calls import Calls
from rag.index.qdrant.collection import DENSE, WORDS, Collection
from rag.index.qdrant.options import QdrantOptions
from rag.index.qdrant.rows import to_point, to_sparse, to_uuid
from rag.index.qdrant.shards import Shards
from rag.index.sparse_words import Sparse, SparseWords
from rag.index.store import Found, Point, Ranking, Search

MANY = 1000
"""A `k` above this is first cut to the number of points: a server sets memory aside for as many as are asked for."""

Fusion = Literal["rrf", "dbsf"]
Condition = models.Filter | None


@dataclass(frozen=True, slots=True)
class Searcher:
    """Asks the server and reads what it answers."""

    calls: Calls
    collection: Collection
    shards: Shards
    words: SparseWords
    options: QdrantOptions
    languages: Sequence[str] = ()
    """What there are points in."""

    async def search(self, search: Search, condition: Condition) -> Found:
        """Both rankings; raises `MissingCollectionError`."""
        await self.collection.ensure_order(search.filter)
        search = await self._bounded(search)
        keys: Any = await self.shards.asked(search.filter)
        query = self._query(search)
        asked, phrases = self._asked(query), query.phrases
        requests = []
        if search.vector is not None and search.vector.any():
            requests.append(self._dense(search, condition, keys))
        if asked is not None and not phrases:
            requests.append(self._lexical(asked, search.k, condition, keys))
        found = iter(await self._rankings(requests))
        dense = next(found) if search.vector is not None and search.vector.any() else []
        if asked is None:
            return Found(dense, [])
        lexical = await self._with_phrases(asked, search, condition, keys) if phrases else next(found)
        if search.complete and search.vector is not None and search.vector.any():
            return await self._completed(search, None if phrases else asked, Found(dense, lexical), keys)
        return Found(dense, lexical)

    async def _completed(self, search: Search, asked: Sparse | None, found: Found, keys: Any) -> Found:
        """Both sides over what either found, each with all of it; without `asked` the dense side alone."""
        if not (ids := found.ids):
            return found
        among = models.Filter(must=[models.HasIdCondition(has_id=[to_uuid(each) for each in ids])])
        over = dataclasses.replace(search, k=len(ids), exact=True)
        requests = [self._dense(over, among, keys)]
        if asked is not None:
            requests.append(self._lexical(asked, over.k, among, keys))
        dense, *lexical = await self._rankings(requests)
        return Found(dense, *(lexical or [found.lexical]))

    async def fused(self, search: Search, condition: Condition, fusion: Fusion) -> Ranking:
        """The ranking as the server fuses it; raises `InputError` unless both sides are asked for."""
        asked = self._asked(self._query(search))
        if search.vector is None or asked is None or search.phrases:
            raise InputError(
                "The server fuses searches by vector and by words, without phrases.", hint="Use search for others."
            )
        await self.collection.ensure_order(search.filter)
        vector: Any = search.vector.tolist()
        search = await self._bounded(search)
        keys: Any = await self.shards.asked(search.filter)
        sides = [
            models.Prefetch(query=vector, using=DENSE, filter=condition, params=self._params(search), limit=search.k),
            models.Prefetch(query=to_sparse(asked), using=WORDS, filter=condition, limit=search.k),
        ]
        query = models.FusionQuery(fusion=models.Fusion(fusion))
        request = models.QueryRequest(
            prefetch=list(sides), query=query, limit=search.k, with_payload=["id"], shard_key=keys
        )
        (ranking,) = await self._rankings([request])
        return ranking

    async def _bounded(self, search: Search) -> Search:
        """The search with a `k` that a server can be asked for; exact when it asks for everything."""
        if search.k <= MANY:
            return search
        found = await self.calls.make(lambda client: client.count(self.collection.name, exact=True))
        k = min(search.k, max(found.count, 1))
        return dataclasses.replace(search, k=k, exact=search.exact or k == found.count)

    def _query(self, search: Search) -> LexicalQuery:
        return LexicalQuery() if search.text is None else self.words.reading.query(search, self.languages)

    def _asked(self, query: LexicalQuery) -> Sparse | None:
        beginnings = self.words.asked_beginnings(query)
        if beginnings and not self.options.prefixes:
            raise InputError(f"This index keeps no prefixes, and {query.prefixes[0].start!r} was asked for.")
        return {**beginnings, **self.words.asked(query)} or None

    def _params(self, search: Search) -> models.SearchParams | None:
        if self.collection.local:  # which is exact
            return None
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=self.options.oversampling)
        return models.SearchParams(
            exact=search.exact,
            hnsw_ef=self.options.effort,
            quantization=rescored if self.options.quantization != "none" else None,
        )

    def _dense(self, search: Search, condition: Condition, keys: Any) -> models.QueryRequest:
        vector: Any = [] if search.vector is None else search.vector.tolist()
        return models.QueryRequest(
            query=vector,
            using=DENSE,
            filter=condition,
            params=self._params(search),
            limit=search.k,
            with_payload=["id"],
            shard_key=keys,
        )

    def _lexical(self, asked: Sparse, k: int, condition: Condition, keys: Any) -> models.QueryRequest:
        return models.QueryRequest(
            query=to_sparse(asked),
            using=WORDS,
            filter=condition,
            limit=k,
            with_payload=["id"],
            shard_key=keys,
        )

    async def _rankings(self, requests: list[models.QueryRequest]) -> list[Ranking]:
        answers = await self._answers(requests) if requests else []
        return [[(str((hit.payload or {})["id"]), hit.score) for hit in answer.points] for answer in answers]

    async def _answers(self, requests: list[models.QueryRequest]) -> list[models.QueryResponse]:
        return await self.calls.make(lambda client: client.query_batch_points(self.collection.name, requests))

    async def _with_phrases(self, asked: Sparse, search: Search, condition: Condition, keys: Any) -> Ranking:
        """The hits whose texts hold every phrase."""

        async def fetch(limit: int) -> list[tuple[Point, float]]:
            request = self._lexical(asked, limit, condition, keys)
            request.with_payload = True
            (answer,) = await self._answers([request])
            return [(to_point(hit), hit.score) for hit in answer.points]

        return await holding(fetch, self.words.reading, self._query(search).phrases, search.k)
