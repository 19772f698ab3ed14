"""The store on a Qdrant server or cluster. This module imports qdrant_client; import it lazily.

A knowledge base's generation is a collection, `NAME-gN`; the alias NAME points at the one that is searched once
`publish` was called, for whoever else reads the collection. Both rankings come in one request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from rag.index.checks import check_points, check_search
from rag.index.field_terms import FieldTerms
from rag.index.filters import Filter
from rag.index.qdrant import rows
from rag.index.qdrant.backup import Backup, Server
from rag.index.qdrant.calls import Calls, Clients, MissingCollectionError
from rag.index.qdrant.collection import Collection
from rag.index.qdrant.conditions import to_filter
from rag.index.qdrant.options import QdrantOptions
from rag.index.qdrant.searching import Fusion, Searcher
from rag.index.qdrant.shards import Shards
from rag.index.retries import RETRIES
from rag.index.sparse_words import SparseWords, average_length
from rag.index.store import Found, Point, Ranking, Search
from routing.settings import RetrySettings

IDS_PER_CALL = 5000


class QdrantStore:
    """A `Store` in the collection `NAME-gN`, made at the first write.

    A call is written in requests of some 256 points, each atomic on its shard; one that fails half-way is completed
    when the call is made again. What was written is seen by the next search; in which languages there are points is
    asked anew every five seconds, and after each write of this store's own. Phrases are checked in the texts of
    what the words of the search find; a prefix counts with its first 8 letters. Given an `owner`, who is asked for a
    name when it matters, the collection is refused to anybody of another.
    """

    name = "qdrant"

    def __init__(
        self,
        clients: Clients,
        *,
        dim: int,
        collection: str,
        generation: int = 1,
        options: QdrantOptions | None = None,
        server: Server | None = None,
        retry: RetrySettings = RETRIES,
        owner: Callable[[], str] | None = None,
    ) -> None:
        self._options = options or QdrantOptions()
        self._server = server
        self._calls = Calls(clients, server.url if server else "this process", retry)
        self._alias = collection
        self._collection = Collection(
            self._calls, f"{collection}-g{generation}", dim, self._options, local=server is None, owner=owner
        )
        self._shards = Shards(self._calls, self._collection.name, self._options.shard_field)
        self._dim = dim
        self._reading = FieldTerms(self._options.lexical)
        self._words = SparseWords(self._reading)

    @property
    def lexical_scorer(self) -> str:
        """How its lexical side scores."""
        given = self._options.average_length
        return f"bm25f (idf of the server, average length {'of the first points' if given is None else f'{given:g}'})"

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points; of two with one id the last counts."""
        check_points(points, self._dim)
        if not points:
            return
        last = list({point.id: point for point in points}.values())
        read = [self._reading.weighted(point) for point in last]
        await self._collection.ensure(average_length([sum(terms.values()) for terms in read]))
        words = await self._sparse_words()
        made = [
            rows.to_row(point, words.of_point(terms, prefixes=self._options.prefixes), self._reading.language(point))
            for point, terms in zip(last, read, strict=True)
        ]
        try:
            for some in rows.portions(made):
                await self._shards.put(some)
        finally:
            self._collection.languages_seen.forget()

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points."""
        try:
            await self._collection.mine()
            for start in range(0, len(ids), IDS_PER_CALL):
                some = [rows.to_uuid(each) for each in ids[start : start + IDS_PER_CALL]]
                await self._collection.remove(some, await self._shards.all())
        except MissingCollectionError:
            return
        finally:
            self._collection.languages_seen.forget()

    async def search(self, search: Search) -> Found:
        """Find points, both rankings in one request; a search for phrases may need more."""
        check_search(search, self._dim)
        condition = to_filter(search.filter)
        if condition is False:
            return Found([], [])
        try:
            return await (await self._searcher(search)).search(search, None if condition is True else condition)
        except MissingCollectionError:
            return Found([], [])

    async def search_fused(self, search: Search, fusion: Fusion = "rrf") -> Ranking:
        """Both sides fused by the server, with Qdrant's constants; raises `InputError` unless both are asked for."""
        check_search(search, self._dim)
        condition = to_filter(search.filter)
        if condition is False:
            return []
        try:
            return await (await self._searcher(search)).fused(search, None if condition is True else condition, fusion)
        except MissingCollectionError:
            return []

    async def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        found = {
            record.id: rows.to_point(record)
            for record in await self._collection.records([rows.to_uuid(each) for each in ids])
        }
        return [found[name] for point_id in ids if (name := rows.to_uuid(point_id)) in found]

    async def ids(self) -> list[str]:
        """Every id, sorted; holds them all in memory."""
        return sorted(await self._collection.names())

    def terms(self, text: str, language: str | None = None) -> list[str]:
        """What the lexical side reads of a text, in order."""
        return self._reading.read(text, language)

    def lexical_terms(self, point: Point) -> dict[str, float]:
        """What the lexical side holds of a point."""
        return self._reading.weighted(point)

    async def postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """For each of these points that exists, in their order: the terms that its sparse vector bears out."""
        try:
            words = await self._sparse_words()
        except MissingCollectionError:
            return []
        found = {}
        for record in await self._collection.records([rows.to_uuid(each) for each in ids]):
            weighted = self._reading.weighted(rows.to_point(record))
            also = words.of_beginnings(weighted) if self._options.prefixes else {}
            found[record.id] = words.stored(weighted, rows.words_of(record), also=also)
        return [found[name] for point_id in ids if (name := rows.to_uuid(point_id)) in found]

    async def clear(self) -> None:
        """Remove the collection."""
        self._collection.languages_seen.forget()
        await self._collection.drop()

    async def count(self, condition: Filter | None = None) -> int:
        """How many points there are, or match; exactly."""
        wanted = to_filter(condition)
        if wanted is False:
            return 0
        try:
            await self._collection.ensure_order(condition)
            found = await self._calls.make(
                lambda client: client.count(self._collection.name, None if wanted is True else wanted, exact=True)
            )
        except MissingCollectionError:
            return 0
        return found.count

    async def compact(self) -> None:
        """Nothing to do: the server optimises its segments by itself."""

    async def snapshot(self, target: Path) -> None:
        """Write the server's own snapshot of the collection; where there is no one such file, every point.

        A cluster has a snapshot on each node, and the local mode none: there it is a file as of
        `rag.index.points_file`. `restore` takes either.
        """
        await Backup(self._calls, self._collection, self._server).write(target, self)

    async def restore(self, source: Path) -> None:
        """Put a snapshot in the place of what the collection holds."""
        await Backup(self._calls, self._collection, self._server).read(source, self)
        self._collection.languages_seen.forget()

    async def publish(self) -> None:
        """Point the alias at this generation, at once for everyone; call it when the generation is complete."""
        await self._collection.ensure()
        await self._collection.publish(self._alias)

    async def close(self) -> None:
        """Give back the connections of the running loop."""
        await self._calls.clients.close()

    async def _searcher(self, search: Search) -> Searcher:
        await self._collection.mine()
        languages = [] if search.text is None else await self._collection.languages()
        return Searcher(self._calls, self._collection, self._shards, self._words, self._options, languages)

    async def _sparse_words(self) -> SparseWords:
        """What writes the vectors of points; raises `MissingCollectionError`."""
        given = self._options.average_length
        average = await self._collection.average_length() if given is None else given
        return dataclasses.replace(self._words, average=average)
