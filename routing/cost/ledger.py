"""The ledger: one row per priced thing, written before the caller sees the result, never dropped.

Traces may lose spans under pressure; the ledger may not. It lives in the home's database and is what cost reports and
budgets read.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.errors import StateError
from plumbline.forking import at_fork
from plumbline.writing import BusyError, WriteConnection, insert
from routing.call import Write
from routing.chat import Usage
from routing.cost.ledger_table import LedgerEntry, component, from_row, ledger_table, to_row

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["Ledger", "LedgerEntry", "LedgerTotals", "component"]

_COUNTS = tuple(each.name for each in fields(Usage) if each.name != "estimated")


class Ledger:
    """Writes and reads ledger rows in the database behind `engine`, which lies at `path`.

    After a fork what was enqueued is the parent's to store.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self.held = WriteConnection(path, wait=False)
        """What rows are written with as long as nobody else writes; what is written beside them should go over it too,
        because one connection need not read again what it wrote.
        """
        self._later = WriteConnection(path)
        self._begin()
        at_fork(self, child=Ledger._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._busy = False

    def record(self, *entries: LedgerEntry) -> None:
        """Store entries durably, all or none; raises `StorageError` when it cannot."""
        _insert(self._later, entries)

    async def arecord(self, entry: LedgerEntry) -> None:
        """As `record`, in a coroutine: while another process holds the database only the caller waits.

        A caller that is cancelled no longer waits; the entry is stored all the same.
        """
        await self.stored([self.enqueue(entry)])

    def enqueue(self, entry: LedgerEntry, *, soon: bool = True, also: Write | None = None) -> Future[None]:
        """Have an entry stored; the future is done, or holds the error, when it is.

        It is stored at once, which takes less than handing it over would, unless somebody else is writing: then a
        thread waits for its turn, and what comes in until then is written together. An entry that need not be stored
        `soon` waits for another one's transaction, or until `stored` is awaited. `also` is written with it: both are
        stored, or none.
        """
        done: Future[None] = Future()
        with self._lock:
            self._waiting.append(_Waiting(entry, done, also))
        if soon:
            self._start()
        return done

    async def stored(self, entries: Sequence[Future[None]]) -> None:
        """Wait until what was enqueued is stored; raises `StorageError` when it cannot be."""
        if any(not entry.done() for entry in entries):
            self._start()
            await asyncio.shield(asyncio.gather(*map(asyncio.wrap_future, entries), return_exceptions=True))
        for entry in entries:
            entry.result()

    def flush(self) -> None:
        """Store what is enqueued and nobody waits for, in this thread, unless another is at it."""
        if self._taken():
            self._store_waiting(self._later)

    def _start(self) -> None:
        if not self._taken() or self._store_waiting(self.held):
            return
        try:
            asyncio.get_running_loop().run_in_executor(None, self._store_waiting, self._later)
        except RuntimeError:  # the loop is coming to its end: another one's must not wait for it
            with self._lock:
                self._busy = False
            raise

    def _taken(self) -> bool:
        """Whether the storing is now this thread's to see to, as it was nobody's."""
        with self._lock:
            taken, self._busy = not self._busy, True
        return taken

    def _store_waiting(self, connection: WriteConnection) -> bool:
        """Store all that waits; false when somebody else is writing and `connection` does not wait for them."""
        while True:
            with self._lock:
                batch, self._waiting = self._waiting, []
                self._busy = bool(batch)
            if not batch:
                return True
            try:
                _store(connection, batch)
            except BusyError:
                self._put_back(batch)
                return False
            except BaseException:  # interrupted: whoever comes next stores them
                self._put_back(batch)
                with self._lock:
                    self._busy = False
                raise

    def _put_back(self, batch: Sequence[_Waiting]) -> None:
        with self._lock:
            self._waiting = [*(each for each in batch if not each.stored.done()), *self._waiting]

    def of_trace(self, trace_id: str) -> list[LedgerEntry]:
        """The entries one trace caused, oldest first."""
        from sqlalchemy import select

        ledger = ledger_table()
        with self._engine.connect() as connection:
            rows = connection.execute(select(ledger).where(ledger.c.trace_id == trace_id).order_by(ledger.c.id))
            return [from_row(row._mapping) for row in rows]

    def last_id(self) -> int:
        """The number of the newest row, 0 when there is none; `after` goes on from there."""
        with self._engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM ledger").scalar() or 0)

    def after(self, last_id: int) -> Iterator[tuple[int, LedgerEntry]]:
        """The entries written after the row `last_id`, oldest first, each with its number."""
        from sqlalchemy import select

        ledger = ledger_table()
        query = select(ledger).where(ledger.c.id > last_id).order_by(ledger.c.id)
        with self._engine.connect() as connection:
            for row in connection.execute(query).yield_per(1000).mappings():
                yield row["id"], from_row(row)

    def totals(self) -> LedgerTotals:
        """Everything ever spent: calls, tokens, searches, known cost, and how many calls have no known price."""
        from sqlalchemy import func, select

        columns = ledger_table().c
        sums = [func.coalesce(func.sum(columns[name]), 0) for name in _COUNTS]
        known = Decimal(0)
        with self._engine.connect() as connection:
            calls, priced, estimated, *counts = connection.execute(
                select(func.count(), func.count(columns.cost), func.max(columns.estimated), *sums)
            ).one()
            # SQLite would add money as binary floats, so it is added here.
            costs = select(columns.cost, func.count()).where(columns.cost.is_not(None)).group_by(columns.cost)
            for cost, times in connection.execute(costs).yield_per(1000):
                known += Decimal(cost) * times
        usage = Usage(**dict(zip(_COUNTS, map(int, counts), strict=True)), estimated=bool(estimated))
        return LedgerTotals(calls, usage, known, calls - priced)


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """Sums over the ledger; `cost` covers the calls whose price is known, `unpriced` counts the others."""

    calls: int
    usage: Usage
    cost: Decimal
    unpriced: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An entry that is to be stored, and what hears of it."""

    entry: LedgerEntry
    stored: Future[None]
    also: Write | None


def _store(connection: WriteConnection, batch: Sequence[_Waiting]) -> None:
    """Store entries together; where one of them is what stands in the way, each alone."""
    try:
        _insert(connection, [each.entry for each in batch], [each.also for each in batch if each.also is not None])
    except BusyError:
        raise
    except Exception as error:  # noqa: BLE001 (it is raised where each entry is waited for)
        if len(batch) > 1 and not isinstance(error, StateError):
            for each in batch:
                _store(connection, [each])
            return
        for each in batch:
            each.stored.set_exception(error)
    else:
        for each in batch:
            each.stored.set_result(None)


def _insert(connection: WriteConnection, entries: Sequence[LedgerEntry], also: Sequence[Write] = ()) -> None:
    with connection.transaction() as transaction:
        for write in also:
            write(transaction)
        insert(transaction, ledger_table(), [to_row(entry) for entry in entries])
