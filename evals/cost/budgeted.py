"""Models behind a budget: what a catalogue makes, and nothing else, is what a pipeline can call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evals.cost.budget import Budget, most_of_chat, most_of_texts
from plumbline.errors import ConfigError
from routing.chat import ChatEvent, ChatModel, ChatRequest, ChatResponse, Completed
from routing.cost.prices import FREE, Price, PriceTable
from routing.models.facts import provider_facts
from routing.vectors import Embedder, Embeddings

DEFAULT_MAX_OUTPUT = 128_000  # where neither the request nor the facts limit it: as much as any model writes


@dataclass(frozen=True, slots=True)
class Purse:
    """A budget with the prices by which it counts.

    A model without a price cannot be held to a budget and is refused, unless `allow_unpriced`.
    """

    budget: Budget
    prices: PriceTable
    allow_unpriced: bool = False

    def price(self, model: str) -> Price:
        """The price of `model`; raises `ConfigError` when it has none."""
        found = self.prices.find(model)
        if found is not None:
            return found
        if self.allow_unpriced:
            return FREE
        raise ConfigError(
            f"There is no price for {model}, so its calls cannot be held to a budget.",
            key="routing.prices",
            value=model,
            hint="Give it one in routing.prices (input: 0 for a server of your own), or allow calls of unknown price.",
        )


class BudgetedChatModel:
    """`model` behind a purse: a call that could exceed the budget raises `BudgetSpentError` and is not made."""

    def __init__(self, model: ChatModel, purse: Purse) -> None:
        self._model = model
        self._purse = purse

    @property
    def name(self) -> str:
        """The model's own name."""
        return self._model.name

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece."""
        price = self._purse.price(self.name)
        with self._purse.budget.call(self.name, self._most(price, request)) as receipt:
            response = await self._model.complete(request)
            receipt.cost = price.of(response.usage)
        return response

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces; a stream that is left early counts with the most it can cost."""
        price = self._purse.price(self.name)
        with self._purse.budget.call(self.name, self._most(price, request)) as receipt:
            events = self._model.stream(request)
            try:
                async for event in events:
                    receipt.begun = True
                    if isinstance(event, Completed):
                        receipt.cost = price.of(event.response.usage)
                    yield event
            finally:
                if isinstance(events, AsyncGenerator):
                    await events.aclose()

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()

    def _most(self, price: Price, request: ChatRequest) -> Decimal:
        return most_of_chat(price, request, request.options.max_tokens or _max_output(self.name))


class BudgetedEmbedder:
    """`embedder` behind a purse, as `BudgetedChatModel`."""

    def __init__(self, embedder: Embedder, purse: Purse) -> None:
        self._embedder = embedder
        self._purse = purse

    @property
    def name(self) -> str:
        """The embedder's own name."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self._embedder.dim

    @property
    def max_tokens(self) -> int | None:
        """How much text one window holds."""
        return self._embedder.max_tokens

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that ask."""
        return await self._call(self._embedder.embed_queries, texts)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that are searched."""
        return await self._call(self._embedder.embed_passages, texts)

    async def close(self) -> None:
        """Close the embedder."""
        await self._embedder.close()

    async def _call(self, embed: Callable[[Sequence[str]], Awaitable[Embeddings]], texts: Sequence[str]) -> Embeddings:
        price = self._purse.price(self.name)
        with self._purse.budget.call(self.name, most_of_texts(price, texts)) as receipt:
            receipt.begun = True  # many texts may go out in several requests
            embeddings = await embed(texts)
            receipt.cost = price.of(embeddings.usage)
        return embeddings


def _max_output(model: str) -> int:
    """How many tokens the model may write when nobody says: what is known of it."""
    provider, _, name = model.partition("/")
    try:
        return provider_facts(provider).of_chat(name).max_output or DEFAULT_MAX_OUTPUT
    except KeyError:  # a provider without facts
        return DEFAULT_MAX_OUTPUT
