"""A home with a ledger and budgets, and calls for them; the clock is a number that tests set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from plumbline.database import open_database
from plumbline.reading import ReadConnection
from routing.call import Call, Reservation
from routing.chat import Tags, Usage
from routing.cost.budget import LocalBudgets
from routing.cost.budget_redis import RedisBudgets
from routing.cost.budget_state import BudgetState
from routing.cost.budget_tables import component
from routing.cost.ledger import Ledger, LedgerEntry
from routing.cost.ledger import component as ledger_component
from routing.resilience.redis_link import RedisLink
from routing.settings import BudgetSettings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
CALL = Call("chat", "openai/gpt", Tags("answer", "acme", None, "s1", "k1"), bound=Decimal(1))


def budget(name: str = "all", limit: str = "10", **settings: Any) -> BudgetSettings:
    return BudgetSettings.model_validate({"name": name, "limit": Decimal(limit), **settings})


def call(bound: str | None = "1", **changes: Any) -> Call:
    tags = {key: changes.pop(key) for key in ("purpose", "tenant", "session", "key") if key in changes}
    return replace(CALL, bound=None if bound is None else Decimal(bound), tags=replace(CALL.tags, **tags), **changes)


def paid(cost: str | None, at: float = NOW, model: str = "openai/gpt", **tags: Any) -> LedgerEntry:
    return LedgerEntry(
        "chat",
        model,
        Usage(1, 1),
        None if cost is None else Decimal(cost),
        0.1,
        tags=Tags(**{"tenant": "acme", **tags}),
        at=datetime.fromtimestamp(at, UTC),
    )


@dataclass
class Home:
    """The database of the tests' budgets."""

    path: Path
    ledger: Ledger
    now: float = NOW
    link: RedisLink | None = None

    def budgets(self, *settings: BudgetSettings, **options: Any) -> LocalBudgets | RedisBudgets:
        """The budgets as one process has them: in the database, or on the server of `link`."""
        if self.link is not None:
            return RedisBudgets(self.link, self.path, settings, clock=lambda: self.now, **options)
        return self.local(*settings, **options)

    def local(self, *settings: BudgetSettings, **options: Any) -> LocalBudgets:
        """The budgets in the database."""
        return LocalBudgets(self.path, settings, ledger=self.ledger, clock=lambda: self.now, **options)

    async def settle(self, reservation: Reservation | None, cost: str | None, asked: Call = CALL) -> None:
        """As the meter does: with the ledger's row."""
        assert reservation is not None
        also = reservation.settle(None if cost is None else Decimal(cost))
        entry = replace(paid(cost, self.now, asked.model), tags=asked.tags)
        await self.ledger.stored([self.ledger.enqueue(entry, also=also)])

    def rows(self, query: str) -> list[Any]:
        """What the database says."""
        return ReadConnection(self.path).rows(query)


def open_budget_home(folder: Path) -> Home:
    """A home in an empty folder."""
    path = folder / "home.db"
    return Home(path, Ledger(open_database(path, [ledger_component(), component()]), path))


async def only(budgets: LocalBudgets | RedisBudgets) -> BudgetState:
    (state,) = await budgets.states()
    return state


def money(state: BudgetState) -> tuple[Decimal | int, ...]:
    return state.spent, state.reserved, state.assumed
