"""What the server answers to searches. This module imports psycopg; import it lazily."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.index.pgvector.connections import Connection
from rag.index.pgvector.searching import Asked, both
from rag.index.pgvector.tables import Tables
from rag.index.store import Found, Point, Ranking, Search


def rankings(
    connection: Connection, tables: Tables, search: Search, asked: Asked | None, among: Sequence[str] | None = None
) -> Found:
    """Both rankings; only the points `among` are searched, where they are given."""
    statement = both(tables, search, asked, among=among)
    sides: tuple[Ranking, Ranking] = ([], [])
    for side, point_id, score, *_ in connection.execute(statement.sql, statement.values):
        sides[side].append((point_id, float(score)))
    return Found(*sides)


def with_texts(connection: Connection, tables: Tables, search: Search, asked: Asked) -> list[tuple[Point, float]]:
    """The lexical ranking with the points themselves, without vectors."""
    statement = both(tables, search, asked, texts=True)
    nothing = np.empty(0, np.float32)
    return [
        (Point(point_id, nothing, text, payload, heading, title), float(score))
        for _, point_id, score, title, heading, text, payload in connection.execute(statement.sql, statement.values)
    ]
