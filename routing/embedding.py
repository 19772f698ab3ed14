"""The one path of a call to an embedder: retries, price, ledger."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from routing.chat import Tags, Usage
from routing.meter import Meter
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings
from routing.vectors import Embedder, Embeddings

if TYPE_CHECKING:
    from routing.vectors import Vectors

LONGEST_SECONDS = 120.0


class MeteredEmbedder:
    """Asks `embedder`, tries again where that can help, and prices and records every try.

    A call is given up `LONGEST_SECONDS` after it began. Raises `ModelError`.
    """

    def __init__(self, embedder: Embedder, *, meter: Meter, retry: RetrySettings) -> None:
        self.embedder = embedder
        self._meter = meter
        self._retry = retry

    async def queries(self, texts: Sequence[str], tags: Tags) -> Vectors:
        """Vectors of texts that ask, float32[n, dim]."""
        return await self._call(lambda: self.embedder.embed_queries(texts), tags)

    async def passages(self, texts: Sequence[str], tags: Tags) -> Vectors:
        """Vectors of texts that are searched, float32[n, dim]."""
        return await self._call(lambda: self.embedder.embed_passages(texts), tags)

    def price(self, usage: Usage) -> Decimal | None:
        """What so much would cost in dollars; `None`: price unknown."""
        return self._meter.prices.cost(self.embedder.name, usage)

    async def _call(self, embed: Callable[[], Awaitable[Embeddings]], tags: Tags) -> Vectors:
        async def attempt() -> Vectors:
            async with self._meter.call("embedding", self.embedder.name, tags) as reading:
                embeddings = await embed()
                reading.usage = embeddings.usage
            return embeddings.vectors

        return await with_retries(attempt, self._retry, deadline=time.monotonic() + LONGEST_SECONDS)
