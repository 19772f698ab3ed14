"""The one path of a call to an embedder: requests side by side, each with its retries, its price and its row in the
ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar, cast

from plumbline.errors import ConfigError
from routing.call import Most, most_tokens
from routing.chat import Tags, Usage
from routing.meter import Meter
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings
from routing.vectors import Embedder, Embeddings

if TYPE_CHECKING:
    from routing.vectors import TokenEmbedder, TokenEmbeddings, Vectors

Embed = Callable[[Sequence[str]], Awaitable[Embeddings]]
Result = TypeVar("Result")
LONGEST_SECONDS = 120.0
AT_ONCE = 8
"""Requests of one call that are under way at a time."""


class MeteredEmbedder:
    """Asks `embedder`, tries again where that can help, and prices and records every try.

    What does not fit into one request goes out in several, `AT_ONCE` at a time; one that fails is tried again alone,
    and is given up `LONGEST_SECONDS` after it began. Raises `ModelError`: requests not begun by then are not sent.
    """

    def __init__(self, embedder: Embedder, *, meter: Meter, retry: RetrySettings) -> None:
        self.embedder = embedder
        self._meter = meter
        self._retry = retry

    async def queries(self, texts: Sequence[str], tags: Tags) -> Vectors:
        """Vectors of texts that ask, float32[n, dim]."""
        return await self._call(self.embedder.embed_queries, texts, tags)

    async def passages(self, texts: Sequence[str], tags: Tags) -> Vectors:
        """Vectors of texts that are searched, float32[n, dim]."""
        return await self._call(self.embedder.embed_passages, texts, tags)

    def price(self, usage: Usage) -> Decimal | None:
        """What so much would cost in dollars; `None`: price unknown."""
        return self._meter.prices.cost(self.embedder.name, usage)

    @property
    def reads_tokens(self) -> bool:
        """Whether the embedder gives one vector per token, which `tokens` asks for."""
        return hasattr(self.embedder, "embed_tokens")

    async def tokens(self, text: str, tags: Tags) -> TokenEmbeddings:
        """The vectors of the tokens of one text; usage counts each token once. Raises `ConfigError` without them."""
        if not self.reads_tokens:
            raise ConfigError(
                f"The embedder {self.embedder.name} gives no vectors of tokens.",
                key="embedding.model",
                value=self.embedder.name,
                hint='Take "embedded/wordllama" or an "st/…" model.',
            )
        embedder = cast("TokenEmbedder", self.embedder)

        async def embed() -> tuple[TokenEmbeddings, Usage]:
            (found,) = await embedder.embed_tokens([text])
            return found, Usage(input_tokens=len(found.spans))

        return await self._measured(embed, [text], tags)

    async def _call(self, embed: Embed, texts: Sequence[str], tags: Tags) -> Vectors:
        groups = self.embedder.requests(texts) if hasattr(self.embedder, "requests") and len(texts) > 1 else []
        if len(groups) < 2:
            return await self._request(embed, texts, tags)
        free, failed = asyncio.Semaphore(AT_ONCE), asyncio.Event()

        async def one(rows: Sequence[int]) -> Vectors | None:
            async with free:
                if failed.is_set():
                    return None
                try:
                    return await self._request(embed, [texts[row] for row in rows], tags)
                except BaseException:
                    failed.set()
                    raise

        # What is under way when another fails is waited for: it is paid for, and the ledger shall say how much.
        found = await asyncio.gather(*map(one, groups), return_exceptions=True)
        return _joined(found)

    async def _request(self, embed: Embed, texts: Sequence[str], tags: Tags) -> Vectors:
        async def embed_texts() -> tuple[Vectors, Usage]:
            embeddings = await embed(texts)
            return embeddings.vectors, embeddings.usage

        return await self._measured(embed_texts, texts, tags)

    async def _measured(
        self, embed: Callable[[], Awaitable[tuple[Result, Usage]]], texts: Sequence[str], tags: Tags
    ) -> Result:
        deadline = time.monotonic() + LONGEST_SECONDS
        most = Most(most_tokens(texts)) if self._meter.looks_ahead else Most()

        async def attempt() -> Result:
            async with self._meter.call("embedding", self.embedder.name, tags, most=most, deadline=deadline) as reading:
                result, reading.usage = await embed()
            return result

        budget = self._meter.retry_budget(self.embedder.name)
        return await with_retries(attempt, self._retry, deadline=deadline, budget=budget)


def _joined(found: Sequence[Vectors | BaseException | None]) -> Vectors:
    """The vectors of all requests; raises what the first that failed raised."""
    import numpy as np

    for result in found:
        if isinstance(result, BaseException):
            raise result
    return np.concatenate([vectors for vectors in found if isinstance(vectors, np.ndarray)])
