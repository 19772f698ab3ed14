"""What budgets promise, on one machine and on several: what fits goes out, what does not is refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.cost.budget import LEASE_SECONDS, MARGIN_SECONDS
from routing.cost.budget_terms import DAY
from routing.errors import BudgetError
from routing.resilience.redis_link import RedisLink
from tests.routing.cost.budget_home import NOW, Home, budget, call, money, only, open_budget_home, paid


@pytest.fixture(params=["sqlite", "redis"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    home = open_budget_home(tmp_path)
    if request.param == "redis":
        home.link = RedisLink(request.getfixturevalue("redis_url"))
        yield home
        home.link.close()
    else:
        yield home


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


async def test_another_process_settles_what_was_kept_in_words(home: Home) -> None:
    budgets, other = home.budgets(budget()), home.budgets(budget())
    reservation = await budgets.reserve(call("1.5"))
    assert reservation is not None
    words = budgets.keep(reservation)
    assert words is not None
    for _ in range(2):  # also when the transaction has to be tried again
        await home.settle(other.kept(words), "0.25")
    assert money(await only(budgets)) == (Decimal("0.25"), 0, 0)
    assert budgets.kept("[1, 2]") is None, "others made it"
    nothing = await budgets.reserve(call("0"))
    assert nothing is not None
    assert budgets.keep(nothing) is None


async def test_what_was_kept_is_settled_when_its_budget_is_gone(home: Home) -> None:
    budgets = home.budgets(budget())
    reservation = await budgets.reserve(call("1.5"))
    assert reservation is not None
    words = budgets.keep(reservation)
    assert words is not None
    await home.settle(home.budgets(budget(name="another")).kept(words), "0.25")


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


async def test_a_cost_above_the_bound_counts_in_full_and_is_said(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    budgets = home.budgets(budget(limit="3"))
    await home.settle(await budgets.reserve(call("2")), "4")
    assert caplog.messages[0].startswith("A call of openai/gpt cost $4.00, but was to cost $2.00 at most")
    assert (await only(budgets)).share == pytest.approx(4 / 3)
    assert money(await only(budgets)) == (4, 0, 0)
    with pytest.raises(BudgetError):
        await budgets.reserve(call("0.01"))


async def test_it_is_settled_once(home: Home) -> None:
    budgets = home.budgets(budget())
    reservation = await budgets.reserve(call())
    assert reservation is not None
    write = reservation.settle(Decimal(1))
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


async def test_an_unknown_price_is_refused(home: Home) -> None:
    said = r"a call of openai/gpt may cost is not known.*'all'.*routing\.unpriced: allow"
    with pytest.raises(BudgetError, match=said):
        await home.budgets(budget()).reserve(call(None))
    assert await home.budgets(budget(match="anthropic/*")).reserve(call(None)) is None


async def test_an_unknown_price_may_be_let_through_and_counts_what_is_known(home: Home) -> None:
    budgets = home.budgets(budget(limit="1"), unpriced="allow")
    await home.settle(await budgets.reserve(call(None)), None)
    assert money(await only(budgets)) == (0, 0, 0)
    await home.settle(await budgets.reserve(call(None)), "1.5")
    assert money(await only(budgets)) == (Decimal("1.5"), 0, 0)


async def test_another_limit_keeps_what_is_spent_and_another_meaning_reads_the_ledger(home: Home) -> None:
    await home.settle(await home.budgets(budget(limit="1")).reserve(call()), "1")
    with pytest.raises(BudgetError):
        await home.budgets(budget(limit="1.5")).reserve(call())
    assert await home.budgets(budget(limit="1.5", match="anthropic/*")).reserve(call("1.5", model="anthropic/claude"))
    with pytest.raises(BudgetError, match=r"\$1.00 are spent"):
        await home.budgets(budget(limit="1.5", per="session")).reserve(call())


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
    await budgets.reserve(call("0.1"))
    assert money(await only(budgets)) == (Decimal("2.25"), Decimal("0.1"), 2)


async def test_a_budget_that_nothing_has_met_stands_at_what_the_ledger_has(home: Home) -> None:
    home.ledger.record(paid("2.5"), paid("1", tenant="globex"))
    budgets = home.budgets(budget(), budget("teams", per="tenant"))
    states = {(state.name, state.subject): money(state) for state in await budgets.states()}
    assert states == {
        ("all", ""): (Decimal("3.5"), 0, 0),
        ("teams", "acme"): (Decimal("2.5"), 0, 0),
        ("teams", "globex"): (1, 0, 0),
    }
    await home.settle(await budgets.reserve(call()), "0.5")
    assert {money(state)[0] for state in await budgets.states()} == {Decimal(4), Decimal(3), Decimal(1)}


async def test_a_limit_below_what_is_spent_refuses_and_shows_it(home: Home) -> None:
    await home.settle(await home.budgets(budget(limit="5")).reserve(call("4")), "4")
    lower = home.budgets(budget(limit="1"))
    with pytest.raises(BudgetError, match=r"of \$1.00 \$4.00 are spent"):
        await lower.reserve(call("0.000000000001"))
    assert await lower.reserve(call("0"))
    state = await only(lower)
    assert (money(state), state.share, state.soft_reached) == ((4, 0, 0), 4.0, True)
    assert await home.budgets(budget(limit="5")).reserve(call("1")), "raised again, there is room again"


async def test_a_clock_that_is_put_back_loses_nothing(home: Home) -> None:
    budgets = home.budgets(budget(limit="2", period="day"))
    home.now += DAY
    under_way = await budgets.reserve(call())
    home.now -= DAY
    await home.settle(under_way, "0.75")
    await home.settle(await budgets.reserve(call("2")), "2")
    with pytest.raises(BudgetError, match="in 2026-11-25"):
        await budgets.reserve(call("0.01"))
    home.now += DAY
    assert money(await only(budgets)) == (Decimal("0.75"), 0, 0)


async def test_what_was_left_behind_is_found_although_the_clock_was_put_back(home: Home) -> None:
    budgets = home.budgets(budget(limit="3"))
    home.now += 5 * 3600
    await budgets.reserve(call("0.1"))
    home.now -= 5 * 3600
    lost = await budgets.reserve(call("1"))
    assert lost is not None
    home.now += LEASE_SECONDS + MARGIN_SECONDS
    await budgets.reserve(call("0.1"))
    assert money(await only(budgets)) == (1, Decimal("0.2"), 1)
