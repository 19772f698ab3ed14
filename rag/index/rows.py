"""Writing and reading rows many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

IDS_PER_QUERY = 500


def insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows, in place of those with the same key."""
    if rows:
        connection.execute(table.insert().prefix_with("OR REPLACE"), rows)


def portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """So many ids at once as one statement takes."""
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]
