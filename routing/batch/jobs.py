"""The jobs of a home: they are submitted once, and gone on with by whoever opens them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from secrets import token_hex

from plumbline.errors import InputError
from routing.batch.job import NO_CREDIT, PATIENT, BatchJob, Pace
from routing.batch.provider import Limits
from routing.batch.store import BatchStore, JobRow, Planned
from routing.batch.work import Answer, Item, Work
from routing.call import Call, Reservation
from routing.errors import TransientError
from routing.meter import Meter

AROUND = 256
"""Bytes that a line has around the request's body, at most."""


class BatchJobs:
    """Jobs kept in the home's database at `path`; their answers are priced and recorded by `meter`.

    Without `records` somebody else does: `routing.batch.model` leaves it, and the budgets, to the router. `clock` gives
    the seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        meter: Meter,
        *,
        records: bool = True,
        pace: Pace = PATIENT,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._store = BatchStore(path)
        self._meter = meter
        self._records = records
        self._pace = pace
        self._clock = clock
        self._sleep = sleep

    async def submit(
        self, work: Work[Item, Answer], items: Sequence[Item], *, name: str | None = None
    ) -> BatchJob[Item, Answer]:
        """Keep the requests as a job and send them; under a `name` only once, however often it is submitted.

        What the model is known not to do, and what the budgets do not allow, is refused before anything is kept. When
        sending fails for a reason that may pass, the job is kept and sent by `results` or `status`. Raises
        `InputError` for no requests, or others under a known name; `ModelError`.
        """
        if not items:
            raise InputError("There are no requests to submit.")
        texts = [work.dump(item) for item in items]
        content = hashlib.sha256(json.dumps([work.kind, work.model, texts]).encode()).hexdigest()
        if name is not None and (known := self._store.job(name)) is not None:
            return await self._again(known, content, work)
        number = token_hex(6)
        parts = plan(work, items, number)
        await self._afford(work, items)
        row = JobRow(number, name, work.kind, work.model, content, self._clock())
        if not await self._store.add(row, texts, parts):
            assert name is not None  # only names can be taken
            return await self.submit(work, items, name=name)
        return await self._sent(self._job(row, work))

    def open(self, called: str, work: Work[Item, Answer]) -> BatchJob[Item, Answer]:
        """The job with this id or name, to go on with it; raises `InputError` for none, or another model's."""
        row = self._store.job(called)
        if row is None:
            known = ", ".join(each.name or each.id for each in self._store.jobs()[:10])
            raise InputError(f"There is no job '{called}'.", hint=f"There are: {known}." if known else None)
        if (row.kind, row.model) != (work.kind, work.model):
            raise InputError(f"The job '{called}' is for {row.model} ({row.kind}), not for {work.model} ({work.kind}).")
        return self._job(row, work)

    async def forget(self, job: BatchJob[Item, Answer]) -> None:
        """Take a job out of the home, requests and answers; the ledger keeps its rows.

        Raises `InputError` while requests wait: cancel it first.
        """
        if not job.known().done:
            raise InputError(f"Requests of the job {job.id} still wait.", hint="Cancel it, and take its results.")
        await self._store.forget(job.id)

    def list(self) -> Sequence[JobRow]:
        """All jobs, the newest first."""
        return self._store.jobs()

    def close(self) -> None:
        """Give the connections back."""
        self._store.close()

    async def _again(self, known: JobRow, content: str, work: Work[Item, Answer]) -> BatchJob[Item, Answer]:
        if known.content != content:
            raise InputError(
                f"There is a job '{known.name}' with other requests.", hint="Give these another name, or open that one."
            )
        return await self._sent(self._job(known, work))

    async def _sent(self, job: BatchJob[Item, Answer]) -> BatchJob[Item, Answer]:
        try:
            await job.advance()
        except TransientError as error:
            if error.status == NO_CREDIT:
                raise
        return job

    def _job(self, row: JobRow, work: Work[Item, Answer]) -> BatchJob[Item, Answer]:
        return BatchJob(
            row,
            work,
            self._store,
            self._meter,
            records=self._records,
            pace=self._pace,
            clock=self._clock,
            sleep=self._sleep,
        )

    async def _afford(self, work: Work[Item, Answer], items: Sequence[Item]) -> None:
        """Raise `BudgetError` unless all requests together fit into the budgets now.

        Nothing stays set aside while they wait, which may be for a day: what they cost is counted when it is known.
        """
        budgets = self._meter.budgets
        if budgets is None or not self._records:
            return
        held: list[Reservation] = []
        try:
            for item in items:
                most = work.most(item)
                bound = None
                if most.output_tokens is not None:
                    bound = self._meter.prices.bound(
                        work.model, most.input_tokens, most.output_tokens, "batch", images=most.images
                    )
                tokens = most.input_tokens, most.output_tokens or 0
                call = Call(work.kind, work.model, work.tags(item), *tokens, bound, tier="batch")
                reserved = await budgets.reserve(call)
                if reserved is not None:
                    held.append(reserved)
        finally:
            await self._store.write(lambda connection: _give_back(connection, held))


def plan(work: Work[Item, Answer], items: Sequence[Item], job: str) -> list[Planned]:
    """The batches that the requests make, each to one path and within the provider's limits; raises `ModelError`."""
    filling: dict[str, _Filling] = {}
    parts: list[list[int]] = []
    for number, item in enumerate(items):
        size = len(json.dumps(work.body(item))) + AROUND
        open_part = filling.setdefault(work.path(item), _Filling())
        if not open_part.takes(size, work.inputs(item), work.batches.limits):
            open_part.begin(parts)
        open_part.add(number, size, work.inputs(item))
    for each in filling.values():
        each.begin(parts)
    return [Planned(f"plb-{job}-{place}", numbers) for place, numbers in enumerate(parts)]


class _Filling:
    """A batch that is being filled."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.bytes = self.inputs = 0

    def takes(self, size: int, inputs: int, limits: Limits) -> bool:
        return (
            len(self.numbers) < limits.requests
            and self.bytes + size <= limits.bytes
            and (limits.inputs is None or self.inputs + inputs <= limits.inputs)
        )

    def add(self, number: int, size: int, inputs: int) -> None:
        self.numbers.append(number)
        self.bytes += size
        self.inputs += inputs

    def begin(self, parts: list[list[int]]) -> None:
        if self.numbers:
            parts.append(self.numbers)
        self.numbers, self.bytes, self.inputs = [], 0, 0


def _give_back(connection: sqlite3.Connection, held: Sequence[Reservation]) -> None:
    for each in held:
        write = each.settle(Decimal(0))
        if write is not None:
            write(connection)
