"""Calls that pass the meter with a budget before them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.call import Most
from routing.chat import Tags, Usage
from routing.cost.prices import Price, PriceTable
from routing.errors import BudgetError, RateLimitError
from routing.meter import Meter, settled
from tests.routing.cost.budget_home import Home, budget, money, only, open_budget_home

MODEL = "openai/priced"
MOST = Most(0, 1_000_000)
LIMIT = budget(limit="3")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_budget_home(tmp_path)


@pytest.fixture
def meter(home: Home, tmp_path: Path) -> Iterator[Meter]:
    tracing = Tracing(open_database(tmp_path / "traces.db", [traces()]))
    prices = PriceTable({MODEL: Price(Decimal(1), Decimal(2))})
    yield Meter(tracing, home.ledger, prices, budgets=home.local(LIMIT))
    tracing.close()


async def call(meter: Meter, tokens: int, error: BaseException | None = None) -> None:
    async with meter.call("chat", MODEL, Tags(), most=MOST) as reading:
        if error is not None:
            raise error
        reading.usage = Usage(0, tokens)


async def test_the_counter_moves_with_the_ledger(meter: Meter, home: Home) -> None:
    await call(meter, 250_000)
    assert money(await only(home.local(LIMIT))) == (Decimal("0.5"), 0, 0)
    assert home.ledger.totals().cost == Decimal("0.5")
    await call(meter, 750_000)
    with pytest.raises(
        BudgetError, match=r"of \$3.00 \$2.00 are spent and \$0.00 reserved, and the call may cost up to \$2"
    ):
        await call(meter, 1)
    assert home.ledger.totals().calls == 2, "what is not made is not recorded"


async def test_calls_at_once_are_as_many_as_fit(meter: Meter, home: Home) -> None:
    began = asyncio.Event()

    async def slow() -> None:
        async with meter.call("chat", MODEL, Tags(), most=Most(0, 500_000)) as reading:
            await began.wait()
            reading.usage = Usage(0, 500_000)

    tasks = [asyncio.ensure_future(slow()) for _ in range(5)]
    await asyncio.sleep(0.2)
    began.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done].count(BudgetError) == 2
    assert money(await only(home.local(LIMIT))) == (3, 0, 0)


async def test_what_a_provider_refused_is_free_for_others_at_once(meter: Meter, home: Home) -> None:
    async with settled():
        with pytest.raises(RateLimitError):
            await call(meter, 0, RateLimitError("no", model=MODEL))
        assert money(await only(home.local(LIMIT))) == (0, 0, 0)
        await call(meter, 0)


async def test_a_call_that_is_cancelled_counts_the_most_it_may_have_cost(meter: Meter, home: Home) -> None:
    with pytest.raises(asyncio.CancelledError):
        await call(meter, 0, asyncio.CancelledError())
    assert money(await only(home.local(LIMIT))) == (2, 0, 2)


async def test_an_unknown_price_is_refused_before_anything_is_sent(meter: Meter) -> None:
    with pytest.raises(BudgetError, match="a call of openai/new may cost is not known"):
        async with meter.call("chat", "openai/new", Tags(), most=MOST):
            raise AssertionError("it was sent")
    without = replace(meter, budgets=None)
    async with without.call("chat", "openai/new", Tags()) as reading:
        reading.usage = Usage(1, 1)
