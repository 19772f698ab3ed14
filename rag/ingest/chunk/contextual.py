"""The contextual chunker: a model writes where each chunk stands in its document, and that is indexed before its text.

The method is that of Anthropic, "Introducing Contextual Retrieval" (2024): every call repeats the document and differs
in the chunk, so the document stands first and providers read it from their cache from the second call on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from plumbline.aio import together
from plumbline.prompts import Prompt, load_prompt
from plumbline.text.tokens import DEFAULT_TOKENIZER, Tokenizer, estimate_tokens
from rag.ingest.chunk import Forecast
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.ingest.chunk.views import View, views
from rag.types import Chunk, Document
from routing.chat import ChatOptions, ChatRequest, Message, Tags, Tier, Usage
from routing.cost.prices import PriceTable, total_cost
from routing.models.usage import estimate_prompt
from routing.router import Router

CONTEXT_TOKENS = 80
"""What a context is expected to take, in the forecast; a model may write at most `MOST_TOKENS`."""
MOST_TOKENS = 200
CACHED_FROM = 1024
"""Providers cache beginnings of at least so many tokens (OpenAI, and most models of Anthropic)."""

_OPTIONS = ChatOptions(temperature=0.0, max_tokens=MOST_TOKENS)
_TAGS = Tags("ingest")


class ContextualChunker:
    """The recursive chunker's spans, each with one or two sentences of a model behind its headings in `context`.

    A document of more than `reads` estimated tokens is shown in views of about that length around the chunks. The
    first call about a view is made alone, so that those after it find it in the provider's cache; at most
    `concurrency` calls about a document are open at a time. `make_router` gives the router to `model` at every
    call, and is not asked before, so that a knowledge base opens without a key; `prices` are for `forecast`, the
    router prices the calls themselves.
    Raises `InputError` and `ConfigError` as the recursive chunker does; `chunk` raises `ModelError` when a call fails.
    """

    tier: Tier = "standard"
    """What the model's provider charges by."""

    def __init__(
        self,
        model: str,
        make_router: Callable[[], Router],
        prices: PriceTable,
        *,
        size: int = 512,
        overlap: int = 50,
        tokenizer: str | Tokenizer = DEFAULT_TOKENIZER,
        reads: int = 24_000,
        concurrency: int = 4,
    ) -> None:
        self._model = model
        self._make_router = make_router
        self._prices = prices
        self._base = RecursiveChunker(size=size, overlap=overlap, tokenizer=tokenizer)
        self._prompt: Prompt = load_prompt("context")
        self._reads = reads
        self._concurrency = concurrency

    @property
    def name(self) -> str:
        """Such as "contextual openai/gpt-5-nano 3f0a1b2c recursive 512/50 cl100k_base": the prompt's hash is in it."""
        return f"contextual {self._model} {self._prompt.hash[:8]} {self._base.name}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; asks the model once for each."""
        chunks = await self._base.chunk(document)
        calls = asyncio.Semaphore(self._concurrency)
        found: list[Chunk] = []
        for head, view in self._shown(document, chunks):
            found.append(await self._situated(head, view.chunks[0], calls))
            found += await together([self._situated(head, chunk, calls) for chunk in view.chunks[1:]])
        return found

    def forecast(self, document: Document) -> Forecast:
        """What `chunk` will use, in estimated tokens, if the model's provider caches and nothing is answered twice."""
        usages: list[Usage] = []
        for head, view in self._shown(document, self._base.split(document)):
            usages += [self._expected(head, chunk, again=index > 0) for index, chunk in enumerate(view.chunks)]
        costs = [self._prices.cost(self._model, usage, self.tier) for usage in usages]
        return Forecast(len(usages), sum(usages, Usage(estimated=True)), total_cost(costs))

    def _shown(self, document: Document, chunks: list[Chunk]) -> Iterator[tuple[Message, View]]:
        """What the model is shown, with the chunks that it is asked about beside it."""
        for view in views(document.text, chunks, self._reads):
            values = {"name": document.name, "document": document.text[view.start : view.end]}
            yield Message("system", self._prompt.render(values)), view

    def _expected(self, head: Message, chunk: Chunk, *, again: bool) -> Usage:
        whole, shared = estimate_prompt(_request(head, chunk)), estimate_tokens(head.content)
        price = self._prices.find(self._model)
        cacheable = shared if price is not None and price.cached_input is not None and shared >= CACHED_FROM else 0
        written = cacheable if price is not None and price.cache_write is not None and not again else 0
        return Usage(whole, CONTEXT_TOKENS, cacheable if again else 0, written, estimated=True)

    async def _situated(self, head: Message, chunk: Chunk, calls: AbstractAsyncContextManager[object]) -> Chunk:
        async with calls:
            response = await self._make_router().complete(_request(head, chunk))
        written = " ".join(response.text.split())
        return replace(chunk, context="\n".join(filter(None, (chunk.context, written))))


def _request(head: Message, chunk: Chunk) -> ChatRequest:
    return ChatRequest((head, Message("user", chunk.text)), _OPTIONS, cache_system=True, tags=_TAGS)
