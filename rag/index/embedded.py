"""The embedded store: points in SQLite, searched through an index in memory that is derived from them.

Several processes may read while one writes: before every search a reader looks at two counters and takes over what is
new, so a write is visible to the next search. `compact` leaves the index as a file for the next process to start from.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.database import copy_database, storage_errors
from plumbline.errors import InputError, StorageError
from plumbline.text.terms import terms
from rag.index.files import IndexFiles
from rag.index.filters import Filter
from rag.index.points import PointTable, counters, id_at, removed_after
from rag.index.store import Found, Point, Search

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from rag.index.memory import MemoryIndex, Row
    from rag.index.store import Vector

DEAD_SHARE_TO_REBUILD = 0.2
MOST_FREQUENT = 2**16 - 1
LEFT_TO_READERS = 500
"""So few new points are not worth a new file: whoever opens the index next takes them over in a moment."""


class EmbeddedStore:
    """A `Store` in the SQLite database behind `engine`, at `path`; the derived file lies in `index/` beside it.

    It holds the points of one generation; stores of others may lie in the same database.
    """

    name = "embedded"
    lexical_scorer = "bm25 (Lucene idf)"

    def __init__(self, engine: Engine, path: Path, *, dim: int, generation: int = 1, language: str = "en") -> None:
        self._engine = engine
        self._path = path
        self._points = PointTable(engine, path, generation)
        self._files = IndexFiles(path.parent / "index", generation)
        self._dim = dim
        self._language = language
        self._lock = threading.RLock()
        self._index: MemoryIndex | None = None
        self.rebuilt = False

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points, in one transaction."""
        for point in points:
            _check(point.vector, self._dim, f"point {point.id}")
        if points:
            await asyncio.to_thread(self._points.put, points)

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points, in one transaction."""
        if ids:
            await asyncio.to_thread(self._points.delete, ids)

    async def search(self, search: Search) -> Found:
        """Search as of now, exactly on both sides."""
        if search.k < 1:
            raise InputError(f"k must be at least 1, not {search.k}.")
        if search.vector is not None:
            _check(search.vector, self._dim, "the query")
        with self._lock:
            index = self._current()
            dense = [] if search.vector is None else index.dense(search.vector, search.k, search.filter)
            lexical = []
            if search.text is not None:
                lexical = index.lexical_search(self.terms(search.text), search.k, search.filter)
        return Found(dense, lexical)

    async def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        return await asyncio.to_thread(self._points.get, ids)

    async def ids(self) -> list[str]:
        """Every id, sorted."""
        return await asyncio.to_thread(self._points.ids)

    def terms(self, text: str, language: str | None = None) -> list[str]:
        """What the lexical side reads of a text, in order."""
        return terms(text, language or self._language)

    def lexical_terms(self, point: Point) -> dict[str, float]:
        """What the lexical side holds of a point."""
        return {term: float(min(count, MOST_FREQUENT)) for term, count in Counter(self._read(point)).items()}

    async def postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """For each of these points that exists, in their order: its terms and how often each occurs, as indexed."""
        return await asyncio.to_thread(self._postings, ids)

    async def clear(self) -> None:
        """Remove every point and the derived files."""
        await asyncio.to_thread(self._clear)

    async def count(self, condition: Filter | None = None) -> int:
        """How many points there are, or match."""
        with self._lock:
            return int(self._current().mask(condition).sum())

    async def compact(self) -> None:
        """Leave the index as a file for the next process to start from."""
        await asyncio.to_thread(self._compact)

    async def snapshot(self, target: Path) -> None:
        """Write a copy of the whole knowledge base's database."""
        await asyncio.to_thread(_snapshot, self._engine, target)

    async def close(self) -> None:
        """Forget the index in memory; the database is its owner's."""
        with self._lock:
            self._index = None

    def _clear(self) -> None:
        self._points.clear()
        with self._lock, storage_errors(self._path):
            self._index = None
            self._files.remove()

    def _postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        with self._lock:
            return self._current().postings(ids)

    def _current(self) -> MemoryIndex:
        """The index as of now; call it with the lock held."""
        with storage_errors(self._path), self._engine.connect() as connection:
            index = self._open(connection) if self._index is None else self._index
            if not self._catch_up(connection, index):
                self.rebuilt = True
                index = _empty()
                self._catch_up(connection, index)
            self._index = index
        return index

    def _open(self, connection: Connection) -> MemoryIndex:
        from rag.index.memory import load

        file = self._files.newest()
        index = None if file is None else load(file.path)
        if index is None:
            return _empty()
        fits = len(index.vectors) == 0 or index.vectors.shape[1] == self._dim
        if fits and self._catch_up(connection, index) and index.totals == self._points.totals(connection):
            return index
        self.rebuilt = True
        return _empty()

    def _catch_up(self, connection: Connection, index: MemoryIndex) -> bool:
        """Take over what is new; false when the index knows what the database does not.

        That is so after an older copy of the database was put back, under a file or under a reader that is running.
        """
        newest, removed = counters(connection)
        if newest < index.last_seq or removed < index.last_removal:
            return False
        if newest > index.last_seq:
            for some in self._points.after(connection, index.last_seq):
                index.append([self._row(seq, point) for seq, point in some])
        if removed > index.last_removal and (gone := removed_after(connection, index.last_removal)):
            index.remove([seq for _, seq in gone], gone[-1][0])
        return _same_newest(connection, index)

    def _row(self, seq: int, point: Point) -> Row:
        from rag.index.memory import Row

        return Row(seq, point.id, point.vector, self._read(point), point.payload)

    def _read(self, point: Point) -> list[str]:
        return self.terms("\n".join(part for part in (point.title, point.heading, point.text) if part))

    def _compact(self) -> None:
        from rag.index.memory import frozen, save

        with self._lock:
            file = self._files.newest()
            with storage_errors(self._path), self._engine.connect() as connection:
                newest, removed = counters(connection)
                count, _ = self._points.totals(connection)
            if file is not None and file.covers(newest, removed, leaving=max(LEFT_TO_READERS, count // 20)):
                return
            index = self._current()
            dead = len(index.alive) - int(index.alive.sum())
            if dead > DEAD_SHARE_TO_REBUILD * max(1, len(index.alive)):
                self._index = _empty()
                index = self._current()
            knows = (max(newest, index.last_seq), index.last_removal)
            content = frozen(index)
        with storage_errors(self._path):  # without the lock: nobody waits to search until the disk has it
            save(content, self._files.path(*knows))
            self._files.remove(but=knows)


def _same_newest(connection: Connection, index: MemoryIndex) -> bool:
    """Whether the newest point that is alive is the database's too: after another history it is not."""
    if not index.alive.any():
        return True
    at = len(index.alive) - 1 - int(index.alive[::-1].argmax())
    return id_at(connection, int(index.seqs[at])) == index.ids[at]


def _check(vector: Vector, dim: int, what: str) -> None:
    import numpy as np

    if vector.shape != (dim,):
        raise InputError(
            f"The vector of {what} has shape {vector.shape}; this index holds vectors of {dim}.",
            hint="Query and passages must come from the same embedding model.",
        )
    if not np.isfinite(vector).all():
        raise InputError(f"The vector of {what} holds values that are not finite.")


def _snapshot(engine: Engine, target: Path) -> None:
    if target.exists():
        raise StorageError(f"{target} exists already.", hint="Choose a new path for the snapshot.")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_database(engine, target)


def _empty() -> MemoryIndex:
    from rag.index.lexical import LexicalIndex
    from rag.index.memory import MemoryIndex

    return MemoryIndex(LexicalIndex())
