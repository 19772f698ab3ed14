"""Prepares items on a Ray cluster, while this process embeds and stores what comes back.

Ray's tasks, not Ray Data: its data sets are finite and known when they begin, so that an open-ended line of files has
to go through it in windows. A slow file then holds up what stands behind its window, a file that kills what reads it is
tried for ever or costs its window, and results wait by the window and not by the megabyte. docs/scale.md has numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from itertools import chain
from typing import Any

from plumbline.extras import require
from rag.errors import RagError
from rag.ingest.engine.frames import unpacked
from rag.ingest.engine.line import Line
from rag.ingest.engine.ray_connection import connect, disconnect
from rag.ingest.engine.ray_node import Delivery, Order, is_unseen, prepare_here, release
from rag.ingest.prepare import Job, Prepared, Recipe

AHEAD_JOBS = 65_536
"""Enough for 500 cores with small files; jobs are taken only as lanes become free, so that few cores take few."""
LANES_PER_CORE = 2
"""One batch being prepared, one waiting at the node; more waiting than working is what an autoscaler looks for."""
RETRIES = 3
GROW_SECONDS = 5.0

Batch = list[tuple[int, Job]]


class RayEngine:
    """An `Engine` on the Ray cluster at `loading.ray_address`, or on the one that the program is connected to.

    Nodes may come and go. A batch whose Ray worker or node dies is given to another, three times, then each of its jobs
    by itself; one that fails then too gets an error. `loading.workers` is how many batches are prepared at once (0: as
    many as the cluster has cores). `loading.max_seconds` and `loading.max_memory_bytes` hold for each job, `function`
    is as of `WorkerEngine`. Raises `MissingExtraError`.
    """

    def __init__(self, recipe: Recipe, *, function: str = "rag.ingest.prepare:prepare") -> None:
        self._ray = require("ray", "ray")
        self._recipe = recipe
        self._order = Order(recipe, function, release())
        self._task = self._ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(prepare_here)
        self._connected = False

    async def prepared(self, jobs: Iterator[Job]) -> AsyncGenerator[Prepared, None]:
        """As `Engine.prepared`. `jobs` is advanced on the event loop's thread; without any, Ray is not needed.

        Ended early, it kills what its tasks are at. Raises `RagError` when there is no cluster, or its nodes cannot run
        Plumbline, and what `jobs` raises.
        """
        first = next(jobs, None)
        if first is None:
            return
        if not self._connected:
            await asyncio.to_thread(connect, self._recipe.loading)
            self._connected = True
        line = Line(chain([first], jobs), ahead_jobs=AHEAD_JOBS)
        lanes: list[asyncio.Task[None]] = []
        growth = asyncio.create_task(self._grow(lanes, line))
        try:
            while (result := await line.next()) is not None:
                yield unpacked(result) if isinstance(result, bytes) else result
        finally:
            growth.cancel()
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(growth, *lanes, return_exceptions=True)

    async def close(self) -> None:
        """Leave the cluster, unless the program had joined it by itself; closing twice is allowed."""
        if self._connected:
            self._connected = False
            await asyncio.to_thread(disconnect)

    async def _grow(self, lanes: list[asyncio.Task[None]], line: Line) -> None:
        """Open lanes for the cores there are, and for those of nodes that join later."""
        try:
            while True:
                missing = self._lanes_wanted() - len(lanes)
                lanes.extend(asyncio.create_task(self._lane(line)) for _ in range(missing))
                await asyncio.sleep(GROW_SECONDS)
        except Exception as error:  # noqa: BLE001 (raised again where the results are awaited)
            line.fail(error)

    def _lanes_wanted(self) -> int:
        # Not in a thread, though it asks the cluster: it may outlive us there, and Ray then connects again by itself.
        cores = int(self._ray.cluster_resources().get("CPU", 0))
        return self._recipe.loading.workers or LANES_PER_CORE * max(cores, 1)

    async def _lane(self, line: Line) -> None:
        """One task at a time."""
        try:
            while batch := await line.take():
                await self._work(batch, line)
        except Exception as error:  # noqa: BLE001 (raised again where the results are awaited)
            line.fail(error)

    async def _work(self, batch: Batch, line: Line) -> None:
        """Have every job of `batch` answered; where Ray gives up, its jobs are tried one by one."""
        try:
            delivery = await self._delivery(batch)
        except self._ray.exceptions.RayTaskError as error:
            raise _not_prepared(error) from error
        except self._ray.exceptions.RayError as error:
            if len(batch) > 1:
                for each in batch:
                    await self._work([each], line)
                return
            place, job = batch[0]
            line.give(place, Prepared(job.item, error=_given_up(error)))
            return
        for number, ((place, job), result) in enumerate(zip(batch, delivery.results, strict=True)):
            is_unshared = number in delivery.unseen and not await asyncio.to_thread(is_unseen, job)
            line.give(place, _unshared(job, delivery.node) if is_unshared else result)

    async def _delivery(self, batch: Batch) -> Delivery:
        reference = self._task.remote(self._order, [job for _, job in batch])
        try:
            delivery: Delivery = await reference
        except asyncio.CancelledError:
            self._ray.cancel(reference, force=True)
            raise
        return delivery


def _unshared(job: Job, node: str) -> Prepared:
    reason = (
        f"the Ray node {node} has no file {job.item.source}, and this machine has it. "
        "Put files where every node finds them under the same path (a shared file system), or ingest URLs."
    )
    return Prepared(job.item, error=reason)


def _given_up(error: Exception) -> str:
    kind = type(error).__name__
    return f"what was reading it on the Ray cluster died, {RETRIES + 1} times ({kind})."


def _not_prepared(error: Any) -> RagError:
    """A task that raises, which one that merely meets a bad file never does: its node is not fit for the work."""
    cause = error.cause
    if isinstance(cause, RagError):
        return cause
    last = str(cause if cause is not None else error).strip().rpartition("\n")[2]
    return RagError(
        f"The Ray cluster cannot prepare files: {type(cause).__name__}: {last}",
        hint="Every node needs the same Python, Plumbline and extras as this process.",
    )
