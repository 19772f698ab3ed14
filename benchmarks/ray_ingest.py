"""Measures what a Ray cluster costs and brings: files and MB prepared a second, beside the engine of one machine.

    python -m benchmarks.ray_ingest [--data FOLDER] [--files 4000] [--rounds 3] [--nodes 1 2] [--cpus 1] [--slow 8]

Needs the extra `ray`. Prepared (read and cut, nothing is embedded or stored) are the files of `--data`, by default
examples/corpus, again and again up to `--files`, on clusters of `--nodes` nodes with `--cpus` cores each, started on
this machine, beside as many worker processes without Ray; on the largest cluster also through Ray Data in windows of
1,024 files. The engines beside each other take turns in every round; printed are the median, and the seconds of a
first run, which starts processes. Every result is compared with the first engine's. On one machine the nodes share its
cores, so that the table shows the overhead and not the speed of a cluster. The second table takes the time of the
files alone, which are not even read, when one of them takes `--slow` seconds.
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

from benchmarks._ray_data import SLOWLY, RayDataEngine
from plumbline.aio import LoopThread
from rag.ingest.engine.ray_cluster import RayEngine
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.item import Item
from rag.ingest.prepare import Engine, Job, Prepared, Recipe
from rag.ingest.settings import ChunkingSettings, LoadingSettings
from rag.ingest.source.folder import FolderSource

CORPUS = Path(__file__).parents[1] / "examples" / "corpus"
LOOP = LoopThread()
SLOW_FILES = 6000
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
    parser.add_argument("--slow", type=float, default=8, help="seconds that one file takes in the second table")
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    jobs = list(islice(cycle(jobs_of(arguments.data)), arguments.files))
    megabytes = sum(job.item.size or 0 for job in jobs) / MEGABYTE
    recipe = Recipe(LoadingSettings(), ChunkingSettings())
    print(f"{len(jobs)} files, {megabytes:.1f} MB; files/s and MB/s, median of {arguments.rounds} rounds")
    print(f"{'':20}{'files/s':>9}{'MB/s':>8}{'first s':>9}")
    expected: list[object] = []
    for nodes in arguments.nodes:
        with cluster(nodes, arguments.cpus):
            workers = nodes * arguments.cpus
            engines: dict[str, Engine] = {f"local, {workers} workers": WorkerEngine(recipe, workers)}
            engines[f"Ray, {nodes} nodes"] = RayEngine(recipe)
            if nodes == max(arguments.nodes):
                engines[f"Ray Data, {nodes} nodes"] = RayDataEngine(recipe)
            expected = report(engines, jobs, expected, arguments.rounds)
            if nodes == max(arguments.nodes):
                report_slow(recipe, nodes, arguments.slow)


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


def report(engines: dict[str, Engine], jobs: Sequence[Job], expected: list[object], rounds: int) -> list[object]:
    """A line for each engine, all measured in turns after one warm-up each; returns what they gave, all the same."""
    megabytes = sum(job.item.size or 0 for job in jobs) / MEGABYTE
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds + 1):
        for name, engine in engines.items():
            results, seconds = LOOP.run(timed(engine, jobs))
            expected = expected or results
            if results != expected:
                raise SystemExit(f"{name} gives other results.")
            taken[name].append(seconds)
    for name, engine in engines.items():
        LOOP.run(engine.close())
        first, *others = taken[name]
        seconds = statistics.median(others)
        print(f"{name:20}{len(jobs) / seconds:9,.0f}{megabytes / seconds:8.2f}{first:9.1f}", flush=True)
    return expected


def report_slow(recipe: Recipe, nodes: int, slow: float) -> None:
    """A line for each way through Ray: how long it takes when one file, early on, takes `slow` seconds."""
    names = [f"{slow:g} s" if number == 100 else f"{number}" for number in range(SLOW_FILES)]
    jobs = [Job(Item(name, name, f"https://localhost/{name}", 100, "")) for name in names]
    print(f"\n{SLOW_FILES} files without any work, and one of them of {slow:g} s: seconds in all")
    engines: dict[str, Engine] = {
        f"Ray, {nodes} nodes": RayEngine(recipe, function=SLOWLY),
        f"Ray Data, {nodes} nodes": RayDataEngine(recipe, function=SLOWLY),
    }
    for name, engine in engines.items():
        LOOP.run(timed(engine, jobs[:64]))
        _, seconds = LOOP.run(timed(engine, jobs))
        print(f"{name:20}{seconds:9.1f}", flush=True)
        LOOP.run(engine.close())


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
