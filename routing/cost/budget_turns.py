"""Transactions of coroutines: at once where nobody else is writing, else together, in a thread that waits.

A transaction takes some 50 µs, less than handing it to a thread would; waiting for another process can take long, and
the event loop must not.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from plumbline.forking import at_fork
from plumbline.writing import BusyError, WriteConnection

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Work[T]
    done: Future[T] = field(default_factory=Future)


class Turns:
    """Writes into the database at `path`, over `held` when it need not wait.

    What is done in a transaction must not raise after it has written.
    """

    def __init__(self, path: Path, held: WriteConnection | None = None) -> None:
        self._own = WriteConnection(path, wait=False)
        self._now = held or self._own
        self._later = WriteConnection(path)
        self._begin()
        at_fork(self, child=Turns._begin)

    def _begin(self) -> None:
        """Nothing is left of a parent: what waits is its own to do."""
        self._lock = threading.Lock()
        self._waiting: list[_Job[Any]] = []
        self._busy = False

    async def run(self, work: Work[T], undo: Callable[[T], None]) -> T:
        """What `work` returns; raises `StateError` when the database cannot be written.

        When it is done although the caller was cancelled meanwhile, `undo` gets what it returned.
        """
        try:
            with self._now.transaction() as connection:
                return work(connection)
        except BusyError:
            job = _Job(work)
        self._hand_over(job)
        try:
            return await asyncio.wrap_future(job.done)
        except asyncio.CancelledError:
            if not job.done.cancel():
                job.done.add_done_callback(lambda done: None if done.exception() else undo(done.result()))
            raise

    def wait(self, work: Work[T]) -> T:
        """Do it in this thread, which waits for its turn."""
        with self._later.transaction() as connection:
            return work(connection)

    def soon(self, work: Work[Any]) -> None:
        """Have it done, at once or in a thread."""
        try:
            with self._now.transaction() as connection:
                work(connection)
        except BusyError:
            self._hand_over(_Job(work))

    def close(self) -> None:
        """Do what still waits, and close the connections."""
        self._do_waiting()
        self._own.close()
        self._later.close()

    def _hand_over(self, job: _Job[Any]) -> None:
        with self._lock:
            self._waiting.append(job)
            if self._busy:
                return
            self._busy = True
        threading.Thread(target=self._do_waiting, name="plumbline-budgets", daemon=True).start()

    def _do_waiting(self) -> None:
        """Everything that waits, in as few transactions as there can be."""
        while True:
            with self._lock:
                jobs, self._waiting = self._waiting, []
                self._busy = bool(jobs)
            if not jobs:
                return
            self._do([job for job in jobs if job.done.set_running_or_notify_cancel()])

    def _do(self, jobs: list[_Job[Any]]) -> None:
        try:
            with self._later.transaction() as connection:
                results = [job.work(connection) for job in jobs]
        except Exception as error:  # noqa: BLE001 (it is raised where each job is waited for)
            for job in jobs:
                job.done.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            job.done.set_result(result)
