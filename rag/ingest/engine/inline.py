"""Prepares items in a thread of this process: no start-up, for little work that needs no protection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from rag.ingest.prepare import Job, Prepared, Recipe, prepare

AHEAD = 8
"""Jobs handed to the thread and not yet asked for, so that it works while others embed."""


class InlineEngine:
    """An `Engine` in this process: one thread, as most of the work holds the interpreter's lock.

    `loading.max_seconds` and `loading.max_memory_bytes` are not enforced here.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    async def prepared(self, jobs: Iterator[Job]) -> AsyncGenerator[Prepared, None]:
        """As `Engine.prepared`. `jobs` is advanced on the event loop's thread.

        Ended early, it lets the thread finish the one job that it is at.
        """
        loop = asyncio.get_running_loop()
        begun: deque[asyncio.Future[Prepared]] = deque()
        thread = ThreadPoolExecutor(1, thread_name_prefix="plumbline-prepare")
        try:
            while True:
                begun.extend(
                    loop.run_in_executor(thread, prepare, job, self._recipe) for job in islice(jobs, AHEAD - len(begun))
                )
                if not begun:
                    return
                yield await begun[0]
                begun.popleft()
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def close(self) -> None:
        """Nothing is held."""
