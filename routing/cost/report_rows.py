"""Reads sums out of the ledger: SQLite groups and counts, and adds money exactly, as decimals."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from plumbline.database import storage_errors
from plumbline.errors import InputError
from routing.call import Kind
from routing.chat import Tags, Tier, Usage

By = Literal["day", "tenant", "model", "purpose", "release", "key", "session"]
_COLUMN: dict[By, str] = {
    "day": "substr(at, 1, 10)",
    "tenant": "tenant",
    "model": "model",
    "purpose": "purpose",
    "release": "release",
    "key": '"key"',
    "session": "session",
}
_QUERY = "purpose IN ('answer', 'search') AND trace_id IS NOT NULL"
_ASKED = "coalesce(trace_id IN (SELECT trace_id FROM asked), 0)"
_SUMS = ", ".join(
    f"sum({name})"
    for name in (
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "estimated",
        "searches",
        "cache_write_1h_tokens",
        "reasoning_tokens",
        "images",
    )
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls: those from the day `since` to the day `until`, both included, in UTC; of one tenant, or of all."""

    since: date | None = None
    until: date | None = None
    tenant: str | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise InputError(f"There is no day from {self.since} until {self.until}.", hint="Swap the two.")
        Tags(tenant=self.tenant)  # raises for what no tenant can be called

    @property
    def where(self) -> tuple[str, list[str]]:
        """The condition in SQL, and its values."""
        values = {
            "at >= ?": None if self.since is None else self.since.isoformat(),
            "at < ?": None if self.until in (None, date.max) else (self.until + timedelta(days=1)).isoformat(),
            "tenant = ?": self.tenant,
        }
        known = {part: value for part, value in values.items() if value is not None}
        return " AND ".join(known) or "1", list(known.values())


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that are alike: of one `name` (a day, a tenant …), kind, model and tier, all priced or none.

    Their prompts are longer than `longer` tokens, and not than the next of the lengths that were asked for. `asked`
    says that they belong to questions.
    """

    name: str | None
    kind: Kind
    model: str
    tier: Tier
    longer: int
    asked: bool
    priced: bool
    calls: int
    failed: int
    seconds: float
    cost: Decimal
    usage: Usage


def nameless(groups: Iterable[Group]) -> list[Group]:
    """The groups put together that differ in nothing but the name."""
    alike: dict[tuple[object, ...], list[Group]] = {}
    for group in groups:
        key = (group.kind, group.model, group.tier, group.longer, group.asked, group.priced)
        alike.setdefault(key, []).append(group)
    return [
        replace(
            some[0],
            name=None,
            calls=sum(group.calls for group in some),
            failed=sum(group.failed for group in some),
            seconds=sum(group.seconds for group in some),
            cost=sum((group.cost for group in some), Decimal(0)),
            usage=sum((group.usage for group in some), Usage()),
        )
        for some in alike.values()
    ]


class LedgerSums:
    """Sums over the calls of a selection; a question is a trace in which something is answered or searched."""

    def __init__(self, connection: sqlite3.Connection, selection: Selection) -> None:
        self._connection = connection
        self._where, self._values = selection.where
        connection.execute("CREATE TEMP TABLE asked (trace_id TEXT PRIMARY KEY) WITHOUT ROWID")
        connection.execute(
            f"INSERT INTO asked SELECT DISTINCT trace_id FROM ledger WHERE {self._where} AND {_QUERY}", self._values
        )

    def groups(self, by: By, lengths: Sequence[int]) -> list[Group]:
        """The calls in groups."""
        longer = " ".join(f"WHEN input_tokens > {int(length)} THEN {int(length)}" for length in sorted(lengths)[::-1])
        query = (
            f"SELECT {_COLUMN[by]}, kind, model, tier, {f'CASE {longer} ELSE 0 END' if longer else '0'}, {_ASKED}, "
            f"cost IS NOT NULL, count(*), count(error), sum(seconds), exact_sum(cost), {_SUMS} FROM ledger "
            f"WHERE {self._where} GROUP BY 1, 2, 3, 4, 5, 6, 7"
        )
        return [_group(row) for row in self._connection.execute(query, self._values)]

    def queries(self, by: By) -> dict[str | None, int]:
        """How many questions there were by name; one that has calls under several names counts under each."""
        query = (
            f"SELECT {_COLUMN[by]}, count(DISTINCT trace_id) FROM ledger WHERE {self._where} AND {_ASKED} GROUP BY 1"
        )
        return dict(self._connection.execute(query, self._values).fetchall())

    def all_queries(self) -> int:
        """How many questions there were."""
        return int(self._connection.execute("SELECT count(*) FROM asked").fetchone()[0])

    def span(self) -> tuple[date, date] | None:
        """The first and the last day with a call, if there is any."""
        query = f"SELECT min(at), max(at) FROM ledger WHERE {self._where}"
        first, last = self._connection.execute(query, self._values).fetchone()
        return None if first is None else (date.fromisoformat(first[:10]), date.fromisoformat(last[:10]))


class LedgerReader:
    """Opens the ledger in the SQLite database at `path` for reading alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def sums(self, selection: Selection) -> Iterator[LedgerSums]:
        """The sums over a selection, as long as the block lasts; all see the same calls."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield LedgerSums(connection, selection)

    def days(self, selection: Selection) -> dict[date, Decimal]:
        """What was spent, by day; days without a call are left out."""
        where, values = selection.where
        query = f"SELECT {_COLUMN['day']}, exact_sum(cost) FROM ledger WHERE {where} GROUP BY 1 ORDER BY 1"
        with self._connection() as connection:
            return {date.fromisoformat(day): Decimal(cost) for day, cost in connection.execute(query, values)}

    def unpriced(self, selection: Selection) -> int:
        """How many calls have no known price."""
        where, values = selection.where
        with self._connection() as connection:
            query = f"SELECT count(*) FROM ledger WHERE {where} AND cost IS NULL"
            return int(connection.execute(query, values).fetchone()[0])

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with storage_errors(self._path):
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None)
            try:
                sums: Any = _ExactSum  # its result is text, which the stubs do not allow for
                connection.create_aggregate("exact_sum", 1, sums)
                yield connection
            finally:
                connection.close()


class _ExactSum:
    """Adds decimals that are stored as text; SQLite itself would add them as binary floats."""

    def __init__(self) -> None:
        self._total = Decimal(0)

    def step(self, value: str | None, /) -> None:
        if value is not None:
            self._total += Decimal(value)

    def finalize(self) -> str:
        return str(self._total)


def _group(row: tuple[Any, ...]) -> Group:
    name, kind, model, tier, longer, asked, priced, calls, failed, seconds, cost = row[:11]
    read, written, cached, cache_writes, estimated, *others = row[11:]
    usage = Usage(read, written, cached, cache_writes, bool(estimated), *others)
    return Group(
        name, kind, model, tier, longer, bool(asked), bool(priced), calls, failed, seconds, Decimal(cost), usage
    )
