"""What runs on a node of a Ray cluster: jobs in, results out, read by a worker process as on one machine.

That worker is a child of Ray's own: a parser that hangs, crashes or eats memory there costs one file its reading, with
the same error as on one machine, and Ray sees nothing of it. It ends with its parent, however that ends.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from plumbline.aio import LoopThread
from rag.errors import RagError
from rag.ingest.engine.line import Result
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.prepare import Job, Recipe


@dataclass(frozen=True, slots=True)
class Order:
    """What all jobs of a run have in common: the recipe, the function that follows it, and whose order it is."""

    recipe: Recipe
    function: str
    release: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A result for each job, in order; `unseen` are the places of those whose file does not exist on `node`."""

    node: str
    results: list[Result]
    unseen: frozenset[int]


def release() -> str:
    """What has to be the same on all nodes, lest they read or cut otherwise."""
    return version("plumbline")


def prepare_here(order: Order, jobs: Sequence[Job]) -> Delivery:
    """Prepare `jobs` on this node. Raises `RagError` when no worker can be started, or the node has another release."""
    node = platform.node()
    if order.release != release():
        raise RagError(f"The node {node} has Plumbline {release()}, and this process {order.release}.")
    unseen = frozenset(place for place, job in enumerate(jobs) if is_unseen(job))
    return Delivery(node, _reader(order).read(jobs), unseen)


class Reader:
    """A worker process for the tasks that Ray gives to one process of its own, one after the other."""

    def __init__(self, order: Order) -> None:
        self._loop = LoopThread()
        self._engine = WorkerEngine(order.recipe, 1, function=order.function)

    def read(self, jobs: Sequence[Job]) -> list[Result]:
        """A result for each job, in order. Raises `RagError` when no worker can be started."""
        return self._loop.run(self._read(jobs))

    async def _read(self, jobs: Sequence[Job]) -> list[Result]:
        async with aclosing(self._engine.results(iter(jobs))) as results:
            return [each async for each in results]


@cache
def _reader(order: Order) -> Reader:
    """One for all tasks with this order: starting a worker takes longer than reading most batches."""
    return Reader(order)


def is_unseen(job: Job) -> bool:
    """Whether the job's file does not exist on this machine."""
    item = job.item
    if item.document is not None or "://" in item.path:
        return False
    try:
        return not Path(item.path).exists()
    except OSError:
        return False  # it is there and cannot be looked at: reading it will say why
