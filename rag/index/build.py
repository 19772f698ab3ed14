"""Makes an index of many points that come some at a time, without holding more than the index. This module imports
numpy.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rag.index.codes import encode, words_of
from rag.index.columns import ColumnsBuilder
from rag.index.lexical.make import Lexical
from rag.index.memory import MemoryIndex
from rag.index.segment import Segment
from rag.index.tail import Row
from rag.index.texts import Texts
from rag.index.vectors import Floats, Vectors, vectors_of

ROWS_OF_WORDS = 8000
"""The words of so many rows become postings at once: the fewer parts, the fewer times each word is looked up."""


class IndexBuilder:
    """Takes rows in the order of their `seq`, at most `count`; `sample` is some of their vectors."""

    def __init__(self, count: int, sample: Floats, lexical: Lexical, full_bytes: int) -> None:
        dim = sample.shape[1]
        self._lexical = lexical
        self._words: list[Mapping[str, float]] = []
        self._languages: list[str | None] = []
        self._centre = sample.mean(axis=0) if len(sample) else np.zeros(dim, np.float32)
        self._seqs = array("q")
        self._ids: list[Texts] = []
        self._columns = ColumnsBuilder()
        self._codes = np.empty((words_of(dim), count), np.uint64)
        self._rounded: npt.NDArray[np.int8] = np.empty((count, dim), np.int8)
        self._scales: Floats = np.empty(count, np.float32)
        self._worst = 0.0
        self._full: Floats | None = np.empty((count, dim), np.float32) if count * dim * 4 <= full_bytes else None

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows behind the last."""
        here = slice(len(self._seqs), len(self._seqs) + len(rows))
        values = np.stack([row.vector for row in rows])
        vectors = vectors_of(values, 0)
        self._rounded[here], self._scales[here] = vectors.rounded, vectors.scales
        self._worst = max(self._worst, vectors.worst)
        self._codes[:, here] = encode(values, self._centre)
        if self._full is not None:
            self._full[here] = values
        self._seqs.extend(row.seq for row in rows)
        self._ids.append(Texts.of(row.id for row in rows))
        self._columns.add(row.payload for row in rows)
        self._words.extend(row.terms for row in rows)
        self._languages.extend(row.language for row in rows)
        if len(self._words) >= ROWS_OF_WORDS:
            self._append_words()

    def finish(self) -> MemoryIndex:
        """The index of the rows that came."""
        self._append_words()
        count = len(self._seqs)
        seqs, ids = np.array(self._seqs, np.int64), Texts.joined(self._ids)
        full = None if self._full is None else self._full[:count]
        vectors = Vectors(self._rounded[:count], self._scales[:count], self._worst, full)
        segment = Segment(seqs, ids, self._columns.columns(), vectors, self._codes[:, :count], self._centre)
        return MemoryIndex(segment, self._lexical, np.ones(count, np.bool_))

    def _append_words(self) -> None:
        self._lexical.append(self._words, self._languages)
        self._words, self._languages = [], []
