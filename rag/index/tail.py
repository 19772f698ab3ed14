"""The points written since the base was made: a segment that grows. This module imports numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.codes import encode, words_of
from rag.index.columns import ColumnsBuilder
from rag.index.segment import Segment
from rag.index.texts import Texts
from rag.index.vectors import Floats, FullVectors

FIRST_ROOM = 256


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A point as the index takes it over: `seq` grows with every write; `terms` have their weighted frequencies."""

    seq: int
    id: str
    vector: Floats
    payload: Mapping[str, Any]
    terms: Mapping[str, float]
    language: str | None = None


class Tail:
    """Rows in memory, added in the order of their `seq`; codes are taken about `centre`, float32[dim]."""

    def __init__(self, centre: Floats) -> None:
        self._centre = centre
        self._count = 0
        self._ids: list[str] = []
        self._columns = ColumnsBuilder()
        self._seqs: npt.NDArray[np.int64] = np.empty(FIRST_ROOM, np.int64)
        self._vectors: Floats = np.empty((FIRST_ROOM, len(centre)), np.float32)
        self._codes: npt.NDArray[np.uint64] = np.empty((words_of(len(centre)), FIRST_ROOM), np.uint64)
        self._segment: Segment | None = None

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows behind the last."""
        first, count = self._count, self._count + len(rows)
        self._make_room(count)
        vectors = np.stack([row.vector for row in rows])
        self._seqs[first:count] = [row.seq for row in rows]
        self._vectors[first:count] = vectors
        self._codes[:, first:count] = encode(vectors, self._centre)
        self._ids.extend(row.id for row in rows)
        self._columns.add(row.payload for row in rows)
        self._count, self._segment = count, None

    def segment(self) -> Segment:
        """All rows so far; rows added later leave it as it is."""
        if self._segment is None:
            count = self._count
            vectors = FullVectors(self._vectors[:count])
            parts = Texts.of(self._ids), self._columns.columns(), vectors, self._codes[:, :count], self._centre
            self._segment = Segment(self._seqs[:count], *parts)
        return self._segment

    def _make_room(self, count: int) -> None:
        room = len(self._seqs)
        if count > room:
            more = max(count, 2 * room) - room
            self._seqs = np.concatenate([self._seqs, np.empty(more, np.int64)])
            self._vectors = np.concatenate([self._vectors, np.empty((more, self._vectors.shape[1]), np.float32)])
            self._codes = np.concatenate([self._codes, np.empty((len(self._codes), more), np.uint64)], axis=1)
