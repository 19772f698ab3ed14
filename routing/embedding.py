"""The one path of a call to an embedder: retries, price, ledger."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar, cast

from plumbline.errors import ConfigError
from routing.chat import Tags, Usage
from routing.meter import Meter
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings
from routing.vectors import Embedder, Embeddings

if TYPE_CHECKING:
    from routing.vectors import TokenEmbedder, TokenEmbeddings, Vectors

Result = TypeVar("Result")
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

        return await self._measured(embed, tags)

    async def _call(self, embed: Callable[[], Awaitable[Embeddings]], tags: Tags) -> Vectors:
        async def embed_texts() -> tuple[Vectors, Usage]:
            embeddings = await embed()
            return embeddings.vectors, embeddings.usage

        return await self._measured(embed_texts, tags)

    async def _measured(self, embed: Callable[[], Awaitable[tuple[Result, Usage]]], tags: Tags) -> Result:
        async def attempt() -> Result:
            async with self._meter.call("embedding", self.embedder.name, tags) as reading:
                result, reading.usage = await embed()
            return result

        return await with_retries(attempt, self._retry, deadline=time.monotonic() + LONGEST_SECONDS)
