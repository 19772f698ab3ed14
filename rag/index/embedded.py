"""The embedded store: points in SQLite, searched through an index in memory that is derived from them.

Several processes may read while one writes: before every search a reader looks at two counters and takes over what is
new, so a write is visible to the next search. `compact` leaves the index as a file for the next process to start from.
"""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import copy_database, storage_errors, writing
from plumbline.errors import InputError, StorageError
from plumbline.text.terms import terms
from rag.index import tables
from rag.index.files import IndexFiles
from rag.index.filters import Filter
from rag.index.store import Found, Point, Search

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, RowMapping

    from rag.index.memory import MemoryIndex, Row
    from rag.index.store import Vector

ROWS_PER_READ = 2000
IDS_PER_QUERY = 500
DEAD_SHARE_TO_REBUILD = 0.2
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
        self._files = IndexFiles(path.parent / "index", generation)
        self._generation = generation
        self._dim = dim
        self._language = language
        self._lock = threading.RLock()
        self._index: MemoryIndex | None = None
        self.rebuilt = False

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points, in one transaction."""
        for point in points:
            self._check(point.vector, f"point {point.id}")
        rows = [_from_point(point) for point in _last_of_each(points)]
        if rows:
            await asyncio.to_thread(self._write, rows)

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points, in one transaction."""
        if ids:
            await asyncio.to_thread(self._delete, list(ids))

    async def search(self, search: Search) -> Found:
        """Search as of now, exactly on both sides."""
        if search.k < 1:
            raise InputError(f"k must be at least 1, not {search.k}.")
        if search.vector is not None:
            self._check(search.vector, "the query")
        with self._lock:
            index = self._current()
            dense = [] if search.vector is None else index.dense(search.vector, search.k, search.filter)
            lexical = []
            if search.text is not None:
                lexical = index.lexical_search(terms(search.text, self._language), search.k, search.filter)
        return Found(dense, lexical)

    async def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        import numpy as np

        points = tables.points()
        found: dict[str, Point] = {}
        with storage_errors(self._path), self._engine.connect() as connection:
            for some in _portions(list(ids)):
                query = points.select().where(points.c.generation == self._generation, points.c.id.in_(some))
                for row in connection.execute(query).mappings():
                    vector = np.frombuffer(row["vector"], np.float32)
                    found[row["id"]] = Point(row["id"], vector, _unpack(row["text"]), json.loads(row["payload"]))
        return [found[point_id] for point_id in ids if point_id in found]

    async def ids(self) -> list[str]:
        """Every id, sorted."""
        points = tables.points()
        with storage_errors(self._path), self._engine.connect() as connection:
            query = points.select().with_only_columns(points.c.id).where(points.c.generation == self._generation)
            return list(connection.scalars(query.order_by(points.c.id)))

    def terms(self, text: str) -> list[str]:
        """What the lexical side reads of a text, in order."""
        return terms(text, self._language)

    async def postings(self, ids: Sequence[str]) -> list[dict[str, int]]:
        """For each of these points that exists, in their order: its terms and how often each occurs, as indexed."""
        return await asyncio.to_thread(self._postings, list(ids))

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
        await asyncio.to_thread(self._snapshot, target)

    async def close(self) -> None:
        """Forget the index in memory; the database is its owner's."""
        with self._lock:
            self._index = None

    def _snapshot(self, target: Path) -> None:
        if target.exists():
            raise StorageError(f"{target} exists already.", hint="Choose a new path for the snapshot.")
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_database(self._engine, target)

    def _check(self, vector: Vector, what: str) -> None:
        import numpy as np

        if vector.shape != (self._dim,):
            raise InputError(
                f"The vector of {what} has shape {vector.shape}; this index holds vectors of {self._dim}.",
                hint="Query and passages must come from the same embedding model.",
            )
        if not np.isfinite(vector).all():
            raise InputError(f"The vector of {what} holds values that are not finite.")

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with writing(self._engine, self._path) as connection:
            _remove(connection, [row["id"] for row in rows], self._generation)
            connection.execute(tables.points().insert(), [{**row, "generation": self._generation} for row in rows])

    def _delete(self, ids: list[str]) -> None:
        with writing(self._engine, self._path) as connection:
            _remove(connection, ids, self._generation)

    def _clear(self) -> None:
        points = tables.points()
        while True:
            with writing(self._engine, self._path) as connection:
                some = points.select().with_only_columns(points.c.seq).where(points.c.generation == self._generation)
                gone = connection.execute(points.delete().where(points.c.seq.in_(some.limit(ROWS_PER_READ))))
            if gone.rowcount == 0:
                break
        with self._lock, storage_errors(self._path):
            self._index = None
            self._files.remove()

    def _postings(self, ids: list[str]) -> list[dict[str, int]]:
        with self._lock:
            index = self._current()
            places = {point_id: at for at, point_id in enumerate(index.ids) if index.alive[at]}
            wanted = [places[point_id] for point_id in ids if point_id in places]
            return index.lexical.postings_of(wanted)

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
        if fits and self._catch_up(connection, index) and self._agrees(connection, index):
            return index
        self.rebuilt = True
        return _empty()

    def _catch_up(self, connection: Connection, index: MemoryIndex) -> bool:
        """Take over what is new; false when the index knows what the database does not.

        That is so after an older copy of the database was put back, under a file or under a reader that is running.
        """
        newest, removed = _counters(connection)
        if newest < index.last_seq or removed < index.last_removal:
            return False
        if newest > index.last_seq:
            for points in self._rows_after(connection, index.last_seq):
                index.append(points)
        if removed > index.last_removal:
            removals = tables.removals()
            query = removals.select().where(removals.c.number > index.last_removal).order_by(removals.c.number)
            gone = connection.execute(query).all()
            if gone:
                index.remove([row.seq for row in gone], gone[-1].number)
        return _same_newest(connection, index)

    def _rows_after(self, connection: Connection, seq: int) -> Iterable[list[Row]]:
        points = tables.points()
        while True:
            newer = (points.c.generation == self._generation, points.c.seq > seq)
            query = points.select().where(*newer).order_by(points.c.seq).limit(ROWS_PER_READ)
            rows = [_to_row(row, self._language) for row in connection.execute(query).mappings()]
            if not rows:
                return
            yield rows
            seq = rows[-1].seq

    def _compact(self) -> None:
        from rag.index.memory import save

        with self._lock:
            file = self._files.newest()
            with storage_errors(self._path), self._engine.connect() as connection:
                newest, removed = _counters(connection)
                count = connection.exec_driver_sql(
                    "SELECT count(*) FROM points WHERE generation = ?", (self._generation,)
                ).scalar_one()
            if file is not None and file.covers(newest, removed, leaving=max(LEFT_TO_READERS, count // 20)):
                return
            index = self._current()
            dead = len(index.alive) - int(index.alive.sum())
            if dead > DEAD_SHARE_TO_REBUILD * max(1, len(index.alive)):
                self._index = _empty()
                index = self._current()
            with storage_errors(self._path):
                save(index, self._files.path(max(newest, index.last_seq), index.last_removal))
                self._files.remove(but=(max(newest, index.last_seq), index.last_removal))

    def _agrees(self, connection: Connection, index: MemoryIndex) -> bool:
        """Whether the index holds as many points as the database, with the same sum of `seq`."""
        query = "SELECT count(*), coalesce(sum(seq), 0) FROM points WHERE generation = ?"
        stored = connection.exec_driver_sql(query, (self._generation,)).one()
        return (int(index.alive.sum()), int(index.seqs[index.alive].sum())) == tuple(stored)


def _counters(connection: Connection) -> tuple[int, int]:
    """The highest `seq` and the number of the last removal that the database ever gave."""
    rows = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
    found: dict[str, int] = {row.name: row.seq for row in rows}
    return found.get("points", 0), found.get("removals", 0)


def _same_newest(connection: Connection, index: MemoryIndex) -> bool:
    """Whether the newest point that is alive is the database's too: after another history it is not."""
    if not index.alive.any():
        return True
    at = len(index.alive) - 1 - int(index.alive[::-1].argmax())
    stored = connection.exec_driver_sql("SELECT id FROM points WHERE seq = ?", (int(index.seqs[at]),)).scalar()
    return bool(stored == index.ids[at])


def _remove(connection: Connection, ids: list[str], generation: int) -> None:
    points = tables.points()
    for some in _portions(ids):
        these = points.select().where(points.c.generation == generation, points.c.id.in_(some))
        seqs = list(connection.scalars(these.with_only_columns(points.c.seq)))
        if seqs:
            connection.execute(tables.removals().insert(), [{"seq": seq} for seq in seqs])
            connection.execute(points.delete().where(points.c.seq.in_(seqs)))


def _from_point(point: Point) -> dict[str, Any]:
    import numpy as np

    return {
        "id": point.id,
        "vector": np.ascontiguousarray(point.vector, np.float32).tobytes(),
        "text": zlib.compress(point.text.encode(), 1),
        "payload": json.dumps(dict(point.payload), ensure_ascii=False, default=list),
    }


def _last_of_each(points: Sequence[Point]) -> list[Point]:
    return list({point.id: point for point in points}.values())


def _portions(ids: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]


def _empty() -> MemoryIndex:
    from rag.index.lexical import LexicalIndex
    from rag.index.memory import MemoryIndex

    return MemoryIndex(LexicalIndex())


def _unpack(blob: bytes) -> str:
    return zlib.decompress(blob).decode()


def _to_row(row: RowMapping, language: str) -> Row:
    import numpy as np

    from rag.index.memory import Row

    return Row(
        seq=row["seq"],
        id=row["id"],
        vector=np.frombuffer(row["vector"], np.float32),
        terms=terms(_unpack(row["text"]), language),
        payload=json.loads(row["payload"]),
    )
