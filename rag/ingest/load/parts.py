"""What containers have in common: the parts that come out of one, and the budget that all of them share."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.errors import OverLimitError
from rag.ingest.reading import Problem
from rag.ingest.settings import LoadingSettings
from rag.ingest.structure import Extracted


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside another: its name there, its bytes, when it was changed (ISO 8601, "" where unknown).

    `opened` is given for a message inside a message, which has no bytes of its own that could be opened.
    """

    name: str
    data: bytes
    modified: str = ""
    opened: Opened | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A container: its own text, where it has some, and its parts, unpacked as they are asked for."""

    own: Extracted | None
    parts: Iterator[Part | Problem]


class Budget:
    """What may still come out of one file, containers within it included."""

    def __init__(self, path: Path, loading: LoadingSettings) -> None:
        self.loading = loading
        self._path = path
        self._members = 0
        self._bytes = 0

    def take_members(self, number: int) -> None:
        """Count `number` more files. Raises `OverLimitError`."""
        self._members += number
        if self._members > self.loading.max_members:
            raise OverLimitError(
                self._path, f"it holds more than {self.loading.max_members:,} files", "loading.max_members"
            )

    def take_bytes(self, number: int) -> None:
        """Count `number` more unpacked bytes. Raises `OverLimitError`."""
        self._bytes += number
        if self._bytes > self.loading.max_unpacked_bytes:
            raise too_much_unpacked(self._path, self.loading.max_unpacked_bytes)


def too_much_unpacked(path: Path, limit: int) -> OverLimitError:
    """The error for a file out of which more than `limit` bytes come."""
    return OverLimitError(path, f"it unpacks to more than {limit / 1e6:,.0f} MB", "loading.max_unpacked_bytes")


def numbered(name: str, taken: set[str]) -> str:
    """`name`, or "name (2).pdf" where that is taken already; adds it to `taken`."""
    stem, suffix = posixpath.splitext(name)
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{stem} ({number}){suffix}"
    taken.add(found)
    return found
