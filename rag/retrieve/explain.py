"""Why a search found what it found: which words of a hit are the query's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.index.catalogue import Catalogue
from rag.index.store import Store
from rag.retrieve.search import Retrieval
from rag.types import Hit

Span = tuple[int, int]

_WORD = re.compile(r"[^\W_](?:[\w'’.,-]*[^\W_])?")


@dataclass(frozen=True, slots=True)
class Explained:
    """A hit, and where in its chunk's text words stand that the lexical side read in the query."""

    hit: Hit
    matched: tuple[Span, ...]


def explained(retrieval: Retrieval, store: Store, catalogue: Catalogue) -> list[Explained]:
    """Every hit with the words that it shares with the query, read in the language of its document."""
    asked = " ".join(each.asked.text for each in retrieval.searches)
    languages = catalogue.languages({hit.chunk.document_id for hit in retrieval.hits})
    return [Explained(hit, _matched(hit, asked, languages.get(hit.chunk.document_id), store)) for hit in retrieval.hits]


def _matched(hit: Hit, asked: str, language: str | None, store: Store) -> tuple[Span, ...]:
    wanted = set(store.terms(asked, language))
    found = (match.span() for match in _WORD.finditer(hit.chunk.text))
    return merged([span for span in found if wanted.intersection(store.terms(hit.chunk.text[slice(*span)], language))])


def merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Sorted spans without overlaps."""
    kept: list[Span] = []
    for start, end in sorted(spans):
        if kept and start < kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]))
        else:
            kept.append((start, end))
    return tuple(kept)
