"""The tables of one generation, and the statements that change them. This module imports psycopg; import it lazily.

`…_points` holds the points, `…_words` and `…_prefixes` the sparse vectors of their words (apart, so that a search for
words reads nothing else), `…_counts` how many points hold each word; its dimension 0 is the number of points. Writers
take turns, so that the counts are exact.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from pgvector import SparseVector
from psycopg.types.json import Jsonb

from rag.errors import StoreError
from rag.index.checks import plain
from rag.index.pgvector.connections import Connection, prepare
from rag.index.sparse_words import Sparse
from rag.index.store import Point

SPACE = 1_000_000_000
"""The most dimensions that a sparsevec may have."""
LONGEST_NAME = 40
KINDS = ("words", "prefixes")
COLUMNS = "id, vector, title, heading, text, payload"
"""What `to_point` reads, in its order."""


@dataclass(frozen=True, slots=True)
class Row:
    """A point with its sparse vectors."""

    point: Point
    words: Sparse
    prefixes: Sparse


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables whose names begin with `base`, for vectors of `dim`."""

    base: str
    dim: int

    def create(self, connection: Connection) -> None:
        """Make the tables unless they are there; raises `StoreError` when they hold other vectors."""
        with connection.transaction():
            self._take_turn(connection)
            connection.execute(b"CREATE EXTENSION IF NOT EXISTS vector")
            for statement in self._statements():
                connection.execute(statement.encode())
        prepare(connection)
        (dim,) = _one(
            connection,
            "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'vector'",
            (f"{self.base}_points",),
        )
        if dim != self.dim:
            raise StoreError(
                f"The table {self.base}_points holds vectors of {dim}, not vectors of {self.dim}.",
                hint="Name another collection in the setting store.collection.",
            )

    def _statements(self) -> list[str]:
        base = self.base
        made = [
            f"""CREATE TABLE IF NOT EXISTS {base}_points (
                num bigint PRIMARY KEY, id text COLLATE "C" NOT NULL UNIQUE, vector vector({self.dim}) NOT NULL,
                title text NOT NULL, heading text NOT NULL, text text NOT NULL, payload jsonb NOT NULL)""",
            f"CREATE INDEX IF NOT EXISTS {base}_facts ON {base}_points USING gin (payload jsonb_path_ops)",
            f"CREATE TABLE IF NOT EXISTS {base}_counts (at integer PRIMARY KEY, points bigint NOT NULL)",
        ]
        for kind in KINDS:
            table = f"{base}_{kind}"
            made += [
                f"""CREATE TABLE IF NOT EXISTS {table} (
                    num bigint PRIMARY KEY, held integer[] NOT NULL, vector sparsevec({SPACE}) NOT NULL)""",
                f"CREATE INDEX IF NOT EXISTS {table}_held ON {table} USING gin (held)",
            ]
        return made

    def put(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Add or replace points in one transaction."""
        with connection.transaction():
            self._take_turn(connection)
            counts = self._removed(connection, [row.point.id for row in rows])
            (last,) = _one(connection, f"SELECT coalesce(max(num), 0) FROM {self.base}_points")
            numbered = list(enumerate(rows, start=int(last) + 1))
            self._copy(
                connection,
                "points (num, id, vector, title, heading, text, payload)",
                ["int8", "text", "vector", "text", "text", "text", "jsonb"],
                (_values(num, row.point) for num, row in numbered),
            )
            for kind in KINDS:
                vectors = [(num, row.words if kind == "words" else row.prefixes) for num, row in numbered]
                self._copy(
                    connection,
                    f"{kind} (num, held, vector)",
                    ["int8", "int4[]", "sparsevec"],
                    ((num, sorted(sparse), _sparsevec(sparse)) for num, sparse in vectors),
                )
                counts.update(at for _, sparse in vectors for at in sparse)
            counts[0] += len(rows)
            self._count(connection, counts)

    def remove(self, connection: Connection, ids: Sequence[str]) -> None:
        """Remove points in one transaction."""
        with connection.transaction():
            self._take_turn(connection)
            self._count(connection, self._removed(connection, ids))

    def settle(self, connection: Connection, few: int) -> None:
        """Make the index of vectors once there are more than a `few`: at once it takes less time than by and by."""
        with connection.transaction():
            self._take_turn(connection)
            connection.execute(b"SET LOCAL maintenance_work_mem = '512MB'")
            (count,) = _one(connection, f"SELECT coalesce(sum(points), 0) FROM {self.base}_counts WHERE at = 0")
            if count > few:
                name, table = f"{self.base}_near", f"{self.base}_points"
                statement = f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING hnsw (vector vector_ip_ops)"
                connection.execute(statement.encode())
        for table in ("points", "counts", *KINDS):
            connection.execute(f"ANALYZE {self.base}_{table}".encode())

    def exported(self, connection: Connection) -> Iterator[Point]:
        """Every point, in the order of writing, one at a time."""
        statement = f"COPY (SELECT {COLUMNS} FROM {self.base}_points ORDER BY num) TO STDOUT (FORMAT BINARY)"
        with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(["text", "vector", "text", "text", "text", "jsonb"])
            yield from map(to_point, copy.rows())

    def drop(self, connection: Connection) -> None:
        """Remove the tables."""
        with connection.transaction():
            self._take_turn(connection)
            for table in ("points", "counts", *KINDS):
                connection.execute(f"DROP TABLE IF EXISTS {self.base}_{table}".encode())

    def _removed(self, connection: Connection, ids: Sequence[str]) -> Counter[int]:
        """Remove points, and return what that takes from the counts."""
        gone = connection.execute(
            f"DELETE FROM {self.base}_points WHERE id = ANY(%s) RETURNING num".encode(), (list(ids),)
        ).fetchall()
        counts: Counter[int] = Counter()
        if not gone:
            return counts
        nums = [num for (num,) in gone]
        for kind in KINDS:
            statement = f"DELETE FROM {self.base}_{kind} WHERE num = ANY(%s) RETURNING held"
            for (held,) in connection.execute(statement.encode(), (nums,)):
                counts.subtract(held)
        counts[0] -= len(gone)
        return counts

    def _count(self, connection: Connection, counts: Counter[int]) -> None:
        changed = {at: change for at, change in counts.items() if change}
        if not changed:
            return
        connection.execute(
            f"""INSERT INTO {self.base}_counts AS known (at, points) SELECT * FROM unnest(%s::int[], %s::bigint[])
                ON CONFLICT (at) DO UPDATE SET points = known.points + excluded.points""".encode(),
            (list(changed), list(changed.values())),
        )
        fell = [at for at, change in changed.items() if change < 0]
        connection.execute(f"DELETE FROM {self.base}_counts WHERE at = ANY(%s) AND points <= 0".encode(), (fell,))

    def _take_turn(self, connection: Connection) -> None:
        """Wait until no other writer of these tables is at work, and keep others waiting; however long it takes."""
        connection.execute(b"SET LOCAL statement_timeout = 0")
        number = int.from_bytes(blake2b(self.base.encode(), digest_size=8).digest(), "big", signed=True)
        connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (number,))

    def _copy(self, connection: Connection, into: str, types: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
        statement = f"COPY {self.base}_{into} FROM STDIN (FORMAT BINARY)"
        with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)


def base_name(collection: str, generation: int) -> str:
    """What the names of tables begin with; different for different collections."""
    plain_name = re.sub(r"[^a-z0-9_]", "_", collection.lower())[:LONGEST_NAME]
    if plain_name != collection or not plain_name[:1].isalpha():
        plain_name = f"kb_{plain_name[:28]}_{blake2b(collection.encode(), digest_size=4).hexdigest()}"
    return f"{plain_name}_g{generation}"


def to_point(row: Sequence[Any]) -> Point:
    """The point in a row of `COLUMNS`."""
    point_id, vector, title, heading, text, payload = row
    values = vector.to_numpy() if hasattr(vector, "to_numpy") else vector
    return Point(point_id, np.asarray(values, np.float32), text, payload, heading, title)


def _values(num: int, point: Point) -> tuple[Any, ...]:
    payload = Jsonb(plain(point.payload), dumps=lambda value: json.dumps(value, ensure_ascii=False))
    vector = np.asarray(point.vector, np.float32)
    return num, point.id, vector, point.title, point.heading, point.text, payload


def _sparsevec(sparse: Sparse) -> SparseVector:
    return SparseVector({at - 1: value for at, value in sparse.items()}, SPACE)


def _one(connection: Connection, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = connection.execute(statement.encode(), values).fetchone()
    assert found is not None
    return found
