"""Writing and reading rows many at a time, and what a column of JSON holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rag.types import MetadataValue

if TYPE_CHECKING:
    from sqlalchemy import Connection

IDS_PER_QUERY = 500

Key = TypeVar("Key", str, int)


def insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows, in place of those with the same key."""
    if rows:
        connection.execute(table.insert().prefix_with("OR REPLACE"), rows)


def metadata_from_json(text: str) -> dict[str, MetadataValue]:
    """Metadata as documents carry it, lists as tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}


def portions(ids: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """So many ids at once as one statement takes."""
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]
