"""The lexical side of the embedded store: BM25 over an inverted index, how points and questions are read for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.index.lexical.index import LexicalIndex

__all__ = ["LexicalIndex"]


def __getattr__(name: str) -> Any:
    """`LexicalIndex` only when it is asked for: it needs numpy, and reading a query does not."""
    if name == "LexicalIndex":
        from rag.index.lexical.index import LexicalIndex

        return LexicalIndex
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
