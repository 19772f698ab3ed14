"""The points of the embedded store as rows of its database: written, one generation at a time."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import writing
from rag.index import tables
from rag.index.checks import payload_json
from rag.index.rows import portions
from rag.index.store import Point

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

ROWS_PER_DELETE = 2000


class PointTable:
    """The points of `generation` in the database behind `engine`, at `path`. `PointReader` reads them."""

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
                gone = connection.execute(points.delete().where(points.c.seq.in_(some.limit(ROWS_PER_DELETE))))
            if gone.rowcount == 0:
                return

    def _remove(self, connection: Connection, ids: Sequence[str]) -> None:
        points = tables.points()
        for some in portions(ids):
            these = points.select().where(points.c.generation == self._generation, points.c.id.in_(some))
            seqs = list(connection.scalars(these.with_only_columns(points.c.seq)))
            if seqs:
                connection.execute(tables.removals().insert(), [{"seq": seq} for seq in seqs])
                connection.execute(points.delete().where(points.c.seq.in_(seqs)))


def _from_point(point: Point) -> dict[str, Any]:
    import numpy as np

    return {
        "id": point.id,
        "vector": np.ascontiguousarray(point.vector, np.float32).tobytes(),
        "title": point.title,
        "heading": point.heading,
        "text": zlib.compress(point.text.encode(), 1),
        "payload": payload_json(point),
    }
