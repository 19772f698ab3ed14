"""Notices that a knowledge base's database has changed, so that what was read from it can be kept until then."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from plumbline.database import storage_errors

Value = TypeVar("Value")


class Changes:
    """Counts what others have committed to the SQLite database at `path`, in this process or another.

    It asks a connection of its own (`PRAGMA data_version`), which is opened when it is first needed and never writes:
    a few microseconds. Raises `StateError` when the database cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def count(self) -> int:
        """A number that differs from the last one exactly when something was committed in between."""
        with self._lock, storage_errors(self._path):
            if self._connection is None:
                address = f"{self._path.absolute().as_uri()}?mode=ro"
                self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
                weakref.finalize(self, self._connection.close)
            (found,) = self._connection.execute("PRAGMA data_version").fetchone()
            return int(found)

    def close(self) -> None:
        """Give the connection back; nothing is counted afterwards."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()


class UntilChanged(Generic[Value]):
    """What `make` gives, made again once the database has changed."""

    def __init__(self, changes: Changes, make: Callable[[], Value]) -> None:
        self._changes = changes
        self._make = make
        self._kept: tuple[int, Value] | None = None

    def get(self) -> Value:
        """The value as of now; it may be made twice when two threads ask at once."""
        count = self._changes.count()
        kept = self._kept
        if kept is None or kept[0] != count:
            kept = self._kept = (count, self._make())
        return kept[1]
