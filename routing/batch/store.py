"""What is known of jobs, in the home's database: what was asked, what was sent, what came back.

A request is `open`, `again` (it failed and goes out once more), `answered` or `failed`; a part, which is one batch of
the provider's, is `planned`, `sending`, `sent` or `ended`. Everything is written before it is done.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from plumbline.database import Component
from plumbline.reading import ReadConnection
from plumbline.writing import WriteConnection, insert

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, MetaData

T = TypeVar("T")
KEYS_AT_ONCE = 500
PartState = Literal["planned", "sending", "sent", "ended"]
Ending = Literal["answered", "expired", "cancelled", "missing"]


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it was submitted."""

    id: str
    name: str | None
    kind: str
    model: str
    content: str
    created: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class PartRow:
    """One batch: `first` and `last` are when it was sent, seconds since 1970; `batch` is the provider's name for it."""

    id: int
    job: str
    attempt: int
    mark: str
    state: PartState
    first: float | None
    last: float | None
    batch: str | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request: `item` as it is kept, what became of it (`ending`), and of an answer its status, text and price.

    `held` is the money that is set aside for it (`routing.call.KeepingBudgets`).
    """

    number: int
    item: str
    state: str
    ending: Ending | None
    status: int
    document: str | None
    cost: str | None
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A request as it is handed in: in words, and the money that is set aside for it."""

    item: str
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A batch that is to be sent: the mark under which it can be found again, and its requests."""

    mark: str
    numbers: Sequence[int]


class TakenError(Exception):
    """Raised inside a transaction when somebody else has taken the result; nothing is written."""


@cache
def _tables() -> MetaData:
    from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table, UniqueConstraint

    tables = MetaData()

    def words(*names: str, empty: bool = False) -> list[Column[str]]:
        return [Column(name, String, nullable=empty) for name in names]

    Table(
        "batch_jobs",
        tables,
        Column("id", String, primary_key=True),
        Column("name", String, unique=True),
        *words("kind", "model", "content"),
        Column("created", Float, nullable=False),
        Column("cancelled", Boolean, nullable=False),
    )
    Table(
        "batch_parts",
        tables,
        Column("id", Integer, primary_key=True),
        *words("job"),
        Column("attempt", Integer, nullable=False),
        Column("mark", String, nullable=False, unique=True),
        *words("state"),
        Column("first", Float),
        Column("last", Float),
        *words("batch", empty=True),
        Index("batch_parts_by_job", "job"),
    )
    Table(
        "batch_requests",
        tables,
        Column("id", Integer, primary_key=True),
        *words("job"),
        Column("number", Integer, nullable=False),
        Column("part", Integer, nullable=False),
        *words("item", "state"),
        *words("ending", empty=True),
        Column("status", Integer, nullable=False),
        *words("document", "cost", empty=True),
        Column("key", String, nullable=False, server_default=""),
        *words("held", empty=True),
        UniqueConstraint("job", "number"),
        Index("batch_requests_by_part", "part"),
        Index("batch_requests_by_key", "key"),
    )
    return tables


def component() -> Component:
    """The tables of the batches, for `open_database`."""
    return Component("batches", 2, _tables(), [_add_keys])


def _add_keys(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE batch_requests ADD COLUMN key VARCHAR NOT NULL DEFAULT ''")
    connection.exec_driver_sql("ALTER TABLE batch_requests ADD COLUMN held VARCHAR")
    connection.exec_driver_sql("CREATE INDEX batch_requests_by_key ON batch_requests (key)")


def key_of(item: str) -> str:
    """What tells a request, in words, from others."""
    return hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class BatchStore:
    """The jobs in the database at `path`, which has the tables of `component`; raises `StateError`."""

    def __init__(self, path: Path) -> None:
        self._writing = WriteConnection(path)
        self._reading = ReadConnection(path)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work` in a transaction of its own, in a thread, as it may have to wait for others."""

        def run() -> T:
            with self._writing.transaction() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def add(self, job: JobRow, requests: Iterable[Kept], parts: Sequence[Planned]) -> bool:
        """Keep a job with all its requests; false when there is one of its name."""
        tables = _tables().tables

        def work(connection: sqlite3.Connection) -> bool:
            if job.name is not None and connection.execute(_NAMED, (job.name,)).fetchone():
                return False
            row = (job.id, job.name, job.kind, job.model, job.content, job.created, False)
            connection.execute("INSERT INTO batch_jobs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            part_of = {}
            for part in parts:
                made = _add_part(connection, job.id, 1, part.mark)
                part_of.update(dict.fromkeys(part.numbers, made))
            blank: dict[str, Any] = {"ending": None, "status": 0, "document": None, "cost": None}
            rows = [
                {
                    "job": job.id,
                    "number": number,
                    "part": part_of[number],
                    "item": each.item,
                    "state": "open",
                    "key": key_of(each.item),
                    "held": each.held,
                    **blank,
                }
                for number, each in enumerate(requests)
            ]
            insert(connection, tables["batch_requests"], rows)
            return True

        return await self.write(work)

    def job(self, called: str) -> JobRow | None:
        """The job with this id or name."""
        rows = self._reading.rows("SELECT * FROM batch_jobs WHERE id = ? OR name = ?", (called, called))
        return JobRow(*rows[0]) if rows else None

    def jobs(self) -> list[JobRow]:
        """All jobs, the newest first."""
        return [JobRow(*row) for row in self._reading.rows("SELECT * FROM batch_jobs ORDER BY created DESC")]

    def parts(self, job: str) -> list[PartRow]:
        """The batches of a job, in the order in which they were planned."""
        return [
            PartRow(*row) for row in self._reading.rows("SELECT * FROM batch_parts WHERE job = ? ORDER BY id", (job,))
        ]

    def batches(self) -> set[str]:
        """The provider's names for all batches that are known to have arrived."""
        return {name for (name,) in self._reading.rows("SELECT batch FROM batch_parts WHERE batch IS NOT NULL")}

    def unanswered(self, part: int) -> list[RequestRow]:
        """The requests of a batch of which nothing is known yet, or that failed and may come back otherwise."""
        return self._requests("part = ? AND state IN ('open', 'again')", part)

    def request(self, job: str, number: int) -> RequestRow | None:
        """One request; `None` when its job has been forgotten."""
        return next(iter(self._requests("job = ? AND number = ?", job, number)), None)

    def resumable(self, prefix: str, kind: str, model: str, keys: Sequence[str]) -> list[tuple[str, str, int]]:
        """Key, job and number of requests that are answered, or may still be, in jobs whose names begin so."""
        found: list[tuple[str, str, int]] = []
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            found += self._reading.rows(
                "SELECT r.key, r.job, r.number FROM batch_requests r JOIN batch_jobs j ON j.id = r.job "
                f"WHERE r.key IN ({', '.join('?' * len(some))}) AND j.kind = ? AND j.model = ? "
                "AND substr(j.name, 1, ?) = ? "
                "AND (r.state = 'answered' OR (r.state IN ('open', 'again') AND NOT j.cancelled)) "
                "ORDER BY j.created, r.number",
                (*some, kind, model, len(prefix), prefix),
            )
        return found

    def done(self, job: str) -> list[int]:
        """The numbers of the requests of which it is known what became of them."""
        rows = self._reading.rows(
            "SELECT number FROM batch_requests WHERE job = ? AND state IN ('answered', 'failed') ORDER BY number",
            (job,),
        )
        return [number for (number,) in rows]

    def counts(self, job: str) -> dict[str, int]:
        """How many requests are in each state."""
        return dict(
            self._reading.rows("SELECT state, count(*) FROM batch_requests WHERE job = ? GROUP BY state", (job,))
        )

    def costs(self, job: str) -> list[str | None]:
        """What each request of which something is known has cost; `None` where nobody knows."""
        rows = self._reading.rows(
            "SELECT cost FROM batch_requests WHERE job = ? AND state IN ('answered', 'failed')", (job,)
        )
        return [cost for (cost,) in rows]

    async def move(self, part: PartRow, to: PartState, *, at: float | None = None, batch: str | None = None) -> bool:
        """Change a batch's state from the one in `part`; false when somebody else has."""

        def work(connection: sqlite3.Connection) -> bool:
            moved = connection.execute(
                "UPDATE batch_parts SET state = ?, first = coalesce(first, ?), last = coalesce(?, last), batch = ? "
                "WHERE id = ? AND state = ? AND last IS ?",
                (to, at, at, batch, part.id, part.state, part.last),
            )
            return moved.rowcount == 1

        return await self.write(work)

    async def end(self, part: PartRow, again: str) -> None:
        """A batch is done with: its requests that failed and may go out once more make one under the mark `again`."""

        def work(connection: sqlite3.Connection) -> None:
            if not connection.execute(
                "UPDATE batch_parts SET state = 'ended' WHERE id = ? AND state = ?", (part.id, part.state)
            ).rowcount:
                return
            if connection.execute(
                "SELECT 1 FROM batch_requests WHERE part = ? AND state = 'again'", (part.id,)
            ).fetchone():
                made = _add_part(connection, part.job, part.attempt + 1, again)
                connection.execute(
                    "UPDATE batch_requests SET state = 'open', part = ? WHERE part = ? AND state = 'again'",
                    (made, part.id),
                )

        await self.write(work)

    async def cancel(self, job: str) -> None:
        """Remember that no more of a job is to be sent."""
        await self.write(
            lambda connection: connection.execute("UPDATE batch_jobs SET cancelled = 1 WHERE id = ?", (job,))
        )

    async def forget(self, job: str) -> None:
        """Take a job out, with all that is known of it."""

        def work(connection: sqlite3.Connection) -> None:
            for table, column in (("batch_requests", "job"), ("batch_parts", "job"), ("batch_jobs", "id")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (job,))

        await self.write(work)

    def close(self) -> None:
        """Give the connections back."""
        self._writing.close()
        self._reading.close()

    def _requests(self, condition: str, *values: object) -> list[RequestRow]:
        columns = "number, item, state, ending, status, document, cost, held"
        rows = self._reading.rows(f"SELECT {columns} FROM batch_requests WHERE {condition} ORDER BY number", values)
        return [RequestRow(*row) for row in rows]


def take(connection: sqlite3.Connection, part: PartRow, row: RequestRow) -> None:
    """Write what became of a request; raises `TakenError` when that is known already."""
    changed = connection.execute(
        "UPDATE batch_requests SET state = ?, ending = ?, status = ?, document = ?, cost = ? "
        "WHERE job = ? AND number = ? AND part = ? AND state IN ('open', 'again')",
        (row.state, row.ending, row.status, row.document, row.cost, part.job, row.number, part.id),
    )
    if changed.rowcount != 1:
        raise TakenError


_NAMED = "SELECT 1 FROM batch_jobs WHERE name = ?"


def _add_part(connection: sqlite3.Connection, job: str, attempt: int, mark: str) -> int:
    made = connection.execute(
        "INSERT INTO batch_parts (job, attempt, mark, state) VALUES (?, ?, ?, 'planned')", (job, attempt, mark)
    )
    assert made.lastrowid is not None  # one row was inserted
    return made.lastrowid
