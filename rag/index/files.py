"""The derived files of an embedded store: which there are, and how much of the database each knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DRAFT_SUFFIX = ".tmp"
"""Ends the name of a file that is still being written."""

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.index")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file that knows all points up to `seq` and all removals up to `removal`."""

    path: Path
    seq: int
    removal: int

    def covers(self, seq: int, removal: int, *, leaving: int) -> bool:
        """Whether no more than `leaving` changes are missing, and it knows none that the database does not."""
        missing = (seq - self.seq, removal - self.removal)
        return min(missing) >= 0 and sum(missing) <= leaving


class IndexFiles:
    """The files of one generation in `folder`; names tell what they know: GENERATION-SEQ-REMOVAL.index."""

    def __init__(self, folder: Path, generation: int) -> None:
        self._folder = folder
        self._generation = generation

    def path(self, seq: int, removal: int) -> Path:
        """Where a file that knows so much belongs."""
        return self._folder / f"{self._generation}-{seq}-{removal}.index"

    def newest(self) -> IndexFile | None:
        """The file that knows most, if there is one."""
        return max(self._all(), key=lambda file: (file.seq, file.removal), default=None)

    def remove(self, *, but: tuple[int, int] | None = None) -> None:
        """Delete the files, but for the one that knows so much; for whoever alone writes them."""
        kept = None if but is None else self.path(*but)
        for path in self._folder.glob(f"{self._generation}-*"):  # also what a killed process or an older version left
            if path != kept:
                # Where a file that a process has mapped cannot be removed, the next compaction does.
                with suppress(PermissionError):
                    path.unlink(missing_ok=True)

    def _all(self) -> Iterator[IndexFile]:
        for path in self._folder.glob(f"{self._generation}-*.index") if self._folder.is_dir() else ():
            if found := _NAME.fullmatch(path.name):
                yield IndexFile(path, int(found[2]), int(found[3]))
