"""The points of the embedded store as rows of its database: written, read and counted, one generation at a time."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import storage_errors, writing
from rag.index import tables
from rag.index.rows import portions
from rag.index.store import Point

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, RowMapping

ROWS_PER_READ = 2000


class PointTable:
    """The points of `generation` in the database behind `engine`, at `path`."""

    def __init__(self, engine: Engine, path: Path, generation: int) -> None:
        self._engine = engine
        self._path = path
        self._generation = generation

    def put(self, points: Sequence[Point]) -> None:
        """Add or replace points, in one transaction; of two with one id the last counts."""
        rows = [_from_point(point) for point in {point.id: point for point in points}.values()]
        with writing(self._engine, self._path) as connection:
            self._remove(connection, [row["id"] for row in rows])
            connection.execute(tables.points().insert(), [{**row, "generation": self._generation} for row in rows])

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points, in one transaction."""
        with writing(self._engine, self._path) as connection:
            self._remove(connection, ids)

    def clear(self) -> None:
        """Remove every point, some at a time."""
        points = tables.points()
        some = points.select().with_only_columns(points.c.seq).where(points.c.generation == self._generation)
        while True:
            with writing(self._engine, self._path) as connection:
                gone = connection.execute(points.delete().where(points.c.seq.in_(some.limit(ROWS_PER_READ))))
            if gone.rowcount == 0:
                return

    def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        points = tables.points()
        found: dict[str, Point] = {}
        with storage_errors(self._path), self._engine.connect() as connection:
            for some in portions(ids):
                query = points.select().where(points.c.generation == self._generation, points.c.id.in_(some))
                found.update((row["id"], _to_point(row)) for row in connection.execute(query).mappings())
        return [found[point_id] for point_id in ids if point_id in found]

    def ids(self) -> list[str]:
        """Every id, sorted."""
        points = tables.points()
        query = points.select().with_only_columns(points.c.id).where(points.c.generation == self._generation)
        with storage_errors(self._path), self._engine.connect() as connection:
            return list(connection.scalars(query.order_by(points.c.id)))

    def after(self, connection: Connection, seq: int) -> Iterator[list[tuple[int, Point]]]:
        """The points written after `seq`, each with its own, in order and some at a time."""
        points = tables.points()
        while True:
            newer = (points.c.generation == self._generation, points.c.seq > seq)
            query = points.select().where(*newer).order_by(points.c.seq).limit(ROWS_PER_READ)
            found = [(row["seq"], _to_point(row)) for row in connection.execute(query).mappings()]
            if not found:
                return
            yield found
            seq = found[-1][0]

    def totals(self, connection: Connection) -> tuple[int, int]:
        """How many points there are, and the sum of their `seq`."""
        query = "SELECT count(*), coalesce(sum(seq), 0) FROM points WHERE generation = ?"
        count, total = connection.exec_driver_sql(query, (self._generation,)).one()
        return count, total

    def _remove(self, connection: Connection, ids: Sequence[str]) -> None:
        points = tables.points()
        for some in portions(ids):
            these = points.select().where(points.c.generation == self._generation, points.c.id.in_(some))
            seqs = list(connection.scalars(these.with_only_columns(points.c.seq)))
            if seqs:
                connection.execute(tables.removals().insert(), [{"seq": seq} for seq in seqs])
                connection.execute(points.delete().where(points.c.seq.in_(seqs)))


def counters(connection: Connection) -> tuple[int, int]:
    """The highest `seq` and the number of the last removal that the database ever gave, in whichever generation."""
    rows = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
    found: dict[str, int] = {row.name: row.seq for row in rows}
    return found.get("points", 0), found.get("removals", 0)


def removed_after(connection: Connection, number: int) -> list[tuple[int, int]]:
    """The removals after `number`, in order: each one's number and the `seq` of the point."""
    removals = tables.removals()
    query = removals.select().where(removals.c.number > number).order_by(removals.c.number)
    return [(row.number, row.seq) for row in connection.execute(query)]


def id_at(connection: Connection, seq: int) -> str | None:
    """The id of the point with this `seq`, `None` when it is gone."""
    found: str | None = connection.exec_driver_sql("SELECT id FROM points WHERE seq = ?", (seq,)).scalar()
    return found


def _from_point(point: Point) -> dict[str, Any]:
    import numpy as np

    return {
        "id": point.id,
        "vector": np.ascontiguousarray(point.vector, np.float32).tobytes(),
        "title": point.title,
        "heading": point.heading,
        "text": zlib.compress(point.text.encode(), 1),
        "payload": json.dumps(dict(point.payload), ensure_ascii=False, default=list),
    }


def _to_point(row: RowMapping) -> Point:
    import numpy as np

    text = zlib.decompress(row["text"]).decode()
    vector = np.frombuffer(row["vector"], np.float32)
    return Point(row["id"], vector, text, json.loads(row["payload"]), row["heading"], row["title"])
