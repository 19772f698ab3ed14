"""Budgets of one machine: what fits goes out, what does not is refused, and nothing is counted twice."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.errors import StorageError
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.cost.budget import LEASE_SECONDS, MARGIN_SECONDS, LocalBudgets, lease
from routing.cost.budget_state import BudgetState
from routing.cost.budget_terms import DAY
from routing.errors import BudgetError
from tests.routing.cost.budget_home import NOW, Home, budget, call, open_budget_home, paid


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_budget_home(tmp_path)


async def only(budgets: LocalBudgets) -> BudgetState:
    (state,) = await budgets.states()
    return state


def money(state: BudgetState) -> tuple[Decimal | int, ...]:
    return state.spent, state.reserved, state.assumed


async def test_what_was_reserved_becomes_what_it_cost(home: Home) -> None:
    budgets = home.budgets(budget())
    reservation = await budgets.reserve(call("1.5"))
    assert money(await only(budgets)) == (0, Decimal("1.5"), 0)
    await home.settle(reservation, "0.000000000001")
    assert money(await only(budgets)) == (Decimal("0.000000000001"), 0, 0)


async def test_the_last_picodollar_is_spent_and_none_beyond_it(home: Home) -> None:
    budgets = home.budgets(budget(limit="3"))
    await budgets.reserve(call("2.999999999999"))
    with pytest.raises(BudgetError):
        await budgets.reserve(call("0.000000000002"))
    assert await budgets.reserve(call("0.000000000001"))


async def test_less_than_a_picodollar_is_reserved_as_one(home: Home) -> None:
    budgets = home.budgets(budget())
    reservation = await budgets.reserve(call("0.0000000000001"))
    assert (await only(budgets)).reserved == Decimal("1E-12")
    await home.settle(reservation, "0")
    assert money(await only(budgets)) == (0, 0, 0)


async def test_an_unknown_cost_counts_the_most_it_may_have_been(home: Home) -> None:
    budgets = home.budgets(budget())
    await home.settle(await budgets.reserve(call("2")), None)
    assert money(await only(budgets)) == (2, 0, 2)


async def test_a_cost_above_the_bound_counts_in_full(home: Home) -> None:
    budgets = home.budgets(budget(limit="3"))
    await home.settle(await budgets.reserve(call("2")), "4")
    assert money(await only(budgets)) == (4, 0, 0)
    with pytest.raises(BudgetError):
        await budgets.reserve(call("0.01"))


async def test_it_is_settled_once(home: Home) -> None:
    budgets = home.budgets(budget())
    reservation = await budgets.reserve(call())
    assert reservation is not None
    write = reservation.settle(Decimal(1))
    assert write is not None
    assert reservation.settle(Decimal(1)) is None
    for _ in range(2):
        await home.ledger.stored([home.ledger.enqueue(paid("1"), also=write)])
    assert money(await only(budgets)) == (1, 0, 0)


async def test_the_error_says_which_budget_whose_when_and_how_much(home: Home) -> None:
    budgets = home.budgets(budget("team", "2", per="tenant"))
    await home.settle(await budgets.reserve(call("1")), "0.5")
    await budgets.reserve(call("1.25"))
    with pytest.raises(BudgetError) as caught:
        await budgets.reserve(call("0.5"))
    assert caught.value.message == (
        "The budget 'team' of tenant 'acme' in 2026-11 (UTC) has no room for a call of openai/gpt: of $2.00 $0.50 are "
        "spent and $1.25 reserved, and the call may cost up to $0.50. It begins anew at 2026-12-01 00:00 UTC."
    )
    refusal = caught.value.refusal
    assert refusal is not None
    assert refusal.spent + refusal.reserved + refusal.bound > refusal.limit


async def test_all_or_none(home: Home) -> None:
    budgets = home.budgets(budget("wide", "10"), budget("narrow", "1", per="tenant"))
    with pytest.raises(BudgetError, match="narrow"):
        await budgets.reserve(call("2"))
    assert [money(state) for state in await budgets.states()] == [(0, 0, 0)]
    await home.settle(await budgets.reserve(call("1")), "1")
    assert [money(state) for state in await budgets.states()] == [(1, 0, 0), (1, 0, 0)]


@pytest.mark.parametrize("per", ["session", "tenant", "key", "purpose"])
async def test_each_has_its_own(home: Home, per: str) -> None:
    budgets = home.budgets(budget(limit="1", per=per))
    assert await budgets.reserve(call(**{per: "a"}))
    with pytest.raises(BudgetError, match=f"of {per} 'a'"):
        await budgets.reserve(call(**{per: "a"}))
    assert await budgets.reserve(call(**{per: "b"}))
    if per != "purpose":
        assert await budgets.reserve(call("100", **{per: None})) is None
    assert {state.subject for state in await budgets.states()} == {"a", "b"}


async def test_models_and_providers_have_their_own(home: Home) -> None:
    budgets = home.budgets(budget("m", "1", per="model"), budget("p", "2", per="provider", match="open*"))
    assert await budgets.reserve(call(model="openai/a"))
    assert await budgets.reserve(call(model="openai/b"))
    with pytest.raises(BudgetError, match="of provider 'openai'"):
        await budgets.reserve(call(model="openai/c"))
    with pytest.raises(BudgetError, match="of model 'openai/a'"):
        await budgets.reserve(call(model="openai/a"))
    assert await budgets.reserve(call(model="anthropic/c"))


async def test_only_one_of_them_is_meant(home: Home) -> None:
    budgets = home.budgets(budget(limit="1", per="tenant", only="acme"))
    assert [state.subject for state in await budgets.states()] == ["acme"]
    assert await budgets.reserve(call("5", tenant="other")) is None
    with pytest.raises(BudgetError):
        await budgets.reserve(call("5", tenant="acme"))


async def test_all_calls_of_a_question_share_its_budget(home: Home, tmp_path: Path) -> None:
    budgets = home.budgets(budget(limit="2", per="request"))
    from plumbline.database import open_database

    tracing = Tracing(open_database(tmp_path / "traces.db", [traces()]))
    for _ in range(2):
        with tracing.span("ask"):
            await budgets.reserve(call())
            with tracing.span("inner"):
                await budgets.reserve(call())
                with pytest.raises(BudgetError, match="of this question"):
                    await budgets.reserve(call())
    tracing.close()
    assert await budgets.reserve(call("2"))  # outside of any question, a call is one of its own
    assert await budgets.reserve(call("2"))
    with pytest.raises(BudgetError):
        await budgets.reserve(call("2.1"))
    assert await budgets.states() == []


@pytest.mark.parametrize(("period", "label", "days"), [("day", "2026-11-25", 1), ("month", "2026-11", 6)])
async def test_a_period_ends_in_utc(home: Home, period: str, label: str, days: int) -> None:
    budgets = home.budgets(budget(limit="1", period=period))
    late = await budgets.reserve(call())
    state = await only(budgets)
    assert state.period == label
    assert state.ends is not None
    assert state.ends.timestamp() == NOW + DAY * (days - 0.5)
    home.now = state.ends.timestamp() - 0.001
    with pytest.raises(BudgetError):
        await budgets.reserve(call())
    home.now += 0.001
    assert await budgets.reserve(call())
    await home.settle(late, "1")  # counts where it was reserved
    assert money(await only(budgets)) == (0, 1, 0)


async def test_a_total_never_ends(home: Home) -> None:
    budgets = home.budgets(budget(limit="1", period="total"))
    await home.settle(await budgets.reserve(call()), "1")
    home.now += 1000 * DAY
    with pytest.raises(BudgetError) as caught:
        await budgets.reserve(call())
    assert "anew" not in caught.value.message


async def test_a_limit_of_0_refuses_all_that_costs_anything(home: Home) -> None:
    budgets = home.budgets(budget(limit="0"))
    assert await budgets.reserve(call("0")) is not None
    with pytest.raises(BudgetError, match=r"of \$0.00"):
        await budgets.reserve(call("0.0000000001"))
    assert (await only(budgets)).share == 1


async def test_what_was_to_cost_nothing_and_costs_something_is_counted(home: Home) -> None:
    budgets = home.budgets(budget())
    free, dear = await budgets.reserve(call("0")), await budgets.reserve(call("0"))
    assert free is not None
    assert free.settle(Decimal(0)) is None
    await home.settle(dear, "0.25")
    assert money(await only(budgets)) == (Decimal("0.25"), 0, 0)


async def test_an_unknown_price_is_refused_or_let_through_uncounted(home: Home) -> None:
    with pytest.raises(BudgetError, match=r"openai/gpt costs is not known.*'all'.*routing\.unpriced: allow"):
        await home.budgets(budget()).reserve(call(None))
    assert await home.budgets(budget(), unpriced="allow").reserve(call(None)) is None
    assert await home.budgets(budget(match="anthropic/*")).reserve(call(None)) is None


async def test_another_limit_keeps_what_is_spent_and_another_meaning_does_not(home: Home) -> None:
    await home.settle(await home.budgets(budget(limit="1")).reserve(call()), "1")
    with pytest.raises(BudgetError):
        await home.budgets(budget(limit="1.5")).reserve(call())
    assert await home.budgets(budget(limit="1.5", match="openai/*", per="session")).reserve(call())


async def test_it_warns_once_and_says_so_in_its_state(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    budgets = home.budgets(budget(limit="10", per="tenant", soft=0.5))
    with caplog.at_level(logging.WARNING):
        await home.settle(await budgets.reserve(call("9")), "4.99")
        assert not (await only(budgets)).soft_reached
        assert not caplog.messages
        for _ in range(2):
            await home.settle(await home.budgets(budget(limit="10", per="tenant", soft=0.5)).reserve(call()), "0.01")
    assert caplog.messages == ["The budget 'all' of tenant 'acme' (2026-11) has spent $5.00 of $10.00."]
    state = await only(budgets)
    assert state.soft_reached
    assert state.share == pytest.approx(0.501)


async def test_what_is_never_settled_counts_as_spent_when_its_time_is_over(home: Home) -> None:
    budgets = home.budgets(budget(limit="3"))
    lost, late = await budgets.reserve(call("1")), await budgets.reserve(call("1"))
    assert lost is not None
    home.now += LEASE_SECONDS + MARGIN_SECONDS
    await budgets.reserve(call("1"))
    assert money(await only(budgets)) == (2, 1, 2)
    await home.settle(late, "0.25")
    assert money(await only(budgets)) == (Decimal("1.25"), 1, 1)
    home.now += 2 * DAY
    budgets.prepare()
    assert money(await only(budgets)) == (Decimal("2.25"), 0, 2)
    home.now += DAY
    budgets.prepare()
    assert home.rows("SELECT count(*) FROM budget_reservations") == [(0,)]


def test_a_reservation_waits_somewhat_longer_than_its_call() -> None:
    assert lease(call()) == LEASE_SECONDS + MARGIN_SECONDS
    assert MARGIN_SECONDS < lease(call(deadline=time.monotonic() + 100)) <= MARGIN_SECONDS + 100
    assert lease(call(deadline=time.monotonic() - 1)) == MARGIN_SECONDS
    assert lease(call(deadline=time.monotonic() + 1e9)) < DAY


async def test_what_is_long_over_is_forgotten(home: Home) -> None:
    budgets = home.budgets(budget("d", period="day"), budget("r", per="request"), budget("t", period="total"))
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
    budgets = home.budgets(budget(limit="1"))
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
    budgets = home.budgets(budget(limit="2"))
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
    budgets = home.budgets(budget(limit="2"))
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
    budgets = home.budgets(budget())
    budgets.prepare()
    sqlite3.connect(home.path).execute("DROP TABLE budget_counters")
    with pytest.raises(StorageError, match="budget_counters"):
        await budgets.reserve(call())
    await budgets.close()
    gc.collect()
