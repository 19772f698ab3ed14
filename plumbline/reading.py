"""Reads that happen at every request: a connection of their own that stays open, without what a pool does around each.

Writing, and reading that is rare, goes through `plumbline.database`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from plumbline.database import storage_errors
from plumbline.held import HeldConnection

STATEMENTS = 256
"""Prepared statements that are kept."""


class ReadConnection:
    """A read-only connection to the SQLite database at `path`, opened when it is first used.

    Each call sees what is committed by then. Safe to use from several threads, one after the other. Raises `StateError`
    when the database cannot be read. A forked child opens a connection of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = HeldConnection(partial(_opened, path))

    def rows(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """All rows that a statement gives, as tuples."""
        with self._held.lock, storage_errors(self._path):
            return self._held.connection().execute(statement, values).fetchall()

    def changes(self) -> int:
        """A number that differs from the last one when something was committed in between, by whomever."""
        with self._held.lock, storage_errors(self._path):
            (found,) = self._held.connection().execute("PRAGMA data_version").fetchone()
            return (self._held.openings << 32) + int(found)  # another connection counts from another number

    def close(self) -> None:
        """Give the connection back; a later call opens another."""
        self._held.close()


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        check_same_thread=False,
        isolation_level=None,
        cached_statements=STATEMENTS,
    )


def marks(count: int) -> str:
    """So many placeholders, as `IN` takes them."""
    return ",".join("?" * count)
