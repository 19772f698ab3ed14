"""The store in PostgreSQL with pgvector. This module imports psycopg; import it lazily."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rag.index.checks import check_points, check_search
from rag.index.field_terms import FieldTerms
from rag.index.filters import Filter
from rag.index.lexical.query import LexicalQuery
from rag.index.pgvector.answers import rankings, with_texts
from rag.index.pgvector.conditions import to_sql
from rag.index.pgvector.connections import Connection, Connections, MissingTableError
from rag.index.pgvector.searching import FEW, Asked
from rag.index.pgvector.tables import COLUMNS, Tables, base_name, to_point
from rag.index.pgvector.writing import LONGEST_TERM, Row, kept, put, remove
from rag.index.phrases import holding
from rag.index.points_file import PointsWriter
from rag.index.remembered import Remembered
from rag.index.settings import LexicalSettings
from rag.index.store import Found, Point, Search

T = TypeVar("T")
LANGUAGES_SECONDS = 5.0


class PgVectorStore:
    """A `Store` in tables of its own, made at the first write.

    A call is one transaction. The dense side is exact for up to 2,000 points that match, else approximate (HNSW) from
    the first `compact` with more than so many; until then it compares with every point. The lexical side is BM25 over
    our own terms, with exact frequencies and lengths as of the moment: PostgreSQL's own ranking of full text, measured
    beside it, is slower and finds less. Phrases are checked in the texts of what the words of the search find. In which
    languages there are points is asked anew every `LANGUAGES_SECONDS`, and after each write of this store's own. Given
    an `owner`, who is asked for a name when it matters, the tables are refused to anybody of another.
    """

    name = "pgvector"
    lexical_scorer = "bm25f (Lucene idf)"

    def __init__(
        self,
        connections: Connections,
        *,
        dim: int,
        collection: str,
        generation: int = 1,
        lexical: LexicalSettings | None = None,
        owner: Callable[[], str] | None = None,
    ) -> None:
        self._connections = connections
        self._tables = Tables(base_name(collection, generation), dim)
        self._reading = FieldTerms(lexical or LexicalSettings())
        self._owner = owner
        self._ready = self._mine = False
        self._languages = Remembered[list[str]](LANGUAGES_SECONDS)

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points, in one transaction; of two with one id the last counts."""
        check_points(points, self._tables.dim)
        if not points:
            return
        rows = await asyncio.to_thread(_read_all, self._reading, {point.id: point for point in points}.values())

        def write(connection: Connection) -> None:
            if not self._ready:
                self._tables.create(connection, self._owner() if self._owner else None)
            put(self._tables, connection, rows)
            self._ready = True

        try:
            await self._connections.run(write)
        except MissingTableError:  # another process cleared it
            self._ready = False
            await self._connections.run(write)
        finally:
            self._languages.forget()

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points, in one transaction."""
        if ids:
            await self._read(lambda connection: remove(self._tables, connection, ids), None)
            self._languages.forget()

    async def search(self, search: Search) -> Found:
        """Find points, both rankings in one statement; a search for phrases needs more."""
        check_search(search, self._tables.dim)
        query = LexicalQuery() if search.text is None else self._reading.query(search, await self._present())
        asked, nothing = Asked.of(query, self._reading.settings), Found([], [])
        if not query.phrases:
            found = await self._read(lambda connection: rankings(connection, self._tables, search, asked), nothing)
            return await self._completed(search, asked, found)
        dense = (await self._read(lambda connection: rankings(connection, self._tables, search, None), nothing)).dense

        async def fetch(limit: int) -> list[tuple[Point, float]]:
            more = dataclasses.replace(search, k=limit, vector=None)
            return await self._read(lambda connection: with_texts(connection, self._tables, more, asked), [])

        found = Found(dense, await holding(fetch, self._reading, query.phrases, search.k))
        return Found((await self._completed(search, None, found)).dense, found.lexical)

    async def _completed(self, search: Search, asked: Asked | None, found: Found) -> Found:
        """Both sides over what either found, where that is asked for; without `asked` the dense side alone."""
        ids = found.ids
        if not search.complete or search.vector is None or search.text is None or not ids:
            return found
        over = dataclasses.replace(search, k=len(ids), exact=True)
        return await self._read(lambda connection: rankings(connection, self._tables, over, asked, ids), found)

    async def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        statement = f"SELECT {COLUMNS} FROM {self._tables.base}_points WHERE id = ANY(%s)"
        rows = await self._rows(statement, list(ids))
        found = {row[0]: to_point(row) for row in rows}
        return [found[each] for each in ids if each in found]

    async def ids(self) -> list[str]:
        """Every id, sorted."""
        return [point_id for (point_id,) in await self._rows(f"SELECT id FROM {self._tables.base}_points ORDER BY id")]

    def terms(self, text: str, language: str | None = None) -> list[str]:
        """What the lexical side reads of a text, in order."""
        return self._reading.read(text, language)

    def lexical_terms(self, point: Point) -> dict[str, float]:
        """What the lexical side holds of a point."""
        return self._reading.weighted(point)

    async def postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """For each of these points that exists, in their order, what the lexical side holds of it."""
        base = self._tables.base
        vectors = await self._rows(
            f"SELECT p.id, w.vector FROM {base}_points p LEFT JOIN {base}_words w USING (num) WHERE p.id = ANY(%s)",
            list(ids),
        )
        held: dict[str, dict[int, float]] = {point_id: _sparse(vector) for point_id, vector in vectors}
        numbers = list({at for sparse in held.values() for at in sparse})
        rows = await self._rows(f"SELECT at, term FROM {base}_terms WHERE at = ANY(%s)", numbers)
        names: dict[int, str] = dict(rows)
        long = await self._long_terms(ids) if any(len(name) == LONGEST_TERM for name in names.values()) else {}
        named = {at: long.get(names.get(at, f"#{at}"), names.get(at, f"#{at}")) for at in numbers}
        return [{named[at]: value for at, value in held[each].items()} for each in ids if each in held]

    async def clear(self) -> None:
        """Remove the tables."""
        await self._read(self._tables.drop, None)
        self._ready = self._mine = False
        self._languages.forget()

    async def count(self, condition: Filter | None = None) -> int:
        """How many points there are, or match."""
        if condition is None:
            rows = await self._rows(f"SELECT coalesce(sum(points), 0) FROM {self._tables.base}_languages")
            return int(rows[0][0]) if rows else 0
        sql, values = to_sql(condition)
        rows = await self._rows(f"SELECT count(*) FROM {self._tables.base}_points p WHERE {sql}", *values)
        return int(rows[0][0]) if rows else 0

    async def compact(self) -> None:
        """Make the index of vectors where it is worth one, and have the server see what the tables hold now."""
        await self._read(lambda connection: self._tables.settle(connection, FEW), None)

    async def snapshot(self, target: Path) -> None:
        """Write every point as of one moment to a file that `rag.index.points_file.restore` reads."""

        def copy(connection: Connection) -> None:
            writer = PointsWriter(target, self._tables.dim)
            try:
                with connection.transaction():
                    connection.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    writer.add(self._tables.exported(connection))
                writer.finish()
            except BaseException:
                writer.abandon()
                raise

        await self._connections.run(copy)

    async def close(self) -> None:
        """Close the connections that are idle."""
        self._connections.close()

    async def _present(self) -> list[str]:
        """The languages that there are points in."""
        known = self._languages.get()
        if known is None:
            since = self._languages.moment()
            statement = f"SELECT language FROM {self._tables.base}_languages WHERE points > 0"
            known = [language for (language,) in await self._rows(statement)]
            self._languages.keep(known, since)
        return known

    async def _long_terms(self, ids: Sequence[str]) -> dict[str, str]:
        """By the name in the table, the terms of these points that are too long for it."""
        terms = (term for point in await self.get(ids) for term in self._reading.weighted(point))
        return {kept(term): term for term in terms}

    async def _rows(self, statement: str, *values: object) -> list[Any]:
        return await self._read(lambda connection: connection.execute(statement.encode(), values).fetchall(), [])

    async def _read(self, work: Any, empty: T) -> T:
        """What `work` gives, or `empty` while the tables are not there; raises `StoreError` when they are another's."""

        def mine(connection: Connection) -> T:
            if self._owner is not None and not self._mine:
                self._tables.refuse_others(connection, self._owner())
                self._mine = True
            done: T = work(connection)
            return done

        try:
            found: T = await self._connections.run(mine)
        except MissingTableError:
            return empty
        return found


def _read_all(reading: FieldTerms, points: Iterable[Point]) -> list[Row]:
    return [Row.of(point, reading.weighted(point), reading.language(point)) for point in points]


def _sparse(vector: Any) -> dict[int, float]:
    if vector is None:
        return {}
    return {at + 1: value for at, value in zip(vector.indices(), vector.values(), strict=True)}
