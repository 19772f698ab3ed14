"""Budgets of several machines: the same promise as `routing.cost.budget`, kept by a Redis server.

The ledger stays on each machine. What a call cost is sent as soon as it is known; a process that dies before leaves a
reservation that counts as spent when its time is over. While the server is away, calls that may cost something are
refused; those under way are counted when it is back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from plumbline.errors import StorageError
from plumbline.writing import WriteConnection
from routing.call import Call, Reservation
from routing.cost.budget import Once, lease
from routing.cost.budget_lua import BEGIN, RESERVE, SETTLE, STATES
from routing.cost.budget_seed import spent_before
from routing.cost.budget_state import (
    BudgetState,
    Full,
    over_budget,
    states_of,
    unknown_bound,
    unreachable,
    warn_beyond,
    warn_soft,
)
from routing.cost.budget_terms import DAY, Budget, Claim, Period, Terms, forget, picodollars
from routing.resilience.redis_link import RedisLink, RedisLostError
from routing.settings import BudgetSettings

_PREFIX = "{plumbline}:"  # the braces keep all keys on one server of a cluster
_LEASES = _PREFIX + "leases"
_SETTLED_SECONDS = 600
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class _Held:
    """A reservation on the server, or one that may be there."""

    claims: Sequence[Claim]
    bound: int
    made: float
    id: str = field(default_factory=lambda: token_hex(12))


class RedisBudgets:
    """Budgets on the server behind `link`, for a process whose ledger is in the database at `path`.

    The first time a home meets a budget, what its ledger has of the period is counted; so it is when the server lost
    its data. `away` says whether calls pass while the server is away, to be counted when it is back. Raises
    `ConfigError` for budgets that cannot be meant.
    """

    def __init__(
        self,
        link: RedisLink,
        path: Path,
        budgets: Sequence[BudgetSettings],
        *,
        unpriced: Literal["refuse", "allow"] = "refuse",
        away: Literal["refuse", "allow"] = "refuse",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._link = link
        self._terms = Terms(budgets)
        self._home = WriteConnection(path)
        self._name: str | None = None
        self._unpriced = unpriced
        self._away = away
        self._clock = clock
        self._begun: set[str] = set()
        self._unsent: deque[tuple[_Held, int | None]] = deque()

    async def reserve(self, call: Call) -> Reservation | None:
        """As `Budgets.reserve`. Raises `BudgetError` as well when the server is away, unless that is allowed."""
        now = self._clock()
        claims = self._terms.claims(call, now)
        if not claims:
            return None
        if call.bound is None and self._unpriced == "refuse":
            raise unknown_bound(call, claims[0])
        held = _Held(claims, picodollars(call.bound or Decimal(0)), now)
        if not held.bound and self._begun.issuperset(claim.budget.definition for claim in claims):
            return Once(partial(self._settled, held))
        try:
            full = await self._reserve(held, now + lease(call))
        except RedisLostError:
            if held.bound and self._away == "refuse":
                raise unreachable(call, claims[0]) from None
        else:
            if full is not None and held.bound:
                raise over_budget(call, full, held.bound)
            self._begun.update(claim.budget.definition for claim in claims)
        return Once(partial(self._settled, held, model=call.model), held)

    def keep(self, reservation: Reservation) -> str | None:
        """As `KeepingBudgets.keep`."""
        held = reservation.held if isinstance(reservation, Once) else None
        if not isinstance(held, _Held) or not held.bound:
            return None
        return json.dumps([held.id, held.bound, held.made, self._name, self._terms.dump(held.claims)])

    def kept(self, words: str) -> Reservation | None:
        """As `KeepingBudgets.kept`. What it holds of a budget that is configured no longer runs out by itself."""
        id_, bound, *rest = json.loads(words)
        if len(rest) != 3:
            return None
        made, name, dumped = rest
        self._name = self._name or name
        claims = [claim for claim in self._terms.load(dumped) if claim is not None]
        return Once(partial(self._settled, _Held(claims, bound, made, id_)))

    async def states(self) -> list[BudgetState]:
        """As `LocalBudgets.states`, of all machines that have met the budgets, as this one has then.

        Raises `StorageError` while the server is away.
        """
        now = self._clock()
        shown = []
        for budget, period in zip(self._terms.budgets, self._terms.periods(now), strict=True):
            if budget.settings.per == "request":
                continue
            try:
                if budget.definition not in self._begun:
                    await self._begin(budget, period)
                    self._begun.add(budget.definition)
                found = await asyncio.wrap_future(self._link.submit(STATES, [_period_key(budget, period)], []))
            except RedisLostError:
                raise StorageError("Redis is away: how the budgets stand is not known until it is back.") from None
            rows = [
                (row[0].decode(), *(_joined(*row[at : at + 2]) for at in (1, 3, 5)))
                for row in zip(*[iter(found)] * 7, strict=True)
            ]
            shown.extend(states_of(budget, period, sorted(rows)))
        return shown

    async def close(self) -> None:
        """Send what is still to be counted; what cannot be is counted as the most it may have cost."""
        for sent in self._send_unsent():
            await asyncio.wait([asyncio.wrap_future(sent)])
        self._home.close()

    async def _reserve(self, held: _Held, until: float) -> Full | None:
        """`None` when it is held; raises `RedisLostError` when that is not known."""
        while True:
            self._send_unsent()
            found = await self._asked(held, until)
            what = found[0].decode()
            if what == "held":
                return None
            claim = held.claims[int(found[1])]
            if what == "full":
                return Full(claim, _joined(*found[2:4]), _joined(*found[4:6]))
            await self._begin(claim.budget, claim.period)

    async def _asked(self, held: _Held, until: float) -> list[Any]:
        keys, arguments = _reservation(held, until, await self._called())
        asked = self._link.submit(RESERVE, keys, arguments)  # raises when it cannot have been held
        try:
            found: list[Any] = await asyncio.wrap_future(asked)
        except asyncio.CancelledError:
            if not asked.cancel():  # it may be held by now, and nobody makes the call
                self._send(held, 0)
            raise
        except RedisLostError:
            if self._away == "refuse":  # it may be held by now, too
                self._unsent.append((held, 0))
            raise
        return found

    async def _begin(self, budget: Budget, period: Period) -> None:
        """Count what this home's ledger has of the period, if that was not done."""
        sums = await asyncio.to_thread(self._spent_before, budget, period)
        base = _period_key(budget, period)
        keys = [_budget_key(budget), base, *(f"{base}:{subject}" for subject in sums)]
        arguments: list[Any] = [await self._called(), _seconds(forget(budget, period, self._clock()), self._clock())]
        for subject, spent in sums.items():
            arguments += [subject, *divmod(spent, _MICRO)]
        await asyncio.wrap_future(self._link.submit(BEGIN, keys, arguments))

    def _spent_before(self, budget: Budget, period: Period) -> dict[str, int]:
        with self._home.transaction() as connection:
            return spent_before(connection.execute, budget, period)

    async def _called(self) -> str:
        if self._name is None:
            self._name = await asyncio.to_thread(self._named)
        return self._name

    def _named(self) -> str:
        with self._home.transaction() as connection:
            return home_name(connection)

    def _settled(self, held: _Held, cost: Decimal | None, model: str | None = None) -> None:
        counted = None if cost is None else picodollars(cost)
        if held.bound:
            warn_beyond(model, held.bound, counted)
        if held.bound or cost:
            self._send(held, counted)

    def _send(self, held: _Held, cost: int | None) -> Future[Any] | None:
        """Tell the server what a call cost; when it is away, later. What is told twice counts once."""
        keys, arguments = _settlement(held, cost, self._clock(), self._name or "")
        try:
            sent = self._link.submit(SETTLE, keys, arguments)
        except RedisLostError:
            self._unsent.append((held, cost))
            return None
        sent.add_done_callback(partial(self._sent, held, cost))
        return sent

    def _sent(self, held: _Held, cost: int | None, answer: Future[Any]) -> None:
        if answer.cancelled() or answer.exception() is not None:
            self._unsent.append((held, cost))
            return
        for number, *spent in zip(*[iter(answer.result())] * 3, strict=True):
            warn_soft(held.claims[int(number)], _joined(*spent))

    def _send_unsent(self) -> list[Future[Any]]:
        sent: list[Future[Any] | None] = []
        with suppress(IndexError):  # other threads take from it, too
            sent.extend(self._send(*self._unsent.popleft()) for _ in range(len(self._unsent)))
        return [each for each in sent if each is not None]


def home_name(connection: sqlite3.Connection) -> str:
    """What tells this home from those of other machines."""
    connection.execute(
        "INSERT INTO budget_home (name) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM budget_home)", (token_hex(12),)
    )
    return str(connection.execute("SELECT name FROM budget_home").fetchone()[0])


def _reservation(held: _Held, until: float, home: str) -> tuple[list[str], list[Any]]:
    keys = [_reserved_key(held), _LEASES]
    kept = int(until - held.made + 2 * DAY)
    arguments: list[Any] = [held.id, held.made, until, kept, *divmod(held.bound, _MICRO), home]
    for claim in held.claims:
        base = _period_key(claim.budget, claim.period)
        keys += [_budget_key(claim.budget), base, f"{base}:{claim.subject}"]
        arguments += [*divmod(claim.budget.limit, _MICRO), _seconds(claim.forget, held.made), _listed(claim)]
    return keys, arguments


def _settlement(held: _Held, cost: int | None, now: float, home: str) -> tuple[list[str], list[Any]]:
    keys = [_reserved_key(held), _LEASES]
    paid = ("", "") if cost is None else divmod(cost, _MICRO)
    arguments: list[Any] = [held.id, *divmod(held.bound, _MICRO), *paid, _SETTLED_SECONDS, home]
    for claim in held.claims:
        base = _period_key(claim.budget, claim.period)
        keys += [_budget_key(claim.budget), base, f"{base}:{claim.subject}"]
        arguments += [*divmod(claim.budget.soft, _MICRO), _seconds(claim.forget, now), _listed(claim)]
    return keys, arguments


def _listed(claim: Claim) -> str:
    """How a subject is told, if it is to be listed: there are too many questions."""
    return "" if claim.budget.settings.per == "request" else f"={claim.subject}"


def _seconds(moment: float | None, now: float) -> int | str:
    return "" if moment is None else max(int(moment - now), 1)


def _joined(high: bytes, low: bytes) -> int:
    return int(high) * _MICRO + int(low)


def _reserved_key(held: _Held) -> str:
    return f"{_PREFIX}reserved:{held.id}"


def _budget_key(budget: Budget) -> str:
    return _named_by(budget.definition)


@lru_cache(maxsize=1024)
def _named_by(definition: str) -> str:
    return f"{_PREFIX}budget:{hashlib.sha256(definition.encode()).hexdigest()[:24]}"


def _period_key(budget: Budget, period: Period) -> str:
    return f"{_budget_key(budget)}:{period.label}"
