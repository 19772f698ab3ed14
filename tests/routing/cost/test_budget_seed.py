"""A budget that begins in the middle of its period knows what was spent before."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from routing.cost.budget_terms import DAY
from routing.errors import BudgetError
from tests.routing.cost.budget_home import NOW, Home, budget, call, open_budget_home, paid

MONTH = NOW - 24.5 * DAY
TODAY = NOW - DAY / 2


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = open_budget_home(tmp_path)
    home.ledger.record(
        paid("100", MONTH - 70 * DAY, key="k1", session="s0"),
        paid("0.000000000001", MONTH),
        paid("1.1", MONTH + 0.25, tenant="other", session="s1"),
        paid("0.2", TODAY - 0.001, "anthropic/claude", purpose="judge", key="k1"),
        paid("0.04", TODAY, tenant=None),
        paid(None, TODAY),
        paid("0", TODAY),
    )
    return home


@pytest.mark.parametrize(
    ("settings", "spent"),
    [
        ({}, {"": "1.340000000001"}),
        ({"period": "day"}, {"": "0.04"}),
        ({"period": "total"}, {"": "101.340000000001"}),
        ({"match": "anthropic/*"}, {"": "0.2"}),
        ({"per": "tenant"}, {"acme": "0.200000000001", "other": "1.1"}),
        ({"per": "tenant", "only": "other"}, {"other": "1.1"}),
        ({"per": "provider"}, {"anthropic": "0.2", "openai": "1.140000000001"}),
        ({"per": "model"}, {"anthropic/claude": "0.2", "openai/gpt": "1.140000000001"}),
        ({"per": "purpose"}, {"answer": "1.140000000001", "judge": "0.2"}),
        ({"per": "request"}, {}),
        ({"per": "session"}, {"s1": "1.1"}),
        ({"per": "key"}, {"k1": "0.2"}),
    ],
    ids=str,
)
async def test_what_the_ledger_has_of_the_period_is_spent(
    home: Home, settings: dict[str, str], spent: dict[str, str]
) -> None:
    budgets = home.local(budget(limit="1000", **settings))
    budgets.prepare()
    assert {state.subject: str(state.spent.normalize()) for state in await budgets.states()} == spent


async def test_it_is_read_once(home: Home) -> None:
    await home.local(budget(limit="1000")).reserve(call("2"))
    home.ledger.record(paid("5"))
    budgets = home.local(budget(limit="1000"))
    budgets.prepare()
    assert [state.spent for state in await budgets.states()] == [Decimal("1.340000000001")]


async def test_the_first_call_sees_it_too(home: Home) -> None:
    with pytest.raises(BudgetError, match=r"\$1.340000000001 are spent"):
        await home.local(budget(limit="2")).reserve(call("0.7"))


async def test_a_home_without_a_ledger_has_spent_nothing(tmp_path: Path) -> None:
    from plumbline.database import open_database
    from routing.cost.budget import LocalBudgets
    from routing.cost.budget_tables import component

    open_database(tmp_path / "other.db", [component()])
    budgets = LocalBudgets(tmp_path / "other.db", [budget(per="tenant")])
    assert await budgets.reserve(call())
