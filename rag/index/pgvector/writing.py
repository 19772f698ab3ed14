"""What is written and removed, each call in one transaction. This module imports psycopg; import it lazily.

Writers take turns, so that numbers of terms and counts are exact; what can be read before is read before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from plumbline.errors import InputError
from rag.index.lexical.fields import UNIT
from rag.index.pgvector.binary import big, integers, point_row, row, small, sparse, stream
from rag.index.pgvector.connections import Connection
from rag.index.pgvector.tables import SPACE, Tables, one
from rag.index.store import Point

LONGEST_TERM = 300
"""In letters; one that is longer is cut, with a hash at its end. An index takes no more than some 2,700 bytes."""
MOST_TERMS = 16_000
"""So many elements a sparsevec may have."""


@dataclass(frozen=True, slots=True)
class Row:
    """A point as it is read: its terms, as `kept` names them, with weighted frequencies; its length, in sixteenths."""

    point: Point
    terms: Mapping[str, float]
    length: int
    language: str

    @classmethod
    def of(cls, point: Point, terms: Mapping[str, float], language: str) -> Row:
        """A point of these terms; raises `InputError` when there are more than a sparsevec holds."""
        if len(terms) > MOST_TERMS:
            raise InputError(
                f"Point {point.id} has {len(terms):,} different words; a PostgreSQL store takes {MOST_TERMS:,}.",
                hint="Cut documents into smaller chunks.",
            )
        length = round(sum(terms.values()) * UNIT)
        return cls(point, {kept(term): count for term, count in terms.items()}, length, language)


def kept(term: str) -> str:
    """How a term is named in the table: itself, unless it is longer than an index takes."""
    if len(term) < LONGEST_TERM:
        return term
    digest = blake2b(term.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{term[: LONGEST_TERM - len(digest)]}{digest}"


def put(tables: Tables, connection: Connection, rows: Sequence[Row]) -> None:
    """Add or replace points, each id once."""
    counts = Counter(term for each in rows for term in each.terms)
    with connection.transaction():
        tables.take_turn(connection)
        _take_out(tables, connection, [each.point.id for each in rows])
        numbers = _numbered(tables, connection, counts)
        (last,) = one(connection, f"SELECT coalesce(max(num), 0) FROM {tables.base}_points")
        points = (point_row(num, each.point) for num, each in enumerate(rows, int(last) + 1))
        _copy(tables, connection, "points (num, id, vector, title, heading, text, payload)", points)
        words = (_words_row(num, each, numbers) for num, each in enumerate(rows, int(last) + 1))
        _copy(tables, connection, "words (num, held, vector, length, language)", words)
        _count_languages(tables, connection, rows)


def remove(tables: Tables, connection: Connection, ids: Sequence[str]) -> None:
    """Remove points."""
    with connection.transaction():
        tables.take_turn(connection)
        _take_out(tables, connection, ids)


def _take_out(tables: Tables, connection: Connection, ids: Sequence[str]) -> None:
    base = tables.base
    gone = connection.execute(
        f"DELETE FROM {base}_points WHERE id = ANY(%s) RETURNING num".encode(), (list(ids),)
    ).fetchall()
    if not gone:
        return
    connection.execute(
        f"""WITH gone AS (DELETE FROM {base}_words WHERE num = ANY(%s) RETURNING held, length, language),
        held AS (SELECT at, count(*) AS points FROM gone, unnest(gone.held) AS at GROUP BY at),
        counted AS (UPDATE {base}_terms known SET points = known.points - held.points FROM held
            WHERE known.at = held.at),
        read AS (SELECT language, count(*) AS points, sum(length) AS length FROM gone GROUP BY language)
        UPDATE {base}_languages known SET points = known.points - read.points, length = known.length - read.length
            FROM read WHERE known.language = read.language""".encode(),
        ([num for (num,) in gone],),
    )


def _numbered(tables: Tables, connection: Connection, counts: Mapping[str, int]) -> dict[str, int]:
    """Count these terms, those that are new with new numbers; the number of each."""
    base, terms = tables.base, list(counts)
    rows = connection.execute(f"SELECT term, at FROM {base}_terms WHERE term = ANY(%s)".encode(), (terms,))
    numbers: dict[str, int] = dict(rows.fetchall())
    connection.execute(
        f"""UPDATE {base}_terms known SET points = known.points + more.points
            FROM unnest(%s::int[], %s::bigint[]) AS more (at, points) WHERE known.at = more.at""".encode(),
        (list(numbers.values()), [counts[term] for term in numbers]),
    )
    new = sorted(term for term in terms if term not in numbers)
    (last,) = one(connection, f"SELECT coalesce(max(at), 0) FROM {base}_terms")
    given = dict(zip(new, range(int(last) + 1, int(last) + 1 + len(new)), strict=True))
    made = (row(small(at), term.encode(), big(counts[term])) for term, at in given.items())
    _copy(tables, connection, "terms (at, term, points)", made)
    return numbers | given


def _words_row(num: int, each: Row, numbers: Mapping[str, int]) -> bytes:
    held = np.fromiter(map(numbers.__getitem__, each.terms), np.int32, len(each.terms))
    values = np.fromiter(each.terms.values(), np.float32, len(each.terms))
    order = np.argsort(held)
    held = held[order]
    vector = sparse(held, values[order], SPACE)
    return row(big(num), integers(held), vector, big(each.length), each.language.encode())


def _count_languages(tables: Tables, connection: Connection, rows: Sequence[Row]) -> None:
    points: Counter[str] = Counter()
    lengths: Counter[str] = Counter()
    for each in rows:
        points[each.language] += 1
        lengths[each.language] += each.length
    connection.execute(
        f"""INSERT INTO {tables.base}_languages AS known
            SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[])
            ON CONFLICT (language) DO UPDATE
            SET points = known.points + excluded.points, length = known.length + excluded.length""".encode(),
        (list(points), list(points.values()), [lengths[name] for name in points]),
    )


def _copy(tables: Tables, connection: Connection, into: str, rows: Iterable[bytes]) -> None:
    statement = f"COPY {tables.base}_{into} FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for some in stream(rows):
            copy.write(some)
