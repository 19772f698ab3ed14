"""The one path of a call to a reranker: retries, price, ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from routing.call import Most, most_tokens
from routing.chat import Tags, Usage
from routing.errors import DeadlineError
from routing.meter import Meter
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings
from routing.vectors import Reranker

if TYPE_CHECKING:
    from routing.vectors import Vectors

LONGEST_SECONDS = 30.0
PASSAGES_PER_SEARCH = 100
TOKENS_PER_PASSAGE = 500
"""What Cohere counts as one search, and as one passage in it, the query included; a longer one counts as several."""


class MeteredReranker:
    """Asks `reranker`, tries again where that can help, and prices and records every try.

    A call is given up `longest_seconds` after it began: a question waits for it. Raises `ModelError`.
    """

    def __init__(
        self, reranker: Reranker, *, meter: Meter, retry: RetrySettings, longest_seconds: float = LONGEST_SECONDS
    ) -> None:
        self.reranker = reranker
        self._meter = meter
        self._retry = retry
        self._longest = longest_seconds

    @property
    def name(self) -> str:
        """The reranker's name, "provider/name"."""
        return self.reranker.name

    async def score(self, query: str, passages: Sequence[str], tags: Tags) -> Vectors:
        """One score per passage, float32[n]; higher is more relevant."""

        deadline = time.monotonic() + self._longest

        async def attempt() -> Vectors:
            most = _most(query, passages) if self._meter.looks_ahead else Most()
            async with self._meter.call("rerank", self.name, tags, most=most, deadline=deadline) as reading:
                reading.attributes["plumbline.rerank.passages"] = len(passages)
                try:
                    async with asyncio.timeout(deadline - time.monotonic()):
                        scores = await self.reranker.score(query, passages)
                except TimeoutError as error:
                    raise DeadlineError(
                        f"{self.name} had not answered after {self._longest:g} s.", model=self.name
                    ) from error
                reading.usage = scores.usage
            return scores.values

        return await with_retries(attempt, self._retry, deadline=deadline, budget=self._meter.retry_budget(self.name))

    def price(self, usage: Usage) -> Decimal | None:
        """What so much would cost in dollars; `None`: price unknown."""
        return self._meter.prices.cost(self.name, usage)

    async def close(self) -> None:
        """Close the reranker."""
        await self.reranker.close()


def _most(query: str, passages: Sequence[str]) -> Most:
    tokens = [most_tokens([query, passage]) for passage in passages]
    counted = sum(-(-each // TOKENS_PER_PASSAGE) for each in tokens)
    return Most(sum(tokens), searches=-(-counted // PASSAGES_PER_SEARCH))
