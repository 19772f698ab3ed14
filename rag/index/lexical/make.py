"""The lexical index that settings ask for. This module imports numpy."""

from __future__ import annotations

from rag.index.lexical.index import Arrays, LexicalIndex
from rag.index.lexical.reference import ReferenceIndex
from rag.index.settings import LexicalSettings

Lexical = LexicalIndex | ReferenceIndex


def lexical_index(settings: LexicalSettings, arrays: Arrays | None = None, *, check_postings: bool = True) -> Lexical:
    """An empty index, or the one that `to_arrays` took apart; see `LexicalIndex.from_arrays`.

    Raises `MissingExtraError` when the scorer is rank-bm25 and its extra is not installed.
    """
    kind = ReferenceIndex if settings.scorer == "rank-bm25" else LexicalIndex
    if arrays is None:
        return kind(k1=settings.k1, b=settings.b)
    return kind.from_arrays(arrays, k1=settings.k1, b=settings.b, check_postings=check_postings)
