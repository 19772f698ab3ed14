"""A home with a ledger, a clock that sleeping moves on, and models of both providers at a fake one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Engine

from plumbline.database import open_database
from plumbline.trace import SpanRecord, Tracing, read_trace, recent_traces
from plumbline.trace import component as traces
from routing.batch.job import Pace
from routing.batch.jobs import BatchJobs
from routing.batch.store import component as batches
from routing.batch.work import ChatWork
from routing.call import Budgets
from routing.chat import ChatOptions, ChatRequest, Message, Tags
from routing.cost.budget_tables import component as budgets
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.prices import Price, PriceTable
from routing.meter import Meter
from routing.models.anthropic import AnthropicChatModel
from routing.models.openai import OpenAIChatModel

BATCH = Price(Decimal("0.5"), Decimal(1), cached_input=Decimal("0.05"))
PRICE = Price(Decimal(1), Decimal(2), cached_input=Decimal("0.1"), tiers={"batch": BATCH})
NAMES = {"openai": "openai/gpt-4.1-mini", "anthropic": "anthropic/claude-haiku-4-5"}
# Of the fake provider's usual answer: 57 tokens in, 32 of them cached, and 9 out; at half price.
COST = (25 * Decimal("0.5") + 32 * Decimal("0.05") + 9) / 1_000_000


@dataclass
class Clock:
    """Seconds since 1970, as far as anybody slept."""

    now: float = 1_790_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert len(self.slept) < 200, "it is waited for something that does not come"
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class BatchHome:
    """What one process has; opening another over the same file is what comes after a crash."""

    path: Path
    meter: Meter
    clock: Clock
    jobs: BatchJobs
    engine: Engine

    def spans(self, trace: str) -> list[SpanRecord]:
        """The spans of a trace."""
        return read_trace(self.engine, trace)

    def span_names(self) -> set[str]:
        """What the traces begin with."""
        return {span.name for span in recent_traces(self.engine, 50)}

    def rows(self) -> list[tuple[str, str, Decimal | None, str | None, str]]:
        """Everything in the ledger: kind, model, cost, error, tier."""
        return [(each.kind, each.model, each.cost, each.error, each.tier) for _, each in self.meter.ledger.after(0)]


@contextmanager
def batch_home(path: Path, clock: Clock, money: Budgets | None = None, *, killed: bool = False) -> Iterator[BatchHome]:
    """Open a home; one that is `killed` writes nothing any more when it is left."""
    engine = open_database(path, [ledger(), traces(), budgets(), batches()])
    tracing = Tracing(engine)
    prices = PriceTable(dict.fromkeys((*NAMES.values(), "openai/text-embedding-3-small"), PRICE))
    meter = Meter(tracing, Ledger(engine, path), prices, budgets=money)
    jobs = BatchJobs(path, meter, pace=Pace(failures=3), clock=clock, sleep=clock.sleep)
    try:
        yield BatchHome(path, meter, clock, jobs, engine)
    finally:
        jobs.close()
        tracing.close()
        if not killed:
            meter.ledger.flush()
        engine.dispose()


def work_of(provider: str, url: str) -> ChatWork:
    name = NAMES[provider].partition("/")[2]
    if provider == "openai":
        return ChatWork(OpenAIChatModel(name, api_key="k", base_url=f"{url}/v1"))
    return ChatWork(AnthropicChatModel(name, api_key="k", base_url=url))


@asynccontextmanager
async def served(provider: str, url: str) -> AsyncIterator[ChatWork]:
    """The work, whose model is closed at the end."""
    work = work_of(provider, url)
    yield work
    await work.close()


def requests(count: int) -> list[ChatRequest]:
    return [
        ChatRequest(
            (Message("user", f"Question {number}?"),), ChatOptions(max_tokens=50), tags=Tags("eval", f"t{number}")
        )
        for number in range(count)
    ]
