"""The peer of benchmarks/ray_ingest.py: the same work through Ray Data, in windows, as its data sets are finite."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from rag.ingest.engine.frames import unpacked
from rag.ingest.engine.line import BATCH_JOBS
from rag.ingest.engine.ray_node import Order, prepare_here, release
from rag.ingest.prepare import Job, Prepared, Recipe

WINDOW_JOBS = 1024
SLOWLY = "benchmarks._ray_data:prepare_slowly"


def prepare_slowly(job: Job, recipe: Recipe) -> Prepared:  # noqa: ARG001 (it has the shape of `prepare`)
    """Nothing is read; a job named "3 s" takes three seconds, every other no time."""
    seconds, _, unit = job.item.name.partition(" ")
    if unit == "s":
        time.sleep(float(seconds))
    return Prepared(job.item, hash=job.item.name)


class RayDataEngine:
    """An `Engine`: one data set per window, the next one running while the results of the last are handed out.

    The process must be connected to a cluster.
    """

    def __init__(self, recipe: Recipe, *, function: str = "rag.ingest.prepare:prepare") -> None:
        self._order = Order(recipe, function, release())

    async def prepared(self, jobs: Iterator[Job]) -> AsyncGenerator[Prepared, None]:
        """As `Engine.prepared`, but for errors: a task that Ray Data gives up ends the run."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(2) as threads:
            begun = [loop.run_in_executor(threads, self._results, each) for each in islice(self._windows(jobs), 1)]
            while begun:
                results = await begun.pop()
                begun += [loop.run_in_executor(threads, self._results, each) for each in islice(self._windows(jobs), 1)]
                for result in results:
                    yield unpacked(result) if isinstance(result, bytes) else result

    async def close(self) -> None:
        """Nothing is held."""

    @staticmethod
    def _windows(jobs: Iterator[Job]) -> Iterator[list[Job]]:
        while window := list(islice(jobs, WINDOW_JOBS)):
            yield window

    def _results(self, window: list[Job]) -> list[Any]:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        order = self._order

        def read(batch: dict[str, Any]) -> dict[str, list[bytes]]:
            delivery = prepare_here(order, [pickle.loads(each) for each in batch["job"]])
            return {"result": [pickle.dumps(each) for each in delivery.results]}

        rows = [{"job": pickle.dumps(job)} for job in window]
        blocks = -(-len(rows) // BATCH_JOBS)
        data = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(read, batch_size=None)
        return [pickle.loads(row["result"]) for row in data.iter_rows()]
