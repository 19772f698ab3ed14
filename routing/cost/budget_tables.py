"""The tables of the budgets, and what is done to them within one transaction. Money is in picodollars.

A counter has what is spent and what is reserved by one budget, for one subject in one period. A reservation is for one
call and stands in every counter it falls under, so that it is made in all or in none. It has until `until` to be
settled; after that it counts as spent, because the call may have been made, and it can still be settled for a day.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from secrets import randbits
from typing import TYPE_CHECKING

from plumbline.database import Component
from routing.cost.budget_seed import spent_before
from routing.cost.budget_state import Full
from routing.cost.budget_terms import DAY, Budget, Claim, forget

if TYPE_CHECKING:
    from sqlalchemy import MetaData

AT_ONCE = 500
"""Old things that one transaction does away with."""


@cache
def _tables() -> MetaData:
    from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, String, Table, UniqueConstraint

    tables = MetaData()
    Table(
        "budgets",
        tables,
        Column("id", Integer, primary_key=True),
        Column("definition", String, nullable=False, unique=True),
        Column("since", Float, nullable=False),
    )
    Table(
        "budget_counters",
        tables,
        Column("id", Integer, primary_key=True),
        Column("budget", Integer, nullable=False),
        Column("subject", String, nullable=False),
        Column("period", String, nullable=False),
        Column("spent", BigInteger, nullable=False),
        Column("reserved", BigInteger, nullable=False),
        Column("assumed", BigInteger, nullable=False),
        Column("warned", Boolean, nullable=False),
        Column("forget", Float),
        UniqueConstraint("budget", "subject", "period"),
    )
    Table(
        "budget_reservations",
        tables,
        Column("id", Integer, primary_key=True),
        Column("bound", BigInteger, nullable=False),
        Column("counters", String, nullable=False),
        Column("until", Float, nullable=False),
        Column("overdue", Boolean, nullable=False),
    )
    Table("budget_home", tables, Column("name", String, nullable=False))
    return tables


def component() -> Component:
    """The tables, for `open_database`."""
    return Component("budgets", 1, _tables())


@dataclass(slots=True)
class Held:
    """A reservation that was made; `counters` belong to `claims`, in their order.

    One that was kept in words has none: they are read when it is settled. `None` is a claim on what is no budget now.
    """

    claims: Sequence[Claim | None]
    bound: int
    counters: tuple[int, ...]
    id: int = field(default_factory=lambda: randbits(63))


def known(connection: sqlite3.Connection, budgets: Sequence[Budget], now: float) -> dict[str, int]:
    """The number of each budget by its definition; of one that is new, with what the ledger says is spent already."""
    found = {}
    for budget in budgets:
        row = connection.execute("SELECT id FROM budgets WHERE definition = ?", (budget.definition,)).fetchone()
        if row is None:
            row = connection.execute(
                "INSERT INTO budgets (definition, since) VALUES (?, ?) RETURNING id", (budget.definition, now)
            ).fetchone()
            _begin(connection, budget, row[0], now)
        found[budget.definition] = int(row[0])
    return found


def _begin(connection: sqlite3.Connection, budget: Budget, number: int, now: float) -> None:
    period = budget.period(now)
    until = forget(budget, period, now)
    connection.executemany(
        "INSERT INTO budget_counters (budget, subject, period, spent, reserved, assumed, warned, forget) "
        "VALUES (?, ?, ?, ?, 0, 0, 0, ?)",
        [
            (number, subject, period.label, spent, until)
            for subject, spent in spent_before(connection.execute, budget, period).items()
        ],
    )


def reserve(
    connection: sqlite3.Connection, claims: Sequence[Claim], numbers: Mapping[str, int], bound: int, until: float
) -> Held | Full:
    """Set `bound` aside under every claim, or under none, and say which one is `Full`."""
    for claim in claims:
        row = connection.execute(
            "SELECT spent, reserved FROM budget_counters WHERE budget = ? AND subject = ? AND period = ?",
            (numbers[claim.budget.definition], claim.subject, claim.period.label),
        ).fetchone()
        spent, reserved = row or (0, 0)
        if spent + reserved + bound > claim.budget.limit:
            return Full(claim, spent, reserved)
    held = Held(claims, bound, _counters(connection, claims, numbers, bound))
    connection.execute(
        "INSERT INTO budget_reservations (id, bound, counters, until, overdue) VALUES (?, ?, ?, ?, 0)",
        (held.id, bound, json.dumps(held.counters), until),
    )
    return held


def _counters(
    connection: sqlite3.Connection, claims: Sequence[Claim], numbers: Mapping[str, int], reserved: int
) -> tuple[int, ...]:
    """The counters of the claims, with so much more reserved."""
    return tuple(
        connection.execute(
            "INSERT INTO budget_counters (budget, subject, period, spent, reserved, assumed, warned, forget) "
            "VALUES (?, ?, ?, 0, ?, 0, 0, ?) ON CONFLICT (budget, subject, period) "
            "DO UPDATE SET reserved = reserved + excluded.reserved, forget = excluded.forget RETURNING id",
            (numbers[claim.budget.definition], claim.subject, claim.period.label, reserved, claim.forget),
        ).fetchone()[0]
        for claim in claims
    )


def settle(connection: sqlite3.Connection, held: Held, cost: int | None) -> list[tuple[Claim, int]]:
    """Count what it cost (`None`: not known, the bound) instead of what was reserved; a second time does nothing.

    Returns the claims whose budget now warns, with what is spent.
    """
    row = connection.execute(
        "DELETE FROM budget_reservations WHERE id = ? RETURNING overdue, counters", (held.id,)
    ).fetchone()
    if row is None:
        return []
    counters = held.counters or json.loads(row[1])
    overdue = bool(row[0])
    bound = held.bound
    spent = (bound if cost is None else cost) - (bound if overdue else 0)
    assumed = (bound if cost is None else 0) - (bound if overdue else 0)
    return _count(connection, held.claims, counters, spent, 0 if overdue else -bound, assumed)


def spend(
    connection: sqlite3.Connection, claims: Sequence[Claim], numbers: Mapping[str, int], cost: int
) -> list[tuple[Claim, int]]:
    """Count a cost that nothing was reserved for. Returns as `settle`."""
    return _count(connection, claims, _counters(connection, claims, numbers, 0), cost, 0, 0)


def _count(
    connection: sqlite3.Connection,
    claims: Sequence[Claim | None],
    counters: Sequence[int],
    spent: int,
    reserved: int,
    assumed: int,
) -> list[tuple[Claim, int]]:
    warning = []
    for claim, counter in zip(claims, counters, strict=True):
        row = connection.execute(
            "UPDATE budget_counters SET spent = spent + ?, reserved = reserved + ?, assumed = assumed + ? "
            "WHERE id = ? RETURNING spent, warned",
            (spent, reserved, assumed, counter),
        ).fetchone()
        if claim is not None and row is not None and not row[1] and row[0] >= claim.budget.soft:
            connection.execute("UPDATE budget_counters SET warned = 1 WHERE id = ?", (counter,))
            warning.append((claim, int(row[0])))
    return warning


def tidy(connection: sqlite3.Connection, now: float) -> None:
    """Count as spent what was never settled, and forget what is long over."""
    for id_, bound, counters, overdue in connection.execute(
        "SELECT id, bound, counters, overdue FROM budget_reservations WHERE until <= ? LIMIT ?", (now, AT_ONCE)
    ).fetchall():
        if overdue:
            connection.execute("DELETE FROM budget_reservations WHERE id = ?", (id_,))
            continue
        connection.executemany(
            "UPDATE budget_counters SET spent = spent + ?, reserved = reserved - ?, assumed = assumed + ? WHERE id = ?",
            [(bound, bound, bound, counter) for counter in json.loads(counters)],
        )
        connection.execute("UPDATE budget_reservations SET overdue = 1, until = ? WHERE id = ?", (now + DAY, id_))
    connection.execute(
        "DELETE FROM budget_counters WHERE id IN "
        "(SELECT id FROM budget_counters WHERE forget <= ? AND reserved = 0 LIMIT ?)",
        (now, AT_ONCE),
    )
