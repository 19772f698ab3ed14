"""The tables of one generation. This module imports psycopg; import it lazily.

`…_points` holds the points. `…_words` holds what the lexical side knows of each (apart, so that a search for words
reads nothing else): its terms by number, `held`, with their weighted frequencies in `vector`, its length in sixteenths,
and the language it was read in. `…_terms` gives each term its number and says how many points hold it; `…_languages`
adds up points and lengths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from rag.errors import StoreError
from rag.index.identity import refuse_others
from rag.index.pgvector.connections import Connection, prepare
from rag.index.store import Point

SPACE = 1_000_000_000
"""The most dimensions that a sparsevec may have, and so the highest number of a term."""
LONGEST_NAME = 40
COLUMNS = "id, vector, title, heading, text, payload"
"""What `to_point` reads, in its order."""
_OWNER = "knowledge base "
"""Before the name of whose they are, in the comment on the points."""
TABLES = ("points", "words", "terms", "languages")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables whose names begin with `base`, for vectors of `dim`."""

    base: str
    dim: int

    def create(self, connection: Connection, owner: str | None = None) -> None:
        """Make the tables, as those of `owner`, unless they are there.

        Raises `StoreError` when they hold other vectors, or are another's.
        """
        with connection.transaction():
            self.take_turn(connection)
            connection.execute(b"CREATE EXTENSION IF NOT EXISTS vector")
            for statement in self._statements():
                connection.execute(statement.encode())
            self.refuse_others(connection, owner)
            if owner is not None:
                connection.execute(f"COMMENT ON TABLE {self.base}_points IS '{_OWNER}{owner}'".encode())
        prepare(connection)
        (dim,) = one(
            connection,
            "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'vector'",
            (f"{self.base}_points",),
        )
        if dim != self.dim:
            raise StoreError(
                f"The table {self.base}_points holds vectors of {dim}, not vectors of {self.dim}.",
                hint="Name another collection in the setting store.collection.",
            )

    def refuse_others(self, connection: Connection, owner: str | None) -> None:
        """Raise `StoreError` when the tables are of another knowledge base."""
        name = f"{self.base}_points"
        (said,) = one(connection, "SELECT obj_description(%s::regclass, 'pg_class')", (name,))
        held_by = str(said).removeprefix(_OWNER) if said is not None else None
        refuse_others(held_by, owner, f"The table {name}")

    def settle(self, connection: Connection, few: int) -> None:
        """Make the index of vectors once there are more than a `few`: at once it takes less time than by and by."""
        with connection.transaction():
            self.take_turn(connection)
            connection.execute(b"SET LOCAL maintenance_work_mem = '512MB'")
            connection.execute(f"DELETE FROM {self.base}_terms WHERE points <= 0".encode())
            (count,) = one(connection, f"SELECT coalesce(sum(points), 0) FROM {self.base}_languages")
            if count > few:
                name, table = f"{self.base}_near", f"{self.base}_points"
                statement = f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING hnsw (vector vector_ip_ops)"
                connection.execute(statement.encode())
            for index in ("facts", "held"):  # what was written lately is read one by one until then
                connection.execute(b"SELECT gin_clean_pending_list(%s::regclass)", (f"{self.base}_{index}",))
            for table in TABLES:
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
            self.take_turn(connection)
            for table in TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {self.base}_{table}".encode())

    def take_turn(self, connection: Connection) -> None:
        """Wait until no other writer of these tables is at work, and keep others waiting; however long it takes."""
        connection.execute(b"SET LOCAL statement_timeout = 0")
        number = int.from_bytes(blake2b(self.base.encode(), digest_size=8).digest(), "big", signed=True)
        connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (number,))

    def _statements(self) -> list[str]:
        base = self.base
        return [
            f"""CREATE TABLE IF NOT EXISTS {base}_points (
                num bigint PRIMARY KEY, id text COLLATE "C" NOT NULL UNIQUE, vector vector({self.dim}) NOT NULL,
                title text NOT NULL, heading text NOT NULL, text text NOT NULL, payload jsonb NOT NULL)""",
            f"CREATE INDEX IF NOT EXISTS {base}_facts ON {base}_points USING gin (payload jsonb_path_ops)",
            # Frequencies are read for each word of a question: in the row, and as they are.
            f"""CREATE TABLE IF NOT EXISTS {base}_words (
                num bigint PRIMARY KEY, held integer[] NOT NULL, vector sparsevec({SPACE}) NOT NULL,
                length bigint NOT NULL, language text NOT NULL) WITH (toast_tuple_target = 8160)""",
            f"ALTER TABLE {base}_words ALTER vector SET STORAGE EXTERNAL",
            f"""CREATE INDEX IF NOT EXISTS {base}_held ON {base}_words USING gin (held)
                WITH (gin_pending_list_limit = 8192)""",
            f"""CREATE TABLE IF NOT EXISTS {base}_terms (
                at integer PRIMARY KEY, term text COLLATE "C" NOT NULL UNIQUE, points bigint NOT NULL)
                WITH (fillfactor = 50)""",
            f"""CREATE TABLE IF NOT EXISTS {base}_languages (
                language text PRIMARY KEY, points bigint NOT NULL, length bigint NOT NULL)""",
        ]


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


def one(connection: Connection, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
    """The only row of an answer."""
    found: tuple[Any, ...] | None = connection.execute(statement.encode(), values).fetchone()
    assert found is not None
    return found
