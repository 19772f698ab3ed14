"""One job: requests that are sent in as many batches as they need, and their results, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic

from plumbline.errors import InputError
from plumbline.trace import AttributeValue
from routing.batch.provider import Line, Standing
from routing.batch.store import BatchStore, JobRow, PartRow
from routing.batch.taking import ATTEMPTS, Ids, Taker
from routing.batch.work import Answer, Item, Work
from routing.errors import (
    BadRequestError,
    ContentFilterError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    RateLimitError,
    TransientError,
)
from routing.meter import Meter

NO_CREDIT = 402
"""The status of an account without credit: waiting does not help."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How patiently a job is followed, in seconds.

    It is looked at after `first`, then ever more seldom, at last every `longest`. A batch of which it is not known
    whether it has arrived is sent again when it cannot be found `grace` after that. `failures` of the provider in a
    row are waited out.
    """

    first: float = 5.0
    longest: float = 300.0
    grace: float = 120.0
    failures: int = 20


PATIENT = Pace()


class ForgottenError(InputError):
    """Raised for a job that was taken out of the home meanwhile."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How a job stands, in requests; `waiting` are at the provider, or on their way to it."""

    id: str
    name: str | None
    model: str
    requests: int
    answered: int
    failed: int
    waiting: int
    cancelled: bool

    @property
    def done(self) -> bool:
        """Whether it is known of every request what became of it."""
        return not self.waiting


def standing(row: JobRow, counts: Mapping[str, int]) -> JobStatus:
    """How a job stands whose requests are in these states."""
    answered, failed = counts.get("answered", 0), counts.get("failed", 0)
    total = sum(counts.values())
    return JobStatus(row.id, row.name, row.model, total, answered, failed, total - answered - failed, row.cancelled)


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[Item, Answer]):
    """What became of the request `number`, counted from 0 as they were submitted: an answer, or an error."""

    number: int
    item: Item
    answer: Answer | None
    error: ModelError | None
    cost: Decimal | None


class BatchJob(Generic[Item, Answer]):
    """A job of `routing.batch.jobs.BatchJobs`, which makes it. Any process may go on with it, also several at once."""

    def __init__(
        self,
        row: JobRow,
        work: Work[Item, Answer],
        store: BatchStore,
        meter: Meter,
        *,
        ids: Mapping[int, Ids] | None = None,
        turn: asyncio.Lock | None = None,
        pace: Pace = PATIENT,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.id = row.id
        self._work = work
        self._store = store
        self._tracing = meter.tracing
        self._turn = turn or asyncio.Lock()  # a batch is large, and in memory while it goes out or comes in
        self._taker = Taker(work, store, meter, ids or {})
        self._pace = pace
        self._clock = clock
        self._sleep = sleep

    async def status(self) -> JobStatus:
        """How the job stands now, the provider asked."""
        await self.advance()
        return self.known()

    def known(self) -> JobStatus:
        """How the job stood when it was last looked at."""
        return standing(self._row(), self._store.counts(self.id))

    async def results(self, of: Collection[int] | None = None) -> AsyncGenerator[BatchResult[Item, Answer], None]:
        """What became of every request, or of those with the numbers `of`, each once, as it becomes known; waits until
        it is known of all.

        What fails for a reason that may pass is sent once more. Raises `ModelError` when the provider refuses a batch,
        or fails too often; nothing is lost by that, and the results can be asked for again.
        """
        given: set[int] = set()
        wait, failures = self._pace.first, 0
        while True:
            done = self.known().done
            for number in self._store.done(self.id):
                if number not in given and (of is None or number in of):
                    given.add(number)
                    yield self._result(number)
            if done or (of is not None and len(given) == len(of)):
                return
            asked_for = 0.0
            try:
                moved = await self.advance()
                failures = 0
            except (TransientError, InvalidResponseError) as error:
                failures += 1
                if failures > self._pace.failures or error.status == NO_CREDIT:
                    raise
                moved, asked_for = False, getattr(error, "retry_after", None) or 0.0
            if moved:
                wait = self._pace.first
            else:
                await self._sleep(max(wait, asked_for))
                wait = min(2 * wait, self._pace.longest)

    async def answers(self) -> list[BatchResult[Item, Answer]]:
        """All results, in the order of the requests."""
        return sorted([result async for result in self.results()], key=lambda result: result.number)

    async def cancel(self) -> None:
        """Send no more, and have what was sent given up. What is answered by then stays, and is paid for."""
        await self._store.cancel(self.id)
        for part in self._store.parts(self.id):
            if part.state == "sent" and part.batch is not None:
                await self._cancel(part.batch)

    async def advance(self) -> bool:
        """Do what can be done now: send, find, look, collect; whether anything changed.

        A batch with which that fails holds up none of the others: the first `ModelError` is raised after all.
        """
        moved, failure = False, None
        steps = {"planned": self._send, "sending": self._find, "sent": self._collect}
        for part in self._store.parts(self.id):
            if part.state not in steps:
                continue
            try:
                moved |= await steps[part.state](part)
            except ModelError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return moved

    async def _send(self, part: PartRow) -> bool:
        now = self._clock()
        if not await self._store.move(part, "sending", at=now):
            return False
        (sending,) = [each for each in self._store.parts(self.id) if each.id == part.id]
        if self._row().cancelled:  # asked now that nobody else can send it
            return await self._give_up(sending)
        try:
            async with self._turn:
                lines = self._lines(part)
                attributes = self._attributes(part) | {"plumbline.batch.requests": len(lines)}
                with self._tracing.span("batch send", attributes):
                    batch = await self._work.batches.send(lines, part.mark)
        except (BadRequestError, ContentFilterError) as error:
            return await self._take(sending, Standing(ended=True, problem=error))
        except ModelError as error:
            if isinstance(error, RateLimitError) or not isinstance(error, TransientError | InvalidResponseError):
                await self._store.move(sending, "planned")  # it was refused, and can be sent another time
            raise
        return await self._store.move(sending, "sent", batch=batch)

    async def _find(self, part: PartRow) -> bool:
        """It was being sent when something broke off: find out whether it has arrived; if not, send it again."""
        assert part.first is not None  # written before it is sent, like `last`
        assert part.last is not None
        requests = len(self._store.unanswered(part.id))
        found = await self._work.batches.find(part.mark, requests, part.first, self._store.batches())
        if found.id is not None:
            return await self._store.move(part, "sent", batch=found.id)
        if not found.certain or self._clock() < part.last + self._pace.grace:
            return False
        return await self._send(part)

    async def _collect(self, part: PartRow) -> bool:
        assert part.batch is not None  # it was sent
        cancelled = self._row().cancelled
        try:
            standing = await self._work.batches.look(part.batch)
            if standing.ended:
                return await self._take(part, standing)
        except ModelNotFoundError as error:
            if cancelled:
                return await self._give_up(part)
            raise self._gone(part.batch, error) from error
        if cancelled and not standing.cancelled:
            await self._cancel(part.batch)
        return False

    async def _take(self, part: PartRow, standing: Standing) -> bool:
        """Take the results of a batch that has ended; of one that was given up, as many as there are."""
        cancelled = self._row().cancelled
        again = part.attempt < ATTEMPTS and not cancelled
        async with self._turn:
            with self._tracing.span("batch results", self._attributes(part)):
                await self._taker.collect(part, standing, again=again, whole=not cancelled)
        await self._store.end(part, f"{part.mark}x")
        return True

    async def _cancel(self, batch: str) -> None:
        """One that has ended, is gone or being cancelled is refused to be cancelled: looking at it says which."""
        try:
            await self._work.batches.cancel(batch)
        except ModelError as error:
            if error.status not in (400, 404, 409):
                raise

    def _gone(self, batch: str, error: ModelError) -> ModelError:
        return ModelNotFoundError(
            f"The provider of {self._work.model} has no batch {batch}, or not its results.",
            model=self._work.model,
            status=error.status,
            hint="Is it the key of the account that it was sent from? "
            f"What is lost is given up by `rag batch cancel {self.id}`.",
        )

    async def _give_up(self, part: PartRow) -> bool:
        await self._taker.give_up(part)
        await self._store.end(part, f"{part.mark}x")
        return True

    def _lines(self, part: PartRow) -> list[Line]:
        lines = []
        for row in self._store.unanswered(part.id):
            item = self._work.load(row.item)
            lines.append(Line(f"{part.mark}-{row.number}", self._work.path(item), self._work.body(item)))
        return lines

    def _attributes(self, part: PartRow) -> dict[str, AttributeValue]:
        return {
            "gen_ai.request.model": self._work.model,
            "plumbline.batch.job": self.id,
            "plumbline.batch.mark": part.mark,
            "plumbline.batch.attempt": part.attempt,
        }

    def _result(self, number: int) -> BatchResult[Item, Answer]:
        row = self._store.request(self.id, number)
        if row is None:
            raise self._forgotten()
        outcome = self._taker.outcome(row)
        cost = None if row.cost is None else Decimal(row.cost)
        answer = None if outcome.answer is None else self._work.priced(outcome.answer, cost)
        return BatchResult(number, self._work.load(row.item), answer, outcome.error, cost)

    def _row(self) -> JobRow:
        row = self._store.job(self.id)
        if row is None:
            raise self._forgotten()
        return row

    def _forgotten(self) -> ForgottenError:
        return ForgottenError(f"The job {self.id} has been forgotten.")
