"""Measures what a Ray cluster costs and brings: files and MB prepared a second, beside the engine of one machine.

    python -m benchmarks.ray_ingest [--data FOLDER] [--files 4000] [--rounds 3] [--nodes 1 2] [--cpus 1]

Needs the extra `ray`. Prepared (read and cut, nothing is embedded or stored) are the files of `--data`, by default
examples/corpus, again and again up to `--files`: with as many worker processes as one node has cores, then on clusters
of `--nodes` nodes with `--cpus` cores each, started on this machine; and on the largest through Ray Data in windows of
1,024 files. All engines take turns in every round; the median is printed, and every result is compared with the first
engine's. On one machine the nodes share its cores, so that the table shows the overhead and not the speed of a cluster.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks._ray_data import RayDataEngine
from plumbline.aio import LoopThread
from rag.ingest.engine.ray_cluster import RayEngine
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.item import Item
from rag.ingest.prepare import Engine, Job, Prepared, Recipe
from rag.ingest.settings import ChunkingSettings, LoadingSettings
from rag.ingest.source.folder import FolderSource

CORPUS = Path(__file__).parents[1] / "examples" / "corpus"
LOOP = LoopThread()
MEGABYTE = 1e6
OBJECT_STORE_BYTES = 256 * 2**20


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=CORPUS, help="a folder of files")
    parser.add_argument("--files", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2], help="sizes of the clusters")
    parser.add_argument("--cpus", type=int, default=1, help="cores of a node")
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    jobs = list(islice(cycle(jobs_of(arguments.data)), arguments.files))
    megabytes = sum(job.item.size or 0 for job in jobs) / MEGABYTE
    recipe = Recipe(LoadingSettings(), ChunkingSettings())
    print(f"{len(jobs)} files, {megabytes:.1f} MB; files/s and MB/s, median of {arguments.rounds} rounds")
    local = {f"local, {arguments.cpus} workers": WorkerEngine(recipe, arguments.cpus)}
    expected, _ = LOOP.run(timed(next(iter(local.values())), jobs))
    report("engine", local, jobs, expected, arguments.rounds)
    for nodes in arguments.nodes:
        with cluster(nodes, arguments.cpus):
            engines: dict[str, Engine] = {f"Ray, {nodes} nodes": RayEngine(recipe)}
            if nodes == max(arguments.nodes):
                engines[f"Ray Data, {nodes} nodes"] = RayDataEngine(recipe)
                engines[f"local, {nodes * arguments.cpus} workers"] = WorkerEngine(recipe, nodes * arguments.cpus)
            report("", engines, jobs, expected, arguments.rounds)


def jobs_of(folder: Path) -> list[Job]:
    """A job for every file that can be read."""
    jobs = [Job(each) for each in FolderSource(folder).items() if isinstance(each, Item)]
    if not jobs:
        raise SystemExit(f"There is nothing to read in {folder}.")
    return jobs


@contextmanager
def cluster(nodes: int, cpus: int) -> Iterator[None]:
    """A cluster on this machine, and this process connected to it."""
    import ray
    from ray.cluster_utils import Cluster

    options = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES}
    made = Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            made.add_node(**options)
        ray.init(address=made.address, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        made.shutdown()


def report(title: str, engines: dict[str, Any], jobs: Sequence[Job], expected: Sequence[object], rounds: int) -> None:
    """A line for each engine, all measured in turns after one warm-up each."""
    megabytes = sum(job.item.size or 0 for job in jobs) / MEGABYTE
    taken: dict[str, list[float]] = {name: [] for name in engines}
    first: dict[str, float] = {}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            results, seconds = LOOP.run(timed(engine, jobs))
            if results != expected:
                raise SystemExit(f"{name} gives other results.")
            if number:
                taken[name].append(seconds)
            else:
                first[name] = seconds
    if title:
        print(f"{title:24}{'files/s':>9}{'MB/s':>8}{'first s':>9}")
    for name, engine in engines.items():
        LOOP.run(engine.close())
        seconds = statistics.median(taken[name])
        print(f"{name:24}{len(jobs) / seconds:9,.0f}{megabytes / seconds:8.2f}{first[name]:9.1f}", flush=True)


async def timed(engine: Engine, jobs: Sequence[Job]) -> tuple[list[object], float]:
    """What came of each job, without times, and the seconds it took."""
    started = time.perf_counter()
    results = [seen(each) async for each in engine.prepared(iter(jobs))]
    return results, time.perf_counter() - started


def seen(result: Prepared) -> object:
    """What must be equal; the hash of everything in the cuts in place of the cuts."""
    return result.item.source, result.hash, hash(repr(result.cuts)), result.error


if __name__ == "__main__":
    main()
