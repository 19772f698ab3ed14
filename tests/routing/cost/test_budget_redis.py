"""Budgets of several machines: who joins, what a server that goes away costs, and what it forgot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.errors import StorageError
from routing.cost.budget_redis import RedisBudgets
from routing.errors import BudgetError
from routing.resilience.redis_link import RedisLink
from tests.routing.cost.budget_home import Home, budget, call, money, only, open_budget_home, paid
from tests.routing.redis_guard import RedisServer


@pytest.fixture
def homes(redis_server: RedisServer, tmp_path: Path) -> Iterator[tuple[Home, Home]]:
    """Two machines."""
    found = []
    for name in ("one", "two"):
        home = open_budget_home(tmp_path / name)
        home.link = RedisLink(redis_server.url, again_seconds=0.05)
        found.append(home)
    yield found[0], found[1]
    for home in found:
        assert home.link is not None
        home.link.close()


async def back(home: Home) -> None:
    """Wait until the server is known to be back."""
    assert home.link is not None
    for _ in range(500):
        if not home.link.lost:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the server does not come back")


async def test_machines_share_a_budget(homes: tuple[Home, Home]) -> None:
    one, two = (home.budgets(budget(limit="2", per="tenant")) for home in homes)
    first = await one.reserve(call("1.5"))
    with pytest.raises(BudgetError, match=r"of tenant 'acme'.*\$1.50 reserved"):
        await two.reserve(call("1"))
    await homes[0].settle(first, "0.000000000001")
    await one.states()  # what was told before is known when this is answered
    assert await two.reserve(call("1.999999999999"))
    assert money(await only(one)) == (Decimal("1E-12"), Decimal("1.999999999999"), 0)


async def test_amounts_beyond_the_floats_of_the_server_are_exact(homes: tuple[Home, Home]) -> None:
    budgets = homes[0].budgets(budget(limit="9000000"))
    await homes[0].settle(await budgets.reserve(call("8999999.999999999999")), "8999999.999999999998")
    with pytest.raises(BudgetError):
        await budgets.reserve(call("0.000000000003"))
    assert await budgets.reserve(call("0.000000000002"))
    assert money(await only(budgets)) == (Decimal("8999999.999999999998"), Decimal("2E-12"), 0)


async def test_each_machine_brings_what_its_ledger_has_once(homes: tuple[Home, Home]) -> None:
    homes[0].ledger.record(paid("1.000000000001"), paid("2", tenant="other"))
    homes[1].ledger.record(paid("0.25"))
    terms = budget(limit="10", per="tenant")
    for home in (*homes, *homes):
        await home.settle(await home.budgets(terms).reserve(call("1")), "0")
    one, two = await homes[0].budgets(terms).states()
    assert (one.subject, one.spent) == ("acme", Decimal("1.250000000001"))
    assert (two.subject, two.spent) == ("other", Decimal(2))


async def test_while_the_server_is_away_calls_that_cost_something_are_refused(
    homes: tuple[Home, Home], redis_server: RedisServer
) -> None:
    home = homes[0]
    budgets = home.budgets(budget(limit="2"))
    under_way = await budgets.reserve(call())
    redis_server.stop()
    for _ in range(3):
        with pytest.raises(BudgetError, match="Redis is away, and with it the budget 'all': a call of openai/gpt"):
            await budgets.reserve(call())
    assert await budgets.reserve(call("0"))
    await home.settle(under_way, "0.5")
    with pytest.raises(StorageError, match="how the budgets stand is not known"):
        await budgets.states()
    redis_server.start()
    await back(home)
    await budgets.reserve(call("1.5"))
    with pytest.raises(BudgetError, match="has no room"):
        await budgets.reserve(call("0.01"))


async def test_a_server_that_forgot_everything_is_told_again(
    homes: tuple[Home, Home], redis_server: RedisServer
) -> None:
    terms = budget(limit="3")
    one, two = (home.budgets(terms) for home in homes)
    await homes[0].settle(await one.reserve(call()), "0.5")
    await homes[1].settle(await two.reserve(call()), "0.75")
    redis_server.stop()
    for each in (one, two):
        with pytest.raises(BudgetError):
            await each.reserve(call())
    redis_server.start()
    for home in homes:
        await back(home)
    await one.reserve(call("0.1"))
    await two.reserve(call("0.1"))
    assert money(await only(one)) == (Decimal("1.25"), Decimal("0.2"), 0)


async def test_calls_may_be_let_through_and_counted_afterwards(
    homes: tuple[Home, Home], redis_server: RedisServer
) -> None:
    home = homes[0]
    budgets = home.budgets(budget(limit="2"), away="allow")
    await home.settle(await budgets.reserve(call()), "1")
    redis_server.stop()
    for _ in range(2):
        await home.settle(await budgets.reserve(call()), "1")
    redis_server.start()
    await back(home)
    with pytest.raises(BudgetError):
        await budgets.reserve(call())
    assert (await only(budgets)).spent >= 3


async def test_a_caller_that_is_cancelled_reserves_nothing(homes: tuple[Home, Home]) -> None:
    budgets = homes[0].budgets(budget(limit="1"))
    await homes[0].settle(await budgets.reserve(call()), "0")
    for _ in range(50):
        task = asyncio.ensure_future(budgets.reserve(call()))
        await asyncio.sleep(0)
        await asyncio.to_thread(time.sleep, 0.0002)
        task.cancel()
        done = (await asyncio.gather(task, return_exceptions=True))[0]
        if not isinstance(done, BaseException):
            await homes[0].settle(done, "0")
    assert money(await only(budgets)) == (0, 0, 0)


async def test_a_settlement_that_was_not_sent_is_sent_at_the_end(homes: tuple[Home, Home]) -> None:
    home = homes[0]
    budgets = home.budgets(budget(limit="2"))
    assert isinstance(budgets, RedisBudgets)
    first = await budgets.reserve(call())
    assert home.link is not None
    home.link._lost = True
    await home.settle(first, "0.5")
    home.link._lost = False
    await budgets.close()
    assert money(await only(homes[1].budgets(budget(limit="2")))) == (Decimal("0.5"), 0, 0)
