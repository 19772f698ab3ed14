"""Writes that happen at every request: connections that stay open, without what a pool does around each.

Everything else is written through `plumbline.database`, which also makes the tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import BUSY_TIMEOUT_SECONDS, storage_errors
from plumbline.held import HeldConnection

if TYPE_CHECKING:
    from sqlalchemy import Table


ROWS_AT_ONCE = 500
"""SQLite takes 32,766 values in one statement."""


class BusyError(Exception):
    """Raised by `WriteConnection.transaction(wait=False)` when somebody else is writing; nothing was done."""


class WriteConnection:
    """A connection to the SQLite database at `path`, which exists already, opened when it is first used.

    Safe to use from several threads, one after the other. A forked child opens a connection of its own. One that is
    not to wait never copies the log into the database either, which may take as long as the disk does: whoever else
    writes does that.
    """

    def __init__(self, path: Path, *, wait: bool = True) -> None:
        self._path = path
        self._wait = wait
        self._held = HeldConnection(partial(_opened, path, wait=wait))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that has the lock from its beginning, and is committed when the block does not raise.

        Raises `StateError` when the database cannot be written; of a connection that does not wait `BusyError`.
        """
        lock = self._held.lock  # a child's is another
        if not lock.acquire(blocking=self._wait):
            raise BusyError
        try:
            with storage_errors(self._path):
                connection = self._begun()
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # what the block raised says more
                        connection.execute("ROLLBACK")
                    raise
        finally:
            lock.release()

    def close(self) -> None:
        """Give the connection back; a later call opens another."""
        self._held.close()

    def _begun(self) -> sqlite3.Connection:
        connection = self._held.connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not self._wait and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise BusyError from None
            raise
        return connection


def _opened(path: Path, *, wait: bool) -> sqlite3.Connection:
    opened = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS if wait else 0,
        check_same_thread=False,
        isolation_level=None,
    )
    opened.execute("PRAGMA synchronous=NORMAL")
    if not wait:
        opened.execute("PRAGMA wal_autocheckpoint=0")
    return opened


def insert(connection: sqlite3.Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows, each with a value for every column that SQLite does not number itself.

    In few statements, because each is a wait for the interpreter's lock while other threads run.
    """
    names = _columns(table)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[first : first + ROWS_AT_ONCE]
        connection.execute(_insertion(table, len(some)), [row[name] for row in some for name in names])


@cache
def _insertion(table: Table, rows: int) -> str:
    names = _columns(table)
    row = f"({', '.join('?' * len(names))})"
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table.name} ({quoted}) VALUES {', '.join([row] * rows)}"


@cache
def _columns(table: Table) -> tuple[str, ...]:
    from sqlalchemy import Integer

    return tuple(each.name for each in table.columns if not (each.primary_key and isinstance(each.type, Integer)))
