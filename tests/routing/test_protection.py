"""What stands guard over calls, as the settings say."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from plumbline.database import open_database
from plumbline.errors import ConfigError
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.chat import ChatOptions, ChatRequest, Message, Tags
from routing.cost.budget import LocalBudgets
from routing.cost.budget_tables import component as budgets
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.prices import Price, PriceTable
from routing.errors import BreakerOpenError, BudgetError, OverloadedError, RateLimitError
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
from routing.testing.fakes import ScriptedChatModel
from tests.routing.redis_guard import RedisServer

REQUEST = ChatRequest((Message("user", "Hello?"),), tags=Tags("answer", "acme"))
ONCE = RetrySettings(attempts=1)


def guarded(path: Path, settings: RoutingSettings) -> tuple[Meter, Protection]:
    engine = open_database(path, [ledger(), traces(), budgets()])
    books = Ledger(engine, path)
    protection = protect(settings, path, ledger=books)
    prices = PriceTable({"openai/priced": Price(Decimal(1), Decimal(2))})
    guards = protection.guards
    return Meter(Tracing(engine), books, prices, guards, protection.budgets, latencies=protection.latencies), protection


async def test_what_is_off_is_not_there(tmp_path: Path) -> None:
    off = RoutingSettings(breaker=BreakerSettings(enabled=False), adaptive=False)
    protection = protect(off, tmp_path / "home.db")
    assert (protection.guards, protection.budgets, protection.hedges, protection.link) == ((), None, None, None)
    assert not Meter(None, None, None, protection.guards).looks_ahead  # type: ignore[arg-type]  # none of it is used
    await protection.close()


async def test_what_is_wanted_is_there(tmp_path: Path) -> None:
    wanted = RoutingSettings(
        hedge=HedgeSettings(after="p95"),
        limits=[LimitSettings(requests_per_minute=5)],
        budgets=[BudgetSettings(name="all", limit=Decimal(1))],
    )
    protection = protect(wanted, tmp_path / "home.db")
    assert len(protection.guards) == 3, "limits between the breaker's two looks"
    assert isinstance(protection.budgets, LocalBudgets)
    assert protection.hedges is not None
    await protection.close()


def test_what_cannot_be_leaves_no_link_behind(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    twice = [BudgetSettings(name="all", limit=Decimal(1))] * 2
    with pytest.raises(ConfigError, match="two budgets are called 'all'"):
        protect(RoutingSettings(shared="redis://127.0.0.1:1", budgets=twice), tmp_path / "home.db")
    assert "plumbline-redis" not in {thread.name for thread in threading.enumerate()}


async def test_a_model_that_fails_is_left_alone_and_shown(tmp_path: Path) -> None:
    meter, protection = guarded(tmp_path / "home.db", RoutingSettings())
    model = ScriptedChatModel(OverloadedError("503", model="openai/priced"), name="openai/priced")
    router = Router([model], meter=meter, retry=ONCE)
    for _ in range(2):
        with pytest.raises(OverloadedError):
            await router.complete(REQUEST)
    with pytest.raises(BreakerOpenError):
        await router.complete(REQUEST)
    assert (len(model.requests), meter.ledger.totals().calls) == (2, 2)
    standing = await protection.standing()
    assert [state.name for state in standing.left_alone] == ["openai/priced"]
    meter.tracing.close()


async def test_limits_pause_for_what_the_provider_asks_and_not_for_the_breaker(tmp_path: Path) -> None:
    """A model whose probe has succeeded would be left alone all the same, for a 429 of a call sent before."""
    settings = RoutingSettings(
        breaker=BreakerSettings(cooldown_seconds=0.1), retry=RetrySettings(longest_wait_seconds=0)
    )
    meter, protection = guarded(tmp_path / "home.db", settings)

    def call() -> AbstractAsyncContextManager[object]:
        return meter.call("chat", "openai/priced", Tags())

    async def slow(probe: AsyncExitStack) -> None:
        async with call():
            for _ in range(2):
                with suppress(OverloadedError):
                    async with call():
                        raise OverloadedError("503", model="openai/priced", status=503)
            with pytest.raises(BreakerOpenError):
                await call().__aenter__()
            await asyncio.sleep(0.1)
            await probe.enter_async_context(call())
            raise RateLimitError("429", model="openai/priced", status=429)

    async with AsyncExitStack() as probe:
        with pytest.raises(RateLimitError):
            await slow(probe)
    async with call():
        assert [state.state for state in protection.states()] == ["closed", "closed"]
    await protection.close()
    meter.tracing.close()


async def test_what_is_typical_is_seen_in_calls_that_were_answered(tmp_path: Path) -> None:
    off = RoutingSettings(breaker=BreakerSettings(enabled=False), adaptive=False)
    meter, protection = guarded(tmp_path / "home.db", off)
    failing = ScriptedChatModel(OverloadedError("503", model="openai/failing"), name="openai/failing")
    quick = ScriptedChatModel("Hello.", name="openai/quick")
    router = Router([failing, quick], meter=meter, retry=ONCE)
    for asked in range(5):
        assert protection.typical_seconds("openai/quick") is None, f"{asked} answers are too few"
        await router.complete(REQUEST)
    typical = protection.typical_seconds("openai/quick")
    assert typical is not None
    assert typical > 0
    assert protection.typical_seconds("openai/failing") is None, "how soon it failed says nothing"
    meter.tracing.close()


async def test_of_a_stream_the_first_word_is_measured(tmp_path: Path) -> None:
    meter, protection = guarded(tmp_path / "home.db", RoutingSettings())
    ended: list[float] = []

    def slowly(_: str) -> None:
        time.sleep(0.01)

    router = Router([ScriptedChatModel("One two three", name="openai/m")], meter=meter, retry=ONCE)
    for _ in range(5):
        started = time.perf_counter()
        await router.complete(REQUEST, on_text=slowly)
        ended.append(time.perf_counter() - started)
    typical = protection.typical_seconds("openai/m")
    assert typical is not None
    assert typical < min(ended) - 0.01, "the pieces after the first are not waited for"
    meter.tracing.close()


async def test_a_budget_refuses_before_anything_is_sent_and_another_model_answers(tmp_path: Path) -> None:
    tight = RoutingSettings(
        budgets=[BudgetSettings(name="acme", per="tenant", only="acme", limit=Decimal("0.003"), period="total")]
    )
    meter, protection = guarded(tmp_path / "home.db", tight)
    model = ScriptedChatModel("Hello.", name="openai/priced")
    router = Router([model], meter=meter, retry=ONCE)
    request = ChatRequest(REQUEST.messages, tags=REQUEST.tags)
    with pytest.raises(BudgetError, match=r"openai/priced"):
        await router.complete(request)  # nobody knows how long its answer may be
    free = ScriptedChatModel("For nothing.", name="extractive/other")
    response = await Router([model, free], meter=meter, retry=ONCE).complete(request)
    assert (response.text, model.requests) == ("For nothing.", [])
    (state,) = (await protection.standing()).budgets
    assert (state.subject, state.spent + state.reserved) == ("acme", Decimal(0))
    assert meter.ledger.totals().calls == 1, "what was refused was not made"
    meter.tracing.close()
    await protection.close()


def test_an_address_that_is_none_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not the address of a Redis server"):
        protect(RoutingSettings(shared="http://localhost"), tmp_path / "home.db")


async def test_how_things_stand_is_told_without_the_shared_server(tmp_path: Path, redis_server: RedisServer) -> None:
    shared = RoutingSettings(shared=redis_server.url, budgets=[BudgetSettings(name="all", limit=Decimal(1))])
    _, protection = guarded(tmp_path / "home.db", shared)
    (state,) = (await protection.standing()).budgets
    assert (state.name, state.spent) == ("all", Decimal(0))
    redis_server.stop()
    standing = await protection.standing()
    assert (standing.budgets, standing.unknown is not None) == ((), True)
    await protection.close()


@pytest.mark.parametrize("away", ["refuse", "allow"])
async def test_what_calls_under_a_budget_do_without_the_shared_server_is_set(
    tmp_path: Path, redis_server: RedisServer, away: Literal["refuse", "allow"]
) -> None:
    limits = [BudgetSettings(name="all", limit=Decimal(1))]
    meter, protection = guarded(
        tmp_path / "home.db", RoutingSettings(shared=redis_server.url, shared_away=away, budgets=limits)
    )
    model = ScriptedChatModel("For money.", name="openai/priced")
    router = Router([model], meter=meter, retry=ONCE)
    request = replace(REQUEST, options=ChatOptions(max_tokens=10))
    redis_server.stop()
    if away == "refuse":
        with pytest.raises(BudgetError, match=r"Redis is away.*routing\.shared_away: allow"):
            await router.complete(request)
    else:
        assert (await router.complete(request)).text == "For money."
        assert meter.ledger.totals().calls == 1
    meter.tracing.close()
    await protection.close()
