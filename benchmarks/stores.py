"""The embedded store from ten thousand points to a million: building, memory, time per search, recall under filters.

    python -m benchmarks.stores [--count 10000] [--vectors FILE.npy] [--peers PYTHON] [--json FILE]

One thread. Building and searching are processes of their own, so that memory is that of each. Times are CPU
milliseconds, medians over the questions, of whole calls of `EmbeddedStore.search`; recall@10 is the share of the ten
nearest, by an exact search, that the default search finds. Beside it in the same run: float32 vectors in numpy, with
the same filters as masks, and with `--peers` whatever of bm25s, faiss and usearch that Python can import.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._store_data import Question, StoreData
from plumbline.database import open_database
from rag.index.components import catalogue_component, embedded_store_component
from rag.index.embedded import EmbeddedStore
from rag.index.filters import Eq, Filter, Range
from rag.index.store import Found, Search

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

K = 10
QUESTIONS = 200
EXACT_QUESTIONS = 40
FILTERS: dict[str, Filter | None] = {
    "100 %": None,
    "50 %": Range("bucket", lt=500),
    "5 %": Range("bucket", lt=50),
    "0.1 %": Eq("bucket", 0),
}


def megabytes(name: str) -> float:
    """Memory of this process: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def open_store(folder: Path, dim: int) -> EmbeddedStore:
    """The store in a folder."""
    file = folder / "knowledge.db"
    engine = open_database(file, [catalogue_component(), embedded_store_component()])
    return EmbeddedStore(engine, file, dim=dim)


async def build(data: StoreData, folder: Path) -> dict[str, float]:
    """Put every point and compact; CPU seconds of each step, without making the points."""
    store = open_store(folder, data.dim)
    writing = 0.0
    for batch in data.batches():
        began = time.process_time()
        await store.upsert(batch)
        writing += time.process_time() - began
    began = time.process_time()
    await store.compact()
    indexing = time.process_time() - began
    size = sum(file.stat().st_size for file in (folder / "index").iterdir()) / 1e6
    return {
        "write_seconds": writing,
        "index_seconds": indexing,
        "chunks_per_second": data.count / (writing + indexing),
        "peak_mb": megabytes("VmHWM"),
        "index_file_mb": size,
    }


async def search(data: StoreData, folder: Path) -> dict[str, Any]:
    """Open and search; times by side and filter, recall by filter."""
    began, cpu = time.perf_counter(), time.process_time()
    store = open_store(folder, data.dim)
    count = await store.count()
    report: dict[str, Any] = {"count": count, "open_seconds": time.perf_counter() - began}
    report |= {"open_cpu_seconds": time.process_time() - cpu, "opened_mb": megabytes("VmRSS")}
    questions = data.questions(QUESTIONS)
    for name, condition in FILTERS.items():
        sides = {
            "dense": [Search(K, q.vector, None, condition) for q in questions],
            "lexical": [Search(K, None, q.text, condition) for q in questions],
            "hybrid": [Search(K, q.vector, q.text, condition) for q in questions],
        }
        times = {side: await timed(store.search, searches) for side, searches in sides.items()}
        report[name] = {**times, "recall": await recall(store, questions[:EXACT_QUESTIONS], condition)}
    return report | {"searched_mb": megabytes("VmRSS"), "peak_mb": megabytes("VmHWM")}


async def timed(ask: Callable[[Search], Awaitable[Found]], searches: list[Search]) -> float:
    """Median CPU milliseconds, after one round that is not counted."""
    took = []
    for counted in (False, True):
        for each in searches:
            began = time.process_time()
            await ask(each)
            if counted:
                took.append(time.process_time() - began)
    return statistics.median(took) * 1e3


async def recall(store: EmbeddedStore, questions: list[Question], condition: Filter | None) -> float:
    """The share of the nearest that is found."""
    found = wanted = 0
    for question in questions:
        exact = await store.search(Search(K, question.vector, None, condition, exact=True))
        default = await store.search(Search(K, question.vector, None, condition))
        wanted += len(exact.dense)
        found += len({name for name, _ in exact.dense} & {name for name, _ in default.dense})
    return found / wanted


async def baseline(data: StoreData, folder: Path) -> dict[str, float]:
    """Median CPU milliseconds of float32 vectors in numpy, by filter."""
    del folder
    matrix = data.matrix()
    buckets = np.array([point.payload["bucket"] for batch in data.batches() for point in batch])
    masks = {"100 %": None, "50 %": buckets < 500, "5 %": buckets < 50, "0.1 %": buckets == 0}
    return {name: numpy_ms(matrix, mask, data.questions(QUESTIONS // 4)) for name, mask in masks.items()}


def numpy_ms(matrix: np.ndarray, mask: np.ndarray | None, questions: list[Question]) -> float:
    """Median CPU milliseconds of multiplying, masking and taking the best."""
    took = []
    for question in questions:
        began = time.process_time()
        scores = matrix @ question.vector
        if mask is not None:
            scores[~mask] = -np.inf
        best = np.argpartition(-scores, K)[:K]
        best = best[np.argsort(-scores[best])]
        took.append(time.process_time() - began)
    return statistics.median(took) * 1e3


STEPS = {"build": build, "search": search, "numpy": baseline}


def peers(data: StoreData, python: str, folder: Path) -> dict[str, Any]:
    """What the peers that another Python has make of the same points."""
    np.save(folder / "vectors.npy", data.matrix())
    questions = data.questions(QUESTIONS)
    np.save(folder / "questions.npy", np.stack([question.vector for question in questions]))
    (folder / "questions.txt").write_text("\n".join(question.text for question in questions))
    with (folder / "texts.txt").open("w") as file:
        for batch in data.batches():
            file.writelines(f"{point.text}\n" for point in batch)
    script = Path(__file__).with_name("_store_peers.py")
    env = {**os.environ, **THREADS}
    done = subprocess.run([python, str(script), str(folder)], check=True, capture_output=True, text=True, env=env)
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # an object, as the script prints it


def step(name: str, data: StoreData, folder: Path, vectors: str | None) -> dict[str, Any]:
    """Run a step as a process of its own."""
    arguments = ["--step", name, "--count", str(data.count), "--dim", str(data.dim), "--folder", str(folder)]
    command = [sys.executable, "-m", "benchmarks.stores", *arguments, *(["--vectors", vectors] if vectors else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **THREADS})
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # an object, as the step prints it


def measure(data: StoreData, vectors: str | None = None, python: str | None = None) -> dict[str, Any]:
    """Everything, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = {name: step(name, data, folder, vectors) for name in STEPS}
        if python:
            report["peers"] = peers(data, python, folder)
    return report


def show(count: int, report: dict[str, Any]) -> None:
    """Print a report for people."""
    built, searched = report["build"], report["search"]
    steps = f"written in {built['write_seconds']:.1f} CPU s, indexed in {built['index_seconds']:.1f}"
    print(f"{count:,} points: {steps}, {built['chunks_per_second']:,.0f} a second")
    print(f"building took {built['peak_mb']:,.0f} MB at most; the file has {built['index_file_mb']:,.0f} MB")
    print(f"opened in {searched['open_seconds']:.2f} s ({searched['open_cpu_seconds']:.2f} CPU); ", end="")
    print(f"{searched['opened_mb']:,.0f} MB then, {searched['searched_mb']:,.0f} MB after all searches")
    print(f"{'matching':>9} {'dense':>8} {'lexical':>8} {'hybrid':>8} {'recall@10':>10} {'numpy':>8}   (CPU ms, p50)")
    for name in FILTERS:
        row = searched[name]
        times = " ".join(f"{row[side]:8.3f}" for side in ("dense", "lexical", "hybrid"))
        print(f"{name:>9} {times} {row['recall']:10.4f} {report['numpy'][name]:8.3f}")
    for name, peer in report.get("peers", {}).items():
        print(f"{name}: " + ", ".join(f"{key} {value:,.3f}" for key, value in peer.items()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--vectors", help="a .npy file of unit vectors to take, float32[count + 200, dim]")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has bm25s, faiss-cpu or usearch")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    vectors = None if options.vectors is None else np.load(options.vectors, mmap_mode="r")
    data = StoreData(options.count, options.dim if vectors is None else vectors.shape[1], vectors=vectors)
    if options.step:
        print(json.dumps(asyncio.run(STEPS[options.step](data, options.folder))))
        return
    report = measure(data, options.vectors, options.peers)
    show(options.count, report)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
