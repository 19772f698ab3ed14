"""Budgets of one machine: money is set aside before a call is made, and counted when it has ended.

All processes that share a home share its budgets. Reserving is one SQLite transaction, settling is part of the
transaction that writes the ledger's row, so that a budget and the ledger never disagree about a call that has ended.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal

from plumbline.reading import ReadConnection
from routing.call import Call, Reservation, Write
from routing.cost import budget_tables as tables
from routing.cost.budget_seed import spent_before
from routing.cost.budget_state import BudgetState, Full, over_budget, states_of, unknown_bound, warn_beyond, warn_soft
from routing.cost.budget_tables import Held
from routing.cost.budget_terms import Claim, Terms, picodollars
from routing.cost.budget_turns import Turns
from routing.cost.ledger import Ledger
from routing.settings import BudgetSettings

MARGIN_SECONDS = 60.0
"""After its deadline a call that was not settled counts as spent."""
LEASE_SECONDS = 3600.0
"""Of a call without a deadline."""
LONGEST_LEASE_SECONDS = 43_200.0
TIDY_SECONDS = 60.0


def lease(call: Call) -> float:
    """For how many seconds a call's reservation waits to be settled."""
    left = LEASE_SECONDS if call.deadline is None else max(0.0, call.deadline - time.monotonic())
    return min(left, LONGEST_LEASE_SECONDS) + MARGIN_SECONDS


class LocalBudgets:
    """The budgets in the home's database at `path`, which has the tables of `budget_tables` and of the ledger.

    Raises `ConfigError` for budgets that cannot be meant. `unpriced` says whether calls pass of which nobody knows
    the most they may cost; what they did cost is counted, if that is known. Beside
    the `ledger` of this process reserving takes less. `clock` gives the seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        budgets: Sequence[BudgetSettings],
        *,
        unpriced: Literal["refuse", "allow"] = "refuse",
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._terms = Terms(budgets)
        self._unpriced = unpriced
        self._clock = clock
        self._turns = Turns(path, None if ledger is None else ledger.held)
        self._reading = ReadConnection(path)
        self._numbers: dict[str, int] = {}
        self._tidied = 0.0
        self._unwritten: dict[int, tuple[Held, int | None]] = {}

    async def reserve(self, call: Call) -> Reservation | None:
        """As `Budgets.reserve`; raises `StateError` when the home cannot be written.

        A bound of nothing takes no transaction.
        """
        now = self._clock()
        claims = self._terms.claims(call, now)
        if not claims:
            return None
        if call.bound is None and self._unpriced == "refuse":
            raise unknown_bound(call, claims[0])
        bound = picodollars(call.bound or Decimal(0))
        if not bound:
            return Once(partial(self._spent, claims))
        if not self._numbers:
            await asyncio.to_thread(self.prepare)
        work = partial(self._reserve, claims, bound, now + lease(call))
        made = await self._turns.run(work, self._give_back)
        if isinstance(made, Full):
            raise over_budget(call, made, bound)
        return Once(partial(self._settled, made, model=call.model), made)

    def keep(self, reservation: Reservation) -> str | None:
        """As `KeepingBudgets.keep`."""
        held = reservation.held if isinstance(reservation, Once) else None
        return json.dumps([held.id, held.bound, self._terms.dump(held.claims)]) if isinstance(held, Held) else None

    def kept(self, words: str) -> Reservation | None:
        """As `KeepingBudgets.kept`."""
        number, bound, *rest = json.loads(words)
        if len(rest) != 1:
            return None
        return Once(partial(self._settled, Held(self._terms.load(rest[0]), bound, (), number)))

    async def states(self) -> list[BudgetState]:
        """How every budget stands in the current period, for each subject it has met; questions are left out.

        One that no call has met yet stands where its first call will find it: at what the ledger has of the period.
        """
        now = self._clock()
        shown = []
        begun = {definition for (definition,) in self._reading.rows("SELECT definition FROM budgets")}
        for budget, period in zip(self._terms.budgets, self._terms.periods(now), strict=True):
            if budget.settings.per == "request":
                continue
            if budget.definition in begun:
                rows = self._reading.rows(
                    "SELECT subject, spent, reserved, assumed FROM budget_counters WHERE period = ? AND budget = "
                    "(SELECT id FROM budgets WHERE definition = ?) ORDER BY subject",
                    (period.label, budget.definition),
                )
            else:
                spent = spent_before(self._reading.rows, budget, period)
                rows = [(subject, spent[subject], 0, 0) for subject in sorted(spent)]
            shown.extend(states_of(budget, period, rows))
        return shown

    def prepare(self) -> None:
        """Begin the budgets that are new with what the ledger says is spent, and do away with what is over.

        The first call does it otherwise, which may take seconds where the ledger is long. Raises `StateError`.
        """
        self._numbers = self._turns.wait(self._prepared)

    async def close(self) -> None:
        """Give the connections back."""
        self._turns.close()

    def _prepared(self, connection: sqlite3.Connection) -> dict[str, int]:
        now = self._clock()
        if abs(now - self._tidied) >= TIDY_SECONDS:  # a clock may be put back
            tables.tidy(connection, now)
            self._tidied = now
        return self._numbers or tables.known(connection, self._terms.budgets, now)

    def _reserve(
        self, claims: Sequence[Claim], bound: int, until: float, connection: sqlite3.Connection
    ) -> Held | Full:
        numbers = self._prepared(connection)
        made = tables.reserve(connection, claims, numbers, bound, until)
        if isinstance(made, Full) and self._unwritten:
            # A call that has ended holds nothing, though its row still waits for its turn to be written.
            for held, cost in list(self._unwritten.values()):
                _warn(tables.settle(connection, held, cost))
            made = tables.reserve(connection, claims, numbers, bound, until)
        return made

    def _give_back(self, made: Held | Full) -> None:
        """Nobody makes the call: the caller was cancelled while the reservation waited for its turn."""
        if isinstance(made, Held):
            self._turns.soon(partial(tables.settle, held=made, cost=0))

    def _settled(self, held: Held, cost: Decimal | None, model: str | None = None) -> Write:
        counted = None if cost is None else picodollars(cost)
        warn_beyond(model, held.bound, counted)
        self._unwritten[held.id] = held, counted

        def write(connection: sqlite3.Connection) -> None:
            self._unwritten.pop(held.id, None)
            _warn(tables.settle(connection, held, counted))

        return write

    def _spent(self, claims: Sequence[Claim], cost: Decimal | None) -> Write | None:
        """Count what a call cost that holds nothing."""
        if not cost:
            return None

        def write(connection: sqlite3.Connection) -> None:
            _warn(tables.spend(connection, claims, self._prepared(connection), picodollars(cost)))

        return write


class Once:
    """A reservation that is settled by `settle`, the first time; `held` is what it holds, for whoever made it."""

    def __init__(self, settle: Callable[[Decimal | None], Write | None], held: object = None) -> None:
        self.held = held
        self._settle: Callable[[Decimal | None], Write | None] | None = settle

    def settle(self, cost: Decimal | None) -> Write | None:
        """As `Reservation.settle`; the second time there is nothing to write."""
        settle, self._settle = self._settle, None
        return None if settle is None else settle(cost)


def _warn(warning: Sequence[tuple[Claim, int]]) -> None:
    for claim, spent in warning:
        warn_soft(claim, spent)
