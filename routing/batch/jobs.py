"""The jobs of a home: they are submitted once, and gone on with by whoever opens them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from decimal import Decimal
from pathlib import Path
from secrets import token_hex

from plumbline.errors import InputError, StateError
from plumbline.trace import current_ids
from routing.batch.job import NO_CREDIT, PATIENT, BatchJob, JobStatus, Pace, standing
from routing.batch.provider import Limits
from routing.batch.reserving import Held, give_back, reserved
from routing.batch.store import BatchStore, JobRow, Kept, PartRow, Planned, key_of
from routing.batch.taking import Ids
from routing.batch.work import Answer, Item, Work
from routing.cost.prices import total_cost
from routing.errors import InvalidResponseError, ModelError, TransientError
from routing.meter import Meter

GATHERED = "gathered "
"""How the names of jobs begin that nobody named: their requests were asked one by one."""
AROUND = 256
"""Bytes that a line has around the request's body, at most."""


class BatchJobs:
    """Jobs kept in the home's database at `path`; their answers are priced and recorded by `meter`.

    What they may cost is set aside in its budgets when they are submitted. `clock` gives the seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        meter: Meter,
        *,
        pace: Pace = PATIENT,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._store = BatchStore(path)
        self.meter = meter
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()

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
        held = await reserved(self._store, self.meter, work, items)
        refusal = next((each for each in held if isinstance(each, ModelError)), None)
        kept = [Kept(text, each.words) for text, each in zip(texts, held, strict=True) if isinstance(each, Held)]
        row = JobRow(number, name, work.kind, work.model, content, self._clock())
        if refusal is not None or not await self._added(row, kept, parts, held):
            await give_back(self._store, held)
            if refusal is not None:
                raise refusal
            assert name is not None  # only names can be taken
            return await self.submit(work, items, name=name)
        await give_back(self._store, _unkept(held))
        return await self._sent(self._job(row, work))

    async def gather(
        self, work: Work[Item, Answer], items: Sequence[Item], contexts: Sequence[Context]
    ) -> tuple[BatchJob[Item, Answer] | None, list[ModelError | None]]:
        """Keep and send those requests that the budgets allow, as a job without a name of its own; for all of them why
        not, in their order. Its numbers count those that are sent. `contexts` are those of whoever waits.
        """
        held = await reserved(self._store, self.meter, work, items, contexts)
        refused = [each if isinstance(each, ModelError) else None for each in held]
        fit = [(item, each) for item, each in zip(items, held, strict=True) if isinstance(each, Held)]
        if not fit:
            return None, refused
        number = token_hex(6)
        parts = plan(work, [item for item, _ in fit], number)
        row = JobRow(number, f"{GATHERED}{number}", work.kind, work.model, "", self._clock())
        await self._added(row, [Kept(work.dump(item), each.words) for item, each in fit], parts, held)
        await give_back(self._store, _unkept(held))
        ids = [each.run(current_ids) for each, why in zip(contexts, refused, strict=True) if why is None]
        return await self._sent(self._job(row, work, dict(enumerate(ids)))), refused

    def resumable(self, work: Work[Item, Answer], items: Sequence[Item]) -> dict[int, list[tuple[str, int]]]:
        """Where each of `items`, by its place, was asked already in a gathered job: the jobs' ids and its numbers."""
        if not any(self.is_gathered(row) and row.model == work.model for row in self._store.jobs()):
            return {}
        keys = [key_of(work.dump(item)) for item in items]
        places: dict[str, list[tuple[str, int]]] = {}
        for key, job, number in self._store.resumable(GATHERED, work.kind, work.model, sorted(set(keys))):
            places.setdefault(key, []).append((job, number))
        return {at: places[key] for at, key in enumerate(keys) if key in places}

    @staticmethod
    def is_gathered(row: JobRow) -> bool:
        """Whether nobody named the job."""
        return row.name is not None and row.name.startswith(GATHERED)

    def open(
        self, called: str, work: Work[Item, Answer], ids: Mapping[int, Ids] | None = None
    ) -> BatchJob[Item, Answer]:
        """The job with this id or name, to go on with it; raises `InputError` for none, or another model's.

        `ids` are the traces of those who wait for its requests.
        """
        row = self.row(called)
        if (row.kind, row.model) != (work.kind, work.model):
            raise InputError(f"The job '{called}' is for {row.model} ({row.kind}), not for {work.model} ({work.kind}).")
        return self._job(row, work, ids)

    def row(self, called: str) -> JobRow:
        """The job with this id or name, as it was submitted; raises `InputError` for none."""
        row = self._store.job(called)
        if row is None:
            known = ", ".join(each.id if self.is_gathered(each) else each.name or each.id for each in self.list()[:10])
            raise InputError(f"There is no job '{called}'.", hint=f"There are: {known}." if known else None)
        return row

    def status(self, row: JobRow) -> JobStatus:
        """How a job stood when it was last looked at; nobody is asked."""
        return standing(row, self._store.counts(row.id))

    def parts(self, row: JobRow) -> Sequence[PartRow]:
        """The batches of a job, in the order in which they were planned."""
        return self._store.parts(row.id)

    def cost(self, row: JobRow) -> Decimal | None:
        """What is known to have been spent on a job; `None` when any price is unknown."""
        return total_cost([None if cost is None else Decimal(cost) for cost in self._store.costs(row.id)])

    async def forget(self, job: BatchJob[Item, Answer] | JobRow) -> None:
        """Take a job out of the home, requests and answers; the ledger keeps its rows.

        Raises `InputError` while requests wait: cancel it first.
        """
        if self._store.counts(job.id).keys() & {"open", "again"}:
            raise InputError(f"Requests of the job {job.id} still wait.", hint="Cancel it, and take its results.")
        await self._store.forget(job.id)

    async def forget_old(self, seconds: float) -> None:
        """Take out gathered jobs that are done with and that nobody came back for within so many seconds."""
        for row in self._store.jobs():
            if self.is_gathered(row) and row.created < self._clock() - seconds and self.status(row).done:
                await self._store.forget(row.id)

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

    async def _added(
        self, row: JobRow, kept: Sequence[Kept], parts: Sequence[Planned], held: Sequence[Held | ModelError]
    ) -> bool:
        """As `BatchStore.add`; when nothing can be kept, nothing stays set aside."""
        try:
            return await self._store.add(row, kept, parts)
        except StateError:
            await give_back(self._store, held)
            raise

    async def _sent(self, job: BatchJob[Item, Answer]) -> BatchJob[Item, Answer]:
        try:
            await job.advance()
        except (TransientError, InvalidResponseError) as error:
            if error.status == NO_CREDIT:
                raise
        return job

    def _job(
        self, row: JobRow, work: Work[Item, Answer], ids: Mapping[int, Ids] | None = None
    ) -> BatchJob[Item, Answer]:
        return BatchJob(
            row,
            work,
            self._store,
            self.meter,
            ids=ids,
            turn=self._turn,
            pace=self._pace,
            clock=self._clock,
            sleep=self._sleep,
        )


def _unkept(held: Sequence[Held | ModelError]) -> list[Held]:
    return [each for each in held if isinstance(each, Held) and each.words is None]


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
