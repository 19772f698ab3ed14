"""Keeps the derived index of an embedded store in step with the database. This module imports numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rag.index.build import IndexBuilder
from rag.index.files import IndexFiles
from rag.index.lexical.fields import FieldReader
from rag.index.lexical.make import lexical_index
from rag.index.mapped import write_arrays
from rag.index.memory import MemoryIndex
from rag.index.point_reader import PointReader
from rag.index.saved import Frozen, frozen, load
from rag.index.settings import LexicalSettings
from rag.index.store import Point
from rag.index.tail import Row
from rag.index.tuning import Tuning

DEAD_SHARE_TO_REBUILD = 0.2


class Sync:
    """The index over what `reader` reads. Searches may share `index`; every method but `is_current` wants it alone."""

    def __init__(self, reader: PointReader, files: IndexFiles, reading: FieldReader, dim: int, tuning: Tuning) -> None:
        self.index = MemoryIndex.empty(dim, lexical_index(reading.settings))
        self.tuning = tuning
        self.rebuilt = False
        self._reader = reader
        self._files = files
        self._reading = reading
        self._dim = dim
        self._state: tuple[int, ...] = ()
        self._newest = 0

    def is_current(self) -> bool:
        """Whether nothing was committed since the index was brought up to date."""
        return self._reader.state() == self._state

    def catch_up(self) -> None:
        """Bring the index up to date; make it anew when it knows what the database does not.

        That is so after an older copy of the database was put back, under a file or under a reader that is running.
        """
        state = self._reader.state()
        if state == self._state:
            return
        opening = not self._state
        if opening:
            self._open()
        if not self._take_over() or (opening and self.index.totals != self._reader.totals()):
            self.rebuilt = True
            self.index = self.build()
            self._take_over()
        self._state = state

    def fields(self, positions: Sequence[int]) -> list[list[list[str]]]:
        """The terms of the fields of points, in order: where phrases are looked for."""
        index = self.index
        seqs = index.seqs_at(positions)
        points = self._reader.at(seqs)
        return [self._reading.fields(points[seq]) if seq in points else [] for seq in seqs]

    def build(self) -> MemoryIndex:
        """An index made from every point; changes nothing here, so that others may search meanwhile."""
        newest, removed = self._reader.counters()
        count, _ = self._reader.totals()
        sample = self._reader.sample(newest)
        builder = IndexBuilder(
            count,
            np.stack(sample) if sample else np.empty((0, self._dim), np.float32),
            lexical_index(self._reading.settings),
            self.tuning.full_bytes,
        )
        for some in self._reader.after(0, newest):
            builder.add([self._row(seq, point) for seq, point in some])
        index = builder.finish()
        index.last_removal = removed
        return index

    def is_worn(self) -> bool:
        """Whether so many rows are gone that the index is better made anew."""
        return len(self.index) - self.index.count > DEAD_SHARE_TO_REBUILD * len(self.index)

    def replace(self, index: MemoryIndex) -> None:
        """Take another index, which `build` made, and bring it up to date."""
        self.index, self._state = index, ()
        if self._take_over():
            self._state = self._reader.state()

    def draft(self) -> Draft:
        """The index as it is now, to be written; in the file the tail is a part of the base."""
        index = self.index
        if len(index.tail) > len(index.base):  # whose centre is no longer that of most
            index.merge(self.tuning.full_bytes)
        knows = (max(self._newest, index.last_seq), index.last_removal)
        taken = frozen(index, self._reading.settings, self.tuning.full_bytes)
        return Draft(index, index.version, taken, self._files, knows, self._dim, self._reading.settings)

    def adopt(self, draft: Draft) -> None:
        """Search in the file from now on, unless the index has changed since."""
        self.rebuilt = False
        if draft.mapped is not None and draft.index is self.index and draft.version == self.index.version:
            self.index = draft.mapped

    def _open(self) -> None:
        file = self._files.newest()
        index = None if file is None else self._load(file.path)
        self.rebuilt = file is not None and index is None
        self.index = self.build() if index is None else index

    def _load(self, path: Path) -> MemoryIndex | None:
        return load(path, self._dim, self._reading.settings)

    def _take_over(self) -> bool:
        """Take over what is new; false when the index knows what the database does not."""
        index = self.index
        with self._reader.moment():
            newest, removed = self._reader.counters()
            if newest < index.last_seq or removed < index.last_removal:
                return False
            if removed > index.last_removal:
                index.remove(self._reader.removed(index.last_removal, removed), removed)
            if newest > max(index.last_seq, self._newest):
                for some in self._reader.after(index.last_seq, newest):
                    index.append([self._row(seq, point) for seq, point in some])
                    if self.tuning.merges(len(index.tail), len(index.base)):
                        index.merge(self.tuning.full_bytes)
            self._newest = newest
            known = index.newest
            return known is None or self._reader.id_at(known[0]) == known[1]

    def _row(self, seq: int, point: Point) -> Row:
        terms, language = self._reading.weighted(point), self._reading.language(point)
        return Row(seq, point.id, point.vector, point.payload, terms, language)


@dataclass(slots=True, eq=False)
class Draft:
    """An index on its way to the disk."""

    index: MemoryIndex
    version: int
    frozen: Frozen
    files: IndexFiles
    knows: tuple[int, int]
    dim: int
    lexical: LexicalSettings
    mapped: MemoryIndex | None = field(default=None)

    def write(self) -> None:
        """Write the file, remove older ones, and map it."""
        path = self.files.path(*self.knows)
        write_arrays(self.frozen.content(), path)
        self.files.remove(but=self.knows)
        self.mapped = load(path, self.dim, self.lexical)
