"""Two providers on this machine, one of which fails on demand, and the whole path of a call to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Engine

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.chat import (
    ChatModel,
    ChatOptions,
    ChatRequest,
    Completed,
    Interrupted,
    Message,
    RoutedEvent,
    Tags,
    TextDelta,
)
from routing.cost.budget import LocalBudgets
from routing.cost.budget_tables import component as budgets
from routing.cost.ledger import Ledger, LedgerEntry
from routing.cost.ledger import component as ledger
from routing.cost.prices import Price, PriceTable
from routing.meter import Meter
from routing.models.anthropic import AnthropicChatModel
from routing.models.cohere_chat import CohereChatModel
from routing.models.openai import OpenAIChatModel
from routing.router import Router
from routing.settings import BudgetSettings, RetrySettings
from routing.testing.server import FakeProvider, Script
from tests.faults.faults import Provider
from tests.faults.outcomes import TRIES

FIRST = Script(pieces=("The refund ", "window is ", "30 days ", "after delivery."))
SECOND = Script(pieces=("Goods come back ", "within a month."))
REQUEST = ChatRequest(
    (Message("system", "Be brief."), Message("user", "When?")), ChatOptions(max_tokens=100), tags=Tags("answer", "acme")
)
PRICE = Price(Decimal(1), Decimal(2))
RETRY = RetrySettings(attempts=TRIES, first_wait_seconds=0, longest_wait_seconds=0.01, free=10_000)


def adapter(provider: Provider, url: str, timeout: float) -> ChatModel:
    """The adapter of one provider, at an address."""
    match provider:
        case "openai":
            return OpenAIChatModel("model", api_key="k", base_url=f"{url}/v1", timeout=timeout)
        case "responses":
            return OpenAIChatModel("model", api_key="k", base_url=f"{url}/v1", timeout=timeout, api="responses")
        case "vllm":
            return OpenAIChatModel(
                "model", provider="vllm", api_key=None, base_url=f"{url}/v1", key_variable=None, timeout=timeout
            )
        case "anthropic":
            return AnthropicChatModel("model", api_key="k", base_url=url, timeout=timeout)
        case "cohere":
            return CohereChatModel("model", api_key="k", base_url=url, timeout=timeout)


@dataclass(slots=True)
class World:
    """`first` is the provider that fails, `second` the one that does not, at which `healthy` is."""

    first: FakeProvider
    second: FakeProvider
    meter: Meter
    healthy: ChatModel
    models: dict[tuple[Provider, float], ChatModel]
    budgets: LocalBudgets

    def model(self, provider: Provider, timeout: float) -> ChatModel:
        """The model at the provider that fails; the same again, with its connections, for the same arguments."""
        key = provider, timeout
        if key not in self.models:
            self.models[key] = adapter(provider, self.first.url, timeout)
        return self.models[key]

    def router(self, model: ChatModel, meter: Meter | None = None) -> Router:
        """Asks `model`, and then the healthy one."""
        return Router([model, self.healthy], meter=meter or self.meter, retry=RETRY)

    def seen(self) -> tuple[int, int]:
        """How many requests have arrived at each."""
        return len(self.first.requests), len(self.second.requests)

    def rows(self, after: int) -> list[LedgerEntry]:
        """What was written into the ledger since the row `after`."""
        return [entry for _, entry in self.meter.ledger.after(after)]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[World]:
    """The world, with an empty home in `folder`."""
    path, engine = _home(folder)
    tracing = Tracing(engine)
    prices = PriceTable(
        {f"{provider}/model": PRICE for provider in ("openai", "vllm", "anthropic", "cohere", "healthy")}
    )
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(FakeProvider(script)) for script in (FIRST, SECOND)]
        healthy = OpenAIChatModel("model", provider="healthy", api_key=None, base_url=f"{second.url}/v1", timeout=30)
        books = Ledger(engine, path)
        everything = BudgetSettings(name="everything", period="total", limit=Decimal(1_000_000))
        kept = LocalBudgets(path, [everything], ledger=books)
        world = World(first, second, Meter(tracing, books, prices), healthy, {}, kept)
        try:
            yield world
        finally:
            for model in (healthy, *world.models.values()):
                await model.close()
            await kept.close()
            tracing.close()
            engine.dispose()


def _home(folder: Path) -> tuple[Path, Engine]:
    folder.mkdir(exist_ok=True)
    path = folder / "home.db"
    return path, open_database(path, [ledger(), traces(), budgets()])


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader of a stream, or of an answer in one piece, has of it: `text` as it was handed over."""

    text: str
    last: Completed | Interrupted


async def heard(events: AsyncIterator[RoutedEvent]) -> Heard:
    """A stream to its end."""
    text = ""
    async for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        else:
            return Heard(text, event)
    raise AssertionError("the stream has no last event")
