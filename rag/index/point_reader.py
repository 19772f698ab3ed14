"""Reads the points of one generation as a search needs them: on a connection of its own, without the layers between.

A query through SQLAlchemy costs more than a whole search of 10,000 points.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.reading import ReadConnection, marks
from rag.index.rows import portions
from rag.index.store import Point

if TYPE_CHECKING:
    from rag.index.store import Vector

ROWS_PER_READ = 2000
SAMPLED = 1024
COLUMNS = "seq, id, vector, payload, title, heading, text"


class PointReader:
    """The points of `generation` in the SQLite database at `path`, as they are now, for one thread after the other.

    Raises `StateError` when they cannot be read, and `OSError` when the file is gone.
    """

    def __init__(self, path: Path, generation: int) -> None:
        self._path = path
        self._generation = generation
        self._connection = ReadConnection(path)
        self._opened: tuple[int, ...] = ()

    def state(self) -> tuple[int, ...]:
        """Differs from the last one when something was committed in between, or another file put in place."""
        found = self._path.stat()
        opened = (found.st_dev, found.st_ino, os.getpid())
        if opened != self._opened:
            self._connection.close()
            self._opened = opened
        return (*opened, self._connection.changes())

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Whatever is read within is as of one moment; for one thread at a time."""
        self._all("BEGIN")
        try:
            yield
        finally:
            self._all("COMMIT")

    def counters(self) -> tuple[int, int]:
        """The highest `seq` and the number of the last removal that the database ever gave, in whichever generation."""
        found = dict(self._all("SELECT name, seq FROM sqlite_sequence"))
        return found.get("points", 0), found.get("removals", 0)

    def totals(self) -> tuple[int, int]:
        """How many points there are, and the sum of their `seq`."""
        query = "SELECT count(*), coalesce(sum(seq), 0) FROM points WHERE generation = ?"
        ((count, total),) = self._all(query, self._generation)
        return count, total

    def removed(self, after: int, until: int) -> list[int]:
        """The `seq` of the points of the removals after one and not after another, in order."""
        query = "SELECT seq FROM removals WHERE number > ? AND number <= ? ORDER BY number"
        return [seq for (seq,) in self._all(query, after, until)]

    def id_at(self, seq: int) -> str | None:
        """The id of the point with this `seq`, `None` when it is gone."""
        return next((point_id for (point_id,) in self._all("SELECT id FROM points WHERE seq = ?", seq)), None)

    def after(self, seq: int, until: int) -> Iterator[list[tuple[int, Point]]]:
        """The points written after `seq` and not after `until`, each with its own, in order and some at a time."""
        query = f"SELECT {COLUMNS} FROM points WHERE generation = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        while found := self._all(query, self._generation, seq, until, ROWS_PER_READ):
            yield [(row[0], to_point(*row[1:])) for row in found]
            seq = found[-1][0]

    def at(self, seqs: Sequence[int]) -> dict[int, Point]:
        """The points with these `seq` that are there."""
        found: dict[int, Point] = {}
        for some in portions(seqs):
            query = f"SELECT {COLUMNS} FROM points WHERE seq IN ({marks(len(some))})"
            found.update((row[0], to_point(*row[1:])) for row in self._all(query, *some))
        return found

    def vectors(self, seqs: Sequence[int]) -> dict[int, Vector]:
        """The vectors of the points with these `seq` that are there."""
        import numpy as np

        found: dict[int, Vector] = {}
        for some in portions(seqs):
            query = f"SELECT seq, vector FROM points WHERE seq IN ({marks(len(some))})"
            found.update((seq, np.frombuffer(vector, np.float32)) for seq, vector in self._all(query, *some))
        return found

    def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        found: dict[str, Point] = {}
        for some in portions(ids):
            query = f"SELECT {COLUMNS} FROM points WHERE generation = ? AND id IN ({marks(len(some))})"
            found.update((row[1], to_point(*row[1:])) for row in self._all(query, self._generation, *some))
        return [found[point_id] for point_id in ids if point_id in found]

    def ids(self) -> list[str]:
        """Every id, sorted."""
        query = "SELECT id FROM points WHERE generation = ? ORDER BY id"
        return [point_id for (point_id,) in self._all(query, self._generation)]

    def seqs(self, ids: Sequence[str]) -> dict[str, int]:
        """By id, the `seq` of those that are there."""
        found: dict[str, int] = {}
        for some in portions(ids):
            query = f"SELECT id, seq FROM points WHERE generation = ? AND id IN ({marks(len(some))})"
            found.update(self._all(query, self._generation, *some))
        return found

    def sample(self, last: int) -> list[Vector]:
        """Some vectors, evenly from the points up to `last`."""
        import numpy as np

        query = "SELECT seq, vector FROM points WHERE generation = ? AND seq >= ? AND seq <= ? ORDER BY seq LIMIT 1"
        found: list[Vector] = []
        seq = 0
        while (rows := self._all(query, self._generation, seq, last)) and len(found) < SAMPLED:
            if not found:
                step = max(1, (last - rows[0][0]) // SAMPLED)
            found.append(np.frombuffer(rows[0][1], np.float32))
            seq = rows[0][0] + step
        return found

    def close(self) -> None:
        """Give the connection back; it is opened again when it is needed."""
        self._connection.close()

    def _all(self, query: str, *values: int | str) -> list[Any]:
        return self._connection.rows(query, values)


def to_point(point_id: str, vector: bytes, payload: str, title: str, heading: str, text: bytes) -> Point:
    """A point as its row has it."""
    import numpy as np

    found = np.frombuffer(vector, np.float32)
    return Point(point_id, found, zlib.decompress(text).decode(), json.loads(payload), heading, title)
