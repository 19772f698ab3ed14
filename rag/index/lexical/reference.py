"""The package rank-bm25 as the scorer of the lexical side: slow, and what our own index is held against.

Extra `bm25`. A search compares with every chunk, and every change makes the scorer anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import ConfigError
from plumbline.extras import require
from rag.index.lexical.frozen import FrozenLexical
from rag.index.lexical.index import Arrays, Chunk, Flags, Ints, LexicalIndex
from rag.index.lexical.parts import Completions
from rag.index.lexical.phrases import Fields
from rag.index.lexical.query import LexicalQuery, Prefix
from rag.index.lexical.scoring import Floats


class ReferenceIndex:
    """A `LexicalIndex` whose scores are those of `rank_bm25.BM25Okapi`, with its idf.

    The package counts words, so frequencies must be whole: raises `ConfigError` for chunks with others, which come of
    field weights that are not whole. A hit is a chunk that holds a word of the query; its score may be 0 or below,
    where words that stand in most chunks have a negative idf. Words of a prefix each count as themselves.
    """

    def __init__(self, chunks: Iterable[Chunk] = (), *, k1: float = 1.2, b: float = 0.75) -> None:
        self._package = require("rank_bm25", "bm25")
        self._index = LexicalIndex(chunks, k1=k1, b=b)
        self._made: tuple[Any, Ints] | None = None
        self.k1 = k1
        self.b = b

    def __len__(self) -> int:
        return len(self._index)

    @property
    def count(self) -> int:
        """How many chunks can be found."""
        return self._index.count

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the chunks that can be found, where they were given; sorted."""
        return self._index.languages

    def append(self, chunks: Iterable[Chunk], languages: Sequence[str | None] | None = None) -> None:
        """Add chunks behind the last position."""
        self._index.append(chunks, languages)
        self._made = None

    def remove(self, positions: Collection[int]) -> None:
        """Take chunks out; their positions stay empty."""
        self._index.remove(positions)
        self._made = None

    def scores(self, query: Sequence[str]) -> Floats:
        """The score of every position; 0 for those that were removed."""
        scorer, alive = self._scorer()
        found = np.zeros(len(self))
        if scorer is not None:
            found[alive] = scorer.get_scores(list(query))
        return found

    def scores_at(self, query: LexicalQuery, positions: Ints) -> Floats:
        """As `LexicalIndex.scores_at`."""
        return np.asarray(self.scores(self._words(query))[positions])

    def search(
        self, query: Sequence[str] | LexicalQuery, k: int, mask: Flags | None = None, fields: Fields | None = None
    ) -> tuple[Ints, Floats]:
        """As `LexicalIndex.search`."""
        asked = query if isinstance(query, LexicalQuery) else LexicalQuery(tuple(query))
        words = self._words(asked)
        held, _ = self._index.search(LexicalQuery(tuple(words), asked.phrases), len(self), mask, fields)
        scores = self.scores(words)
        order = held[np.lexsort((held, -scores[held]))][: max(k, 0)]
        return order, scores[order]

    def _words(self, query: LexicalQuery) -> list[str]:
        return [*query.words, *(term for prefix in query.prefixes for term in self.completions(prefix).terms)]

    def completions(self, prefix: Prefix) -> Completions:
        """What a prefix stands for."""
        return self._index.completions(prefix)

    def postings_of(self, positions: Sequence[int]) -> list[dict[str, float]]:
        """For each position its terms and their frequencies."""
        return self._index.postings_of(positions)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """As `LexicalIndex.to_arrays`: the arrays fit both."""
        return self._index.to_arrays()

    def frozen(self) -> FrozenLexical:
        """As `LexicalIndex.frozen`."""
        return self._index.frozen()

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, *, k1: float = 1.2, b: float = 0.75, check_postings: bool = True
    ) -> ReferenceIndex:
        """As `LexicalIndex.from_arrays`."""
        found = cls(k1=k1, b=b)
        found._index = LexicalIndex.from_arrays(arrays, k1=k1, b=b, check_postings=check_postings)
        return found

    def _scorer(self) -> tuple[Any, Ints]:
        """The package's scorer, `None` where there is nothing to score, and the positions of its chunks."""
        if self._made is None:
            alive = self._index.positions()
            chunks = [_words(held) for held in self._index.postings_of(alive.tolist())]
            scorer = self._package.BM25Okapi(chunks, k1=self.k1, b=self.b) if any(chunks) else None
            self._made = scorer, alive
        return self._made


def _words(held: Mapping[str, float]) -> list[str]:
    """The words of a chunk, each as often as it stands there."""
    broken = next((count for count in held.values() if not count.is_integer()), None)
    if broken is not None:
        raise ConfigError(
            f"rank-bm25 counts whole words; one of a chunk counts {broken}.",
            hint="Set store.lexical.title_weight and heading_weight to whole numbers, or store.lexical.scorer to bm25.",
        )
    return [word for word, count in held.items() for _ in range(int(count))]
