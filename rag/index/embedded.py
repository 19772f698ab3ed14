"""The embedded store: points in SQLite, searched through an index in memory that is derived from them.

Several processes may read while one writes: before every search a reader asks whether the database has changed, and
takes over what is new, so a write is visible to the next search. `compact` leaves the index as a file that processes
map into memory and share. Few points are compared one by one; how more are, see `rag.index.tuning.Tuning`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from plumbline.database import copy_database, storage_errors
from plumbline.errors import StorageError
from rag.index.checks import check_search, check_vector
from rag.index.files import IndexFiles
from rag.index.filters import Filter
from rag.index.keeper import IndexKeeper
from rag.index.lexical.fields import FieldReader
from rag.index.point_reader import PointReader
from rag.index.points import PointTable
from rag.index.settings import LexicalSettings
from rag.index.store import Found, Point, Search
from rag.index.tuning import Tuning

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rag.index.sync import Sync

LONG = 100_000
"""A search of more points takes milliseconds: it leaves the event loop to others meanwhile."""

Value = TypeVar("Value")


class EmbeddedStore:
    """A `Store` in the SQLite database behind `engine`, at `path`; the derived file lies in `index/` beside it.

    It holds the points of one generation; stores of others may lie in the same database.
    """

    name = "embedded"

    def __init__(
        self,
        engine: Engine,
        path: Path,
        *,
        dim: int,
        generation: int = 1,
        lexical: LexicalSettings | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self._engine = engine
        self._path = path
        self._dim = dim
        self._points = PointTable(engine, path, generation)
        self._reader = PointReader(path, generation)
        self._reading = FieldReader(lexical or LexicalSettings())
        okapi = self._reading.settings.scorer == "rank-bm25"
        self.lexical_scorer = "rank-bm25 (Okapi)" if okapi else "bm25f (Lucene idf)"
        files = IndexFiles(path.parent / "index", generation)
        self._keeper = IndexKeeper(path, self._reader, files, self._reading, dim, tuning or Tuning())

    @property
    def rebuilt(self) -> bool:
        """Whether the index had to be made from the points because it did not fit them."""
        return self._keeper.rebuilt

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points, in one transaction."""
        for point in points:  # the payloads are checked when they are written, before anything is
            check_vector(point.vector, self._dim, f"point {point.id}")
        if points:
            await asyncio.to_thread(self._points.put, points)

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points, in one transaction."""
        if ids:
            await asyncio.to_thread(self._points.delete, ids)

    async def search(self, search: Search) -> Found:
        """Search as of now; exactly on the lexical side, and on the dense one when asked or when there are few."""
        check_search(search, self._dim)
        ready = self._keeper.ready(LONG)
        return await asyncio.to_thread(self._search, search) if ready is None else self._search(search, ready)

    async def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        return await self._read(lambda: self._reader.get(ids))

    async def ids(self) -> list[str]:
        """Every id, sorted."""
        return await self._read(self._reader.ids)

    def terms(self, text: str, language: str | None = None) -> list[str]:
        """What the lexical side reads of a text, in order."""
        return self._reading.read(text, language)

    def lexical_terms(self, point: Point) -> dict[str, float]:
        """What the lexical side holds of a point."""
        return self._reading.weighted(point)

    async def postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """For each of these points that exists, in their order: its terms and their frequencies, as indexed."""
        return await asyncio.to_thread(self._postings, ids)

    async def clear(self) -> None:
        """Remove every point and the derived files."""
        await asyncio.to_thread(self._clear)

    async def count(self, condition: Filter | None = None) -> int:
        """How many points there are, or match."""
        return await asyncio.to_thread(self._count, condition)

    async def compact(self) -> None:
        """Leave the index as a file for the next process to start from, unless the last one is nearly as new."""
        await asyncio.to_thread(self._keeper.compact)

    async def snapshot(self, target: Path) -> None:
        """Write a copy of the whole knowledge base's database."""
        await asyncio.to_thread(_snapshot, self._engine, target)

    async def close(self) -> None:
        """Forget the index in memory; the database is its owner's."""
        self._keeper.forget()

    def _search(self, search: Search, ready: Sync | None = None) -> Found:
        from rag.index.completing import completed, named
        from rag.index.memory import NONE
        from rag.index.segment import DenseSearch

        with self._keeper.current(ready) as sync:
            index, dense, lexical, near, query = sync.index, NONE, NONE, None, None
            if search.vector is not None and search.vector.any():
                near = DenseSearch(search.vector, search.k, search.exact, sync.tuning, self._reader.vectors)
                dense = index.dense(near, search.filter)
            if search.text is not None or search.phrases or search.prefixes:
                query = self._reading.query(search, index.lexical.languages)
                lexical = index.lexical_search(query, search.k, search.filter, sync.fields)
            if search.complete and near is not None and query is not None:
                dense, lexical = completed(index, near, dense, query, lexical)
            return Found(named(index, dense), named(index, lexical))

    def _count(self, condition: Filter | None) -> int:
        with self._keeper.current() as sync:
            return int(sync.index.mask(condition).sum())

    def _postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        with self._keeper.current() as sync:
            seqs = self._reader.seqs(ids)
            positions = sync.index.positions([seqs[each] for each in ids if each in seqs])
            return sync.index.lexical.postings_of(positions.tolist())

    def _clear(self) -> None:
        self._points.clear()
        self._keeper.forget(files=True)

    async def _read(self, read: Callable[[], Value]) -> Value:
        def safely() -> Value:
            with storage_errors(self._path):
                self._reader.state()  # opens another file when another was put in place
                return read()

        return await asyncio.to_thread(safely)


def _snapshot(engine: Engine, target: Path) -> None:
    if target.exists():
        raise StorageError(f"{target} exists already.", hint="Choose a new path for the snapshot.")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_database(engine, target)
