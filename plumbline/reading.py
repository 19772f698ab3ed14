"""Reads that happen at every request: a connection of their own that stays open, without what a pool does around each.

Writing, and reading that is rare, goes through `plumbline.database`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline.database import storage_errors

STATEMENTS = 256
"""Prepared statements that are kept."""


class ReadConnection:
    """A read-only connection to the SQLite database at `path`, opened when it is first used.

    Each call sees what is committed by then. Safe to use from several threads, one after the other. Raises `StateError`
    when the database cannot be read. A forked child opens a connection of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._openings = 0

    def rows(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """All rows that a statement gives, as tuples."""
        with self._turn(), storage_errors(self._path):
            return self._opened().execute(statement, values).fetchall()

    def changes(self) -> int:
        """A number that differs from the last one when something was committed in between, by whomever."""
        with self._turn(), storage_errors(self._path):
            (found,) = self._opened().execute("PRAGMA data_version").fetchone()
            return (self._openings << 32) + int(found)  # another connection counts from another number

    def close(self) -> None:
        """Give the connection back; a later call opens another."""
        with self._turn():
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _turn(self) -> threading.Lock:
        """What one thread holds at a time; after a fork neither it nor the connection is the parent's."""
        if self._pid != os.getpid():
            self._pid, self._lock, self._connection = os.getpid(), threading.Lock(), None
        return self._lock

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._openings += 1
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(
                address, uri=True, check_same_thread=False, isolation_level=None, cached_statements=STATEMENTS
            )
            weakref.finalize(self, self._connection.close)
        return self._connection


def marks(count: int) -> str:
    """So many placeholders, as `IN` takes them."""
    return ",".join("?" * count)
