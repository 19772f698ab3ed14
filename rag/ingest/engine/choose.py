"""Which engine for which work."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import PurePath

from rag.ingest.engine.inline import InlineEngine
from rag.ingest.engine.line import weight
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.prepare import Engine, Job, Recipe

INLINE_JOBS = 256
INLINE_BYTES = 2 * 2**20
"""A worker takes about .4 s to start; in that time one core reads and cuts some 500 small texts, or 2.5 MB."""

PLAIN_SUFFIXES = frozenset((".csv", ".json", ".jsonl", ".log", ".markdown", ".md", ".rst", ".text", ".tsv", ".txt"))
"""Formats whose reading takes time in proportion to their size and runs no code but Python's and ours."""


def engine_for(recipe: Recipe, jobs: Iterator[Job], *, workers: int = 0) -> tuple[Engine, Iterator[Job]]:
    """The engine for `jobs`, and the jobs: looked at are as many as decide it.

    Little work in plain formats is done in this process; everything else in workers, where a parser that hangs or
    crashes is contained. `workers` as of `WorkerEngine`. With `loading.engine` "ray" it is the cluster, however little
    there is; raises `MissingExtraError`.
    """
    if recipe.loading.engine == "ray":
        from rag.ingest.engine.ray_cluster import RayEngine

        return RayEngine(recipe), jobs
    seen: list[Job] = []
    size = 0
    for job in jobs:
        seen.append(job)
        size += weight(job)
        if len(seen) > INLINE_JOBS or size > INLINE_BYTES or not _is_plain(job):
            return WorkerEngine(recipe, workers), chain(seen, jobs)
    return InlineEngine(recipe), iter(seen)


def _is_plain(job: Job) -> bool:
    item = job.item
    return item.document is not None or (
        "://" not in item.path and PurePath(item.name).suffix.lower() in PLAIN_SUFFIXES
    )
