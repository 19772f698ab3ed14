"""Notices that a knowledge base's database has changed, so that what was read from it can be kept until then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from plumbline.reading import ReadConnection

Value = TypeVar("Value")


class Changes:
    """Counts what others have committed to the SQLite database at `path`, in this process or another.

    It asks a connection of its own (`PRAGMA data_version`), or `reader`'s: a few microseconds. Raises `StateError` when
    the database cannot be read.
    """

    def __init__(self, path: Path, reader: ReadConnection | None = None) -> None:
        self._reader = reader or ReadConnection(path)

    def count(self) -> int:
        """A number that differs from the last one exactly when something was committed in between."""
        return self._reader.changes()

    def close(self) -> None:
        """Give the connection back."""
        self._reader.close()


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
