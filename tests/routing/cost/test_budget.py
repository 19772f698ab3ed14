"""Budgets of one machine: other processes, cancelled callers, and what is long over."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.errors import StorageError
from routing.cost.budget import LEASE_SECONDS, MARGIN_SECONDS, lease
from routing.cost.budget_terms import DAY
from routing.errors import BudgetError
from tests.routing.cost.budget_home import Home, budget, call, money, only, open_budget_home, paid


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_budget_home(tmp_path)


def test_a_reservation_waits_somewhat_longer_than_its_call() -> None:
    assert lease(call()) == LEASE_SECONDS + MARGIN_SECONDS
    assert MARGIN_SECONDS < lease(call(deadline=time.monotonic() + 100)) <= MARGIN_SECONDS + 100
    assert lease(call(deadline=time.monotonic() - 1)) == MARGIN_SECONDS
    assert lease(call(deadline=time.monotonic() + 1e9)) < DAY


async def test_a_day_after_its_time_it_is_too_late_to_settle(home: Home) -> None:
    budgets = home.local(budget(period="total"))
    reservation = await budgets.reserve(call())
    for _ in range(2):
        home.now += DAY
        budgets.prepare()
    assert home.rows("SELECT count(*) FROM budget_reservations") == [(0,)]
    await home.settle(reservation, "0.25")
    assert money(await only(budgets)) == (1, 0, 1)


async def test_what_is_long_over_is_forgotten(home: Home) -> None:
    budgets = home.local(budget("d", period="day"), budget("r", per="request"), budget("t", period="total"))
    for _ in range(3):
        await home.settle(await budgets.reserve(call()), "1")
        home.now += DAY
    home.now += 4 * DAY
    await budgets.reserve(call())
    assert home.rows(
        "SELECT definition, period, spent, reserved FROM budget_counters JOIN budgets b ON b.id = budget"
    ) == [
        ('["t", "everything", null, "*", "total"]', "total", 3 * 10**12, 10**12),
        ('["d", "everything", null, "*", "day"]', "2026-12-02", 0, 10**12),
        ('["r", "request", null, "*", "own"]', "own", 0, 10**12),
    ]


async def test_a_call_that_has_ended_holds_nothing_while_its_row_waits(home: Home) -> None:
    budgets = home.local(budget(limit="1"))
    first = await budgets.reserve(call())
    assert first is not None
    write = first.settle(Decimal("0.1"))
    with pytest.raises(BudgetError) as caught:
        await budgets.reserve(call())
    assert caught.value.refusal is not None
    assert caught.value.refusal.spent == Decimal("0.1")
    assert await budgets.reserve(call("0.9"))
    await home.ledger.stored([home.ledger.enqueue(paid("0.1"), also=write)])
    assert money(await only(budgets)) == (Decimal("0.1"), Decimal("0.9"), 0)


def writer(path: Path) -> sqlite3.Connection:
    """Another process that is writing."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


async def test_while_another_process_writes_only_the_caller_waits(home: Home) -> None:
    budgets = home.local(budget(limit="2"))
    budgets.prepare()
    other = writer(home.path)
    waiting = [asyncio.ensure_future(budgets.reserve(call())) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in waiting)
    other.execute("ROLLBACK")
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(each, BudgetError) for each in done) == 1
    assert money(await only(budgets)) == (0, 2, 0)


async def test_a_caller_that_is_cancelled_while_it_waits_reserves_nothing(home: Home) -> None:
    budgets = home.local(budget(limit="2"))
    budgets.prepare()
    other = writer(home.path)
    first, second = (asyncio.ensure_future(budgets.reserve(call())) for _ in range(2))
    await asyncio.sleep(0.05)  # a thread has the first by now, or both
    first.cancel()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    other.execute("ROLLBACK")
    for _ in range(500):
        if "plumbline-budgets" not in {thread.name for thread in threading.enumerate()}:
            break
        await asyncio.sleep(0.01)
    assert money(await only(budgets)) == (0, 0, 0)
    assert await budgets.reserve(call("2"))


async def test_a_home_that_cannot_be_written_is_said(home: Home) -> None:
    budgets = home.local(budget())
    budgets.prepare()
    sqlite3.connect(home.path).execute("DROP TABLE budget_counters")
    with pytest.raises(StorageError, match="budget_counters"):
        await budgets.reserve(call())
    await budgets.close()
    gc.collect()
