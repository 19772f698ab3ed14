"""Callers that go away at any moment: whatever a call holds is given back, and every call that went out has its row."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.call import Call, Leave, Outcome
from routing.chat import (
    ChatEvent,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Completed,
    Message,
    Tags,
    TextDelta,
    Usage,
)
from routing.cost.budget_tables import component as budgets
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.prices import Price, PriceTable
from routing.errors import ConnectionFailedError, ModelError, OverloadedError
from routing.meter import Meter
from routing.protection import Protection, protect
from routing.router import Router
from routing.settings import (
    BreakerSettings,
    BudgetSettings,
    HedgeSettings,
    LimitSettings,
    RetrySettings,
    RoutingSettings,
)

MODEL = "openai/priced"
REQUEST = ChatRequest((Message("user", "Hello?"),), options=ChatOptions(max_tokens=50), tags=Tags("answer", "acme"))
SETTINGS = RoutingSettings(
    limits=[LimitSettings(per="everything", concurrent=2), LimitSettings(per="tenant", tokens_per_minute=10**9)],
    budgets=[BudgetSettings(name="all", limit=Decimal(1000))],
    breaker=BreakerSettings(cooldown_seconds=0.01, longest_cooldown_seconds=0.02),
    retry=RetrySettings(first_wait_seconds=0.001, longest_wait_seconds=0.05),
)


class Frail:
    """Answers in a few turns of the loop, and fails now and then."""

    name = MODEL

    def __init__(self) -> None:
        self.asked = self.at_work = 0

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """See `ChatModel`."""
        with self.working():
            for _ in range(3):
                await asyncio.sleep(0)
            if self.asked % 7 == 0:
                raise OverloadedError("503", model=MODEL, status=503)
            return ChatResponse("Hello.", MODEL, Usage(10, 5))

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """See `ChatModel`."""
        with self.working():
            for word in ("How", " are", " you?"):
                await asyncio.sleep(0)
                yield TextDelta(word)
                if self.asked % 11 == 0:
                    raise ConnectionFailedError("reset", model=MODEL, reached=True)
            yield Completed(ChatResponse("How are you?", MODEL, Usage(10, 5)))

    async def close(self) -> None:
        """See `ChatModel`."""

    @contextmanager
    def working(self) -> Iterator[None]:
        """Counts."""
        self.asked += 1
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1


class Watch:
    """A guard at the very end of the way: how many calls go out, and how often each comes back."""

    def __init__(self) -> None:
        self.out: list[list[Outcome]] = []

    async def enter(self, call: Call) -> Leave:
        """See `Guard`."""
        ends: list[Outcome] = []
        self.out.append(ends)
        return ends.append


async def completed(router: Router, request: ChatRequest, chance: random.Random) -> None:
    await router.complete(request)


async def streamed(router: Router, request: ChatRequest, chance: random.Random) -> None:
    async for _ in router.stream(request):
        pass


async def abandoned(router: Router, request: ChatRequest, chance: random.Random) -> None:
    """Read half way, and closed, closed by another task, or left to the garbage collector."""
    events = router.stream(request)
    async for _ in events:
        if chance.random() < 0.4:
            break
    way = chance.random()
    if way < 0.3:
        await events.aclose()
    elif way < 0.6:
        await asyncio.create_task(_closed(events.aclose()))


async def _closed(closing: Awaitable[None]) -> None:
    await closing


@pytest.mark.parametrize("after", ["never", 0.0001])
@pytest.mark.parametrize("way", [completed, streamed, abandoned])
async def test_everything_is_given_back_once(
    tmp_path: Path, way: Callable[[Router, ChatRequest, random.Random], Awaitable[None]], after: str | float
) -> None:
    settings = SETTINGS.model_copy(update={"hedge": HedgeSettings(after=after, share=1)})  # type: ignore[arg-type]  # one of both
    engine = open_database(tmp_path / "home.db", [ledger(), traces(), budgets()])
    books = Ledger(engine, tmp_path / "home.db")
    protection = protect(settings, tmp_path / "home.db", ledger=books)
    watch, model, chance = Watch(), Frail(), random.Random(5)
    prices = PriceTable({MODEL: Price(Decimal(1), Decimal(2))})
    guards = (*protection.guards, watch)
    meter = Meter(Tracing(engine), books, prices, guards, protection.budgets, protection.retry_budgets)
    router = Router([model], meter=meter, retry=settings.retry, hedges=protection.hedges)

    async def caller(turns: int) -> None:
        request = replace(REQUEST, deadline=chance.choice([None, time.monotonic() + chance.choice([0.002, 0.05, 5])]))
        task = asyncio.ensure_future(way(router, request, chance))
        for _ in range(turns):
            await asyncio.sleep(0.001 if chance.random() < 0.1 else 0)
        if chance.random() < 0.7:
            task.cancel()
        if chance.random() < 0.1:
            await asyncio.sleep(0)
            task.cancel()  # while it is about to end for the first time
        with suppress(asyncio.CancelledError, ModelError):
            await task

    for _ in range(20):
        await asyncio.gather(*(caller(turns) for turns in range(0, 40, 2)))
    gc.collect()
    left = asyncio.all_tasks() - {asyncio.current_task()}  # of streams that nobody has closed
    await asyncio.wait_for(asyncio.gather(*left, return_exceptions=True), 10)

    made = [ends for ends in watch.out if ends[0].made]
    assert all(len(ends) == 1 for ends in watch.out)
    assert model.at_work == 0
    assert model.asked == len(made) == books.totals().calls > 50
    await nothing_is_held(protection)
    await protection.close()
    meter.tracing.close()
    engine.dispose()


async def nothing_is_held(protection: Protection) -> None:
    """By the limits, the breakers and the budgets."""
    assert protection.limiter is not None
    assert protection.breakers is not None
    assert protection.budgets is not None
    assert protection.limiter.waiting == 0
    assert [state.reserved for state in await protection.budgets.states()] == [0]
    call = Call("chat", MODEL, Tags("answer", "acme"), deadline=time.monotonic() + 5)
    await asyncio.sleep(0.03)  # after every cooldown
    probe = [await guard.enter(call) for guard in protection.guards]
    for leave in probe:
        leave(Outcome(Usage(10, 5), Decimal(0), 0.1))
    assert {state.state for state in protection.breakers.states()} == {"closed"}
    both = [await guard.enter(call) for _ in range(2) for guard in protection.guards]
    with pytest.raises(ModelError):
        await protection.limiter.enter(replace(call, deadline=time.monotonic() + 0.01))
    for leave in both:
        leave(Outcome(Usage(10, 5), Decimal(0), 0.1))
