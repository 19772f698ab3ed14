"""The points written since the base was made: a segment that grows. This module imports numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rag.index.codes import encode, words_of
from rag.index.columns import ColumnsBuilder
from rag.index.segment import Segment
from rag.index.texts import Texts
from rag.index.vectors import Floats, Vectors, vectors_of

FIRST_ROOM = 256

Scalar = TypeVar("Scalar", bound=np.generic)


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
        self._rounded: npt.NDArray[np.int8] = np.empty((FIRST_ROOM, len(centre)), np.int8)
        self._scales: Floats = np.empty(FIRST_ROOM, np.float32)
        self._worst = 0.0
        self._codes: npt.NDArray[np.uint64] = np.empty((words_of(len(centre)), FIRST_ROOM), np.uint64)
        self._segment: Segment | None = None

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows behind the last."""
        first, count = self._count, self._count + len(rows)
        self._make_room(count)
        values = np.stack([row.vector for row in rows])
        vectors = vectors_of(values, 0)
        self._seqs[first:count] = [row.seq for row in rows]
        self._vectors[first:count] = values
        self._rounded[first:count], self._scales[first:count] = vectors.rounded, vectors.scales
        self._worst = max(self._worst, vectors.worst)
        self._codes[:, first:count] = encode(values, self._centre)
        self._ids.extend(row.id for row in rows)
        self._columns.add(row.payload for row in rows)
        self._count, self._segment = count, None

    def segment(self) -> Segment:
        """All rows so far; rows added later leave it as it is."""
        if self._segment is None:
            count = self._count
            vectors = Vectors(self._rounded[:count], self._scales[:count], self._worst, self._vectors[:count])
            parts = Texts.of(self._ids), self._columns.columns(), vectors, self._codes[:, :count], self._centre
            self._segment = Segment(self._seqs[:count], *parts)
        return self._segment

    def _make_room(self, count: int) -> None:
        if count > len(self._seqs):
            room = max(count, 2 * len(self._seqs))
            self._seqs, self._scales = _longer(self._seqs, room), _longer(self._scales, room)
            self._vectors, self._rounded = _longer(self._vectors, room), _longer(self._rounded, room)
            self._codes = np.ascontiguousarray(_longer(self._codes.T, room).T)


def _longer(array: npt.NDArray[Scalar], room: int) -> npt.NDArray[Scalar]:
    """The array with so many rows."""
    made = np.empty((room, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made
