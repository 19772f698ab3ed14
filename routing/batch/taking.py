"""Takes the results of a batch: reads, prices and keeps each once, together with its row in the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Generic

from routing.batch.provider import Result, Standing
from routing.batch.reserving import settled
from routing.batch.store import BatchStore, Ending, PartRow, RequestRow, TakenError, take
from routing.batch.work import Answer, Item, Work
from routing.call import Write
from routing.chat import Usage
from routing.cost.ledger import LedgerEntry
from routing.errors import DeadlineError, InvalidResponseError, ModelError, TransientError, UnavailableError
from routing.meter import Meter

AT_ONCE = 200
"""Results kept in one transaction."""
ATTEMPTS = 2
Ids = tuple[str | None, str | None]
"""Trace and span of whoever waits for a request."""
_NO_CREDIT = 402


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Answer]):
    """What a request came to: an answer with its usage, or an error."""

    answer: Answer | None = None
    usage: Usage = Usage()
    error: ModelError | None = None


class Taker(Generic[Item, Answer]):
    """Takes results for one kind of work; `ids` are the traces of those who wait, by the numbers of their requests."""

    def __init__(self, work: Work[Item, Answer], store: BatchStore, meter: Meter, ids: Mapping[int, Ids]) -> None:
        self._ids = ids
        self._work = work
        self._store = store
        self._meter = meter

    async def collect(self, part: PartRow, standing: Standing, *, again: bool, whole: bool = True) -> None:
        """Keep what became of all requests of a batch that has ended; those that may do better go out `again`.

        Raises `InvalidResponseError` when there are fewer results than the provider counts answers, and `whole` asks
        for all: what was answered and is paid for is not to be sent once more.
        """
        waiting = {row.number: row for row in self._store.unanswered(part.id)}
        chunk: list[RequestRow] = []
        seen: set[int | None] = set()
        async for result in self._results(part, standing):
            number = _number(result.id, part.mark)
            seen.add(number)
            row = waiting.pop(number, None) if number is not None else None
            if row is not None:
                chunk.append(self._closed(row, result, again=again))
            if len(chunk) >= AT_ONCE:
                await self._keep(part, chunk)
                chunk = []
        if whole and len(seen - {None}) < standing.done:
            await self._keep(part, chunk)
            raise InvalidResponseError(
                f"The results of {part.batch} have {len(seen - {None})} of its {standing.done} answers.",
                model=self._work.model,
            )
        ending: Ending = "expired" if standing.expired else "cancelled" if standing.cancelled else "missing"
        chunk += [self._ended(row, ending, again=again) for row in waiting.values()]
        await self._keep(part, chunk)

    async def give_up(self, part: PartRow) -> None:
        """Keep of all requests of a batch that they were cancelled."""
        rows = [self._ended(row, "cancelled", again=False) for row in self._store.unanswered(part.id)]
        await self._keep(part, rows)

    def outcome(self, row: RequestRow) -> Outcome[Answer]:
        """What a request came to, from what is kept of it."""
        if row.ending != "answered":
            return Outcome(error=_error(row.ending, self._work.model))
        document = json.loads(row.document or "null")
        try:
            return Outcome(*self._work.read(self._work.load(row.item), document, row.status))
        except ModelError as error:
            return Outcome(usage=error.usage or Usage(), error=error)

    async def _results(self, part: PartRow, standing: Standing) -> AsyncIterator[Result]:
        if standing.problem is None:
            assert part.batch is not None  # it was sent
            async for result in self._work.batches.results(part.batch):
                yield result
            return
        words = standing.problem.message
        problem = {"error": {"message": words.partition(": ")[2] or words}}  # what stands before is said again
        for row in self._store.unanswered(part.id):
            yield Result(f"{part.mark}-{row.number}", "answered", standing.problem.status or 400, problem)

    def _closed(self, row: RequestRow, result: Result, *, again: bool) -> RequestRow:
        """The row as it will be: with its answer and price, its error, or to be sent once more."""
        if result.kind != "answered":
            return self._ended(row, result.kind, again=again)
        document = json.dumps(result.document)
        closed = replace(row, ending="answered", status=result.status, document=document)
        outcome = self.outcome(closed)
        if outcome.error is None:
            return replace(closed, state="answered", cost=self._cost(outcome))
        if again and _may_do_better(outcome.error):
            return replace(closed, state="again")
        return replace(closed, state="failed", cost=self._cost(outcome))

    def _cost(self, outcome: Outcome[Answer]) -> str | None:
        """A refusal costs nothing. What an answer that cannot be read has cost nobody knows, unless it says."""
        if outcome.error is not None and outcome.usage == Usage():
            return None if isinstance(outcome.error, InvalidResponseError) else "0"
        cost = self._meter.prices.cost(self._work.model, outcome.usage, "batch")
        return None if cost is None else str(cost)

    def _ended(self, row: RequestRow, ending: Ending, *, again: bool) -> RequestRow:
        """The row of a request that was not answered."""
        state = "again" if again and _may_do_better(_error(ending, self._work.model)) else "failed"
        return replace(row, state=state, ending=ending, status=0, document=None, cost="0")

    async def _keep(self, part: PartRow, rows: list[RequestRow]) -> None:
        """Store results; each that the provider has worked on with a row in the ledger, in the same transaction."""
        plain = [row for row in rows if row.state == "again" or row.ending != "answered"]
        if plain:
            writes = [await self._written(part, row) for row in plain]
            await self._store.write(lambda connection: _write_all(connection, writes))
        stored = [
            self._meter.ledger.enqueue(self._entry(row), soon=False, also=await self._written(part, row))
            for row in rows
            if row not in plain
        ]
        try:
            await self._meter.ledger.stored(stored)
        except TakenError:
            for each in stored:
                error = each.exception()
                if error is not None and not isinstance(error, TakenError):
                    raise error from None

    async def _written(self, part: PartRow, row: RequestRow) -> Write:
        """The result, and what it counts for in the budgets; what goes out once more keeps its money."""
        counted = None if row.state == "again" else await settled(self._meter, self._work, row)

        def write(connection: sqlite3.Connection) -> None:
            take(connection, part, row)
            if counted is not None:
                counted(connection)

        return write

    def _entry(self, row: RequestRow) -> LedgerEntry:
        """No time is known of one request in a batch; nor a trace, when nobody waited for it."""
        outcome = self.outcome(row)
        ids = self._ids.get(row.number, (None, None))
        return LedgerEntry(
            self._work.kind,
            self._work.model,
            outcome.usage,
            None if row.cost is None else Decimal(row.cost),
            0.0,
            *ids,
            tags=self._work.tags(self._work.load(row.item)),
            error=None if outcome.error is None else type(outcome.error).__name__,
            tier="batch",
        )


def _write_all(connection: sqlite3.Connection, writes: list[Write]) -> None:
    for write in writes:
        with suppress(TakenError):
            write(connection)


def _number(name: str, mark: str) -> int | None:
    """Which request an id of ours stands for; `None` for one that is not of this batch."""
    head, _, number = name.rpartition("-")
    return int(number) if head == mark and number.isascii() and number.isdigit() and len(number) < 10 else None


def _may_do_better(error: ModelError) -> bool:
    """Whether a request may be answered when it is sent once more."""
    return isinstance(error, TransientError) and error.status != _NO_CREDIT and not isinstance(error, UnavailableError)


def _error(ending: Ending | None, model: str) -> ModelError:
    if ending == "expired":
        return DeadlineError(
            f"{model} did not come to this request within the 24 hours of its batch.",
            model=model,
            hint="Submit it again, or ask for it alone.",
        )
    if ending == "cancelled":
        return UnavailableError(f"The batch was cancelled before {model} came to this request.", model=model)
    return TransientError(f"The batch of {model} has ended without a result for this request.", model=model)
