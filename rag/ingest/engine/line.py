"""Jobs in, results out in the same order, however they are finished in between; both ends bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from rag.ingest.prepare import Job, Prepared

BATCH_JOBS = 64
BATCH_BYTES = 256 * 2**10
"""Jobs travel to a worker in groups of at most this many files and bytes; a larger file travels alone."""
AHEAD_JOBS = 1024
AHEAD_BYTES = 64 * 2**20
"""No job is begun while this many are begun and not yet handed out, or as many bytes of results wait for their turn."""

Result = Prepared | bytes
"""A result, or one still packed as it came from a worker."""


class Line:
    """Where lanes take jobs and give back results. For one event loop; `jobs` is advanced on it and nowhere else.

    `ahead_jobs`, at least `AHEAD_JOBS`, is for more lanes than that keeps busy.
    """

    def __init__(self, jobs: Iterator[Job], *, ahead_jobs: int = 0) -> None:
        self._jobs = jobs
        self._ahead_jobs = max(AHEAD_JOBS, ahead_jobs)
        self._left_over: Job | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._taken = 0
        self._served = 0
        self._results: dict[int, Result] = {}
        self._bytes = 0
        self._room = asyncio.Event()
        self._head = asyncio.Event()

    async def take(self) -> list[tuple[int, Job]]:
        """The next jobs with their places in line, once there is room; none when there are no more."""
        while self._is_full and not self._ended:
            self._room.clear()
            await self._room.wait()
        batch: list[tuple[int, Job]] = []
        size = 0
        while len(batch) < BATCH_JOBS and (job := self._next_job()) is not None:
            size += weight(job)
            if batch and size > BATCH_BYTES:
                self._left_over = job
                break
            batch.append((self._taken, job))
            self._taken += 1
        return batch

    def give(self, place: int, result: Result) -> None:
        """The result of the job at `place`."""
        self._results[place] = result
        self._bytes += len(result) if isinstance(result, bytes) else 0
        if place == self._served:
            self._head.set()

    def fail(self, error: BaseException) -> None:
        """Let `next` raise `error`; no job is taken any more."""
        self._error = self._error or error
        self._ended = True
        self._left_over = None
        self._head.set()
        self._room.set()

    async def next(self) -> Result | None:
        """The next result in line, `None` after the last. Raises what `fail` was given."""
        while self._served not in self._results:
            if self._error is not None:
                raise self._error
            if self._ended and self._left_over is None and self._served == self._taken:
                return None
            self._head.clear()
            await self._head.wait()
        result = self._results.pop(self._served)
        self._served += 1
        self._bytes -= len(result) if isinstance(result, bytes) else 0
        self._room.set()
        return result

    @property
    def _is_full(self) -> bool:
        return self._taken - self._served >= self._ahead_jobs or self._bytes >= AHEAD_BYTES

    def _next_job(self) -> Job | None:
        job, self._left_over = self._left_over, None
        if job is None and not self._ended:
            job = next(self._jobs, None)
            if job is None:
                self._ended = True
                self._head.set()
                self._room.set()
        return job


def weight(job: Job) -> int:
    """Bytes to read, as far as can be told; a job of unknown size weighs a whole batch."""
    if job.item.document is not None:
        return len(job.item.document.text)
    return BATCH_BYTES if job.item.size is None else job.item.size
