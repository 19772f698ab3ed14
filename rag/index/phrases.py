"""Phrases on a server that does not read texts as we do: looked for in the texts of what the words find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from rag.index.field_terms import FieldTerms
from rag.index.lexical.query import Phrase
from rag.index.store import Point, Ranking

FIRST_LOOK = 4
"""So many times `k` are looked at first, and then four times as many again."""

Fetch = Callable[[int], Awaitable[list[tuple[Point, float]]]]
"""The best so many by words alone, with their texts."""


async def holding(fetch: Fetch, reading: FieldTerms, phrases: Sequence[Phrase], k: int) -> Ranking:
    """The `k` best that hold every phrase, looked for among ever more of the ranking, down to its end."""
    limit = FIRST_LOOK * k
    while True:
        found = await fetch(limit)
        held = [(point.id, score) for point, score in found if reading.holds(point, phrases)]
        if len(held) >= k or len(found) < limit:
            return held[:k]
        limit *= 4
