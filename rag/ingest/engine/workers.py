"""Prepares items in worker processes: in parallel, and out of reach of what a parser may do to its process.

A worker is a fresh Python, started without `multiprocessing`: that would import the user's main module a second time,
or fork a process that has threads. What hangs, crashes or eats memory there costs one file its reading, and no other.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from rag.ingest.engine.frames import unpacked
from rag.ingest.engine.line import Line, Result
from rag.ingest.engine.process import Worker, WorkerDiedError, start_worker
from rag.ingest.prepare import Job, Prepared, Recipe


class WorkerEngine:
    """An `Engine` of worker processes.

    `workers` is how many (0: `loading.workers`, and where that is 0, one per core); they start when there is work for
    them and stay for the next call. `function` names what prepares a job, as "package.module:function".
    `loading.max_seconds` and `loading.max_memory_bytes` hold for each job.
    """

    def __init__(self, recipe: Recipe, workers: int = 0, *, function: str = "rag.ingest.prepare:prepare") -> None:
        self._recipe = recipe
        self._count = workers or recipe.loading.workers or cores()
        self._function = function
        self._idle: list[Worker] = []

    async def prepared(self, jobs: Iterator[Job]) -> AsyncGenerator[Prepared, None]:
        """As `Engine.prepared`. `jobs` is advanced on the event loop's thread.

        Ended early, it kills the workers that are busy and waits for their end. Raises `RagError` when no worker can
        be started, and what `jobs` raises.
        """
        async with aclosing(self.results(jobs)) as results:
            async for result in results:
                yield unpacked(result) if isinstance(result, bytes) else result

    async def results(self, jobs: Iterator[Job]) -> AsyncGenerator[Result, None]:
        """As `prepared`, with results still packed as the workers sent them, to be sent on."""
        line = Line(jobs)
        lanes = [asyncio.create_task(self._lane(line)) for _ in range(self._count)]
        try:
            while (result := await line.next()) is not None:
                yield result
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def close(self) -> None:
        """End the workers; closing twice is allowed."""
        while self._idle:
            await self._dismiss(self._idle.pop())

    async def _lane(self, line: Line) -> None:
        """One worker's share of the work."""
        try:
            while batch := await line.take():
                await self._work(deque(batch), line)
        except Exception as error:  # noqa: BLE001 (raised again where the results are awaited)
            line.fail(error)

    async def _work(self, batch: deque[tuple[int, Job]], line: Line) -> None:
        """Have every job of `batch` answered, over as many workers as that takes.

        Answers come in order, so that the first job without one is what a dead worker was at. It is tried once more
        unless it was the worker's first, or it is known to be at fault.
        """
        suspect = -1
        while batch:
            worker = await self._worker()
            try:
                worker.send([job for _, job in batch])
                while batch:
                    line.give(batch[0][0], await worker.answer())
                    batch.popleft()
                self._idle.append(worker)
            except WorkerDiedError as death:
                if death.retired:
                    continue
                place, job = batch[0]
                if death.at_fault or place == suspect:
                    line.give(place, Prepared(job.item, error=death.reason))
                    batch.popleft()
                suspect = place
            except BaseException:
                await worker.close()
                raise

    async def _worker(self) -> Worker:
        """One that is idle, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_here:
                return worker
            worker.kill()
        return await start_worker(self._function, self._recipe)

    @staticmethod
    async def _dismiss(worker: Worker) -> None:
        if worker.is_here:
            await worker.close()
        else:
            worker.kill()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
