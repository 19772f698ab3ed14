"""Hands out the index of an embedded store as of now, to many searches at once, and puts it in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.database import storage_errors
from rag.index.files import IndexFiles
from rag.index.gate import Gate
from rag.index.lexical.fields import FieldReader
from rag.index.point_reader import PointReader
from rag.index.tuning import Tuning

if TYPE_CHECKING:
    from rag.index.sync import Sync


class IndexKeeper:
    """The index over what `reader` reads from the database at `path`, made when it is first asked for.

    Raises `StateError` when the database cannot be read.
    """

    def __init__(
        self, path: Path, reader: PointReader, files: IndexFiles, reading: FieldReader, dim: int, tuning: Tuning
    ) -> None:
        self._path = path
        self._reader = reader
        self._files = files
        self._reading = reading
        self._dim = dim
        self._tuning = tuning
        self._gate = Gate()
        self._sync: Sync | None = None

    @property
    def rebuilt(self) -> bool:
        """Whether the index had to be made from the points because it did not fit them."""
        return self._sync is not None and self._sync.rebuilt

    def ready(self, most: int) -> Sync | None:
        """The index where it is here, up to date and of no more than `most` points, for `current`."""
        sync = self._sync
        with storage_errors(self._path):
            return sync if sync is not None and len(sync.index) <= most and sync.is_current() else None

    @contextmanager
    def current(self, ready: Sync | None = None) -> Iterator[Sync]:
        """The index as of now, for others to search in at the same time; `ready` was found to be so just now."""
        with storage_errors(self._path):
            while True:
                sync = self._sync
                if sync is None or (sync is not ready and not sync.is_current()):
                    with self._gate.alone():
                        self._synchronised()
                with self._gate.shared():
                    if self._sync is not None:  # another thread may have closed it in between
                        yield self._sync
                        return

    def compact(self) -> None:
        """Leave the index as a file, unless the last one is nearly as new."""
        with storage_errors(self._path):
            if self._is_compact():
                return
            with self.current() as sync:
                worn = sync.is_worn()
            fresh = sync.build() if worn else None  # outside: nobody waits to search for it, nor for the disk
            with self._gate.alone():
                if fresh is not None:
                    sync.replace(fresh)
                sync.catch_up()
                draft = sync.draft()
            draft.write()
            with self._gate.alone():
                sync.adopt(draft)

    def forget(self, *, files: bool = False) -> None:
        """Let go of the index in memory and, when asked, of the files."""
        with self._gate.alone(), storage_errors(self._path):
            self._sync = None
            if files:
                self._files.remove()
            else:
                self._reader.close()

    def _is_compact(self) -> bool:
        """Whether a file holds nearly everything; one that did not fit does not count."""
        self._reader.state()
        file, (count, _) = self._files.newest(), self._reader.totals()
        leaving = self._tuning.leaves(count)
        return file is not None and not self.rebuilt and file.covers(*self._reader.counters(), leaving=leaving)

    def _synchronised(self) -> None:
        """Bring the index up to date, with the gate held alone."""
        from rag.index.sync import Sync

        if self._sync is None:
            self._sync = Sync(self._reader, self._files, self._reading, self._dim, self._tuning)
        self._sync.catch_up()
