"""Run by `benchmarks.stores` in the Python of the peers: their times on the same points, as JSON.

It imports nothing of ours. The folder holds vectors.npy and questions.npy, and texts.txt and questions.txt with one
text a line. Each peer answers alone on one thread; times are CPU milliseconds, medians after one round that does not
count. bm25s reads lower-case words without stopwords or stemming.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

K = 10


def timed(ask: Callable[[int], object], count: int) -> float:
    """Median CPU milliseconds of `ask(0)` to `ask(count - 1)`."""
    took = []
    for counted in (False, True):
        for number in range(count):
            began = time.process_time()
            ask(number)
            if counted:
                took.append(time.process_time() - began)
    return statistics.median(took) * 1e3


def recall(found: list[Any], nearest: np.ndarray) -> float:
    """The share of the nearest that was found."""
    pairs = zip(found, nearest, strict=True)
    return statistics.mean(len({int(row) for row in mine} & {int(row) for row in best}) / K for mine, best in pairs)


def flat(faiss: Any, vectors: np.ndarray) -> Any:
    """Exact float32."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def quantised(faiss: Any, vectors: np.ndarray) -> Any:
    """A byte a dimension, all compared."""
    index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:20_000])
    index.add(vectors)
    return index


def graph(faiss: Any, vectors: np.ndarray) -> Any:
    """A graph of float32 vectors."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 64
    index.add(vectors)
    return index


def ask_faiss(index: Any, asked: np.ndarray, number: int) -> object:
    """One search."""
    return index.search(asked[number : number + 1], K)


def with_faiss(vectors: np.ndarray, asked: np.ndarray, nearest: np.ndarray, *, build_graph: bool) -> dict[str, Any]:
    """faiss: flat, scalar-quantised and, where it is not too many to build, HNSW."""
    faiss = import_module("faiss")
    faiss.omp_set_num_threads(1)
    makers = {"faiss flat": flat, "faiss SQ8": quantised} | ({"faiss HNSW": graph} if build_graph else {})
    report = {}
    for name, make in makers.items():
        began = time.process_time()
        index = make(faiss, vectors)
        seconds = time.process_time() - began
        found = [index.search(query[None], K)[1][0] for query in asked]
        ms = timed(partial(ask_faiss, index, asked), len(asked))
        report[name] = {"ms": ms, "recall": recall(found, nearest), "build_seconds": seconds}
    return report


def with_usearch(vectors: np.ndarray, asked: np.ndarray, nearest: np.ndarray) -> dict[str, Any]:
    """USearch: HNSW of int8 vectors."""
    index = import_module("usearch.index").Index(ndim=vectors.shape[1], metric="cos", dtype="i8")
    began = time.process_time()
    index.add(np.arange(len(vectors)), vectors, threads=1)
    seconds = time.process_time() - began
    found = [index.search(query, K, threads=1).keys for query in asked]
    ms = timed(lambda number: index.search(asked[number], K, threads=1), len(asked))
    return {"usearch HNSW int8": {"ms": ms, "recall": recall(found, nearest), "build_seconds": seconds}}


def with_bm25s(texts: list[str], questions: list[str]) -> dict[str, Any]:
    """bm25s on its numpy backend."""
    bm25s = import_module("bm25s")
    began = time.process_time()
    index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    index.index(bm25s.tokenize(texts, stopwords=None, show_progress=False), show_progress=False)
    seconds = time.process_time() - began

    def ask(number: int) -> object:
        tokens = bm25s.tokenize([questions[number]], stopwords=None, show_progress=False, return_ids=False)
        return index.retrieve(tokens, k=K, show_progress=False, n_threads=0)

    return {"bm25s": {"ms": timed(ask, len(questions)), "build_seconds": seconds}}


def main() -> None:
    """Measure what can be imported."""
    folder = Path(sys.argv[1])
    vectors, asked = np.load(folder / "vectors.npy"), np.load(folder / "questions.npy")
    nearest = np.stack([np.argpartition(-(vectors @ query), K)[:K] for query in asked])
    report: dict[str, Any] = {}
    if find_spec("faiss"):
        report |= with_faiss(vectors, asked, nearest, build_graph=len(vectors) <= 20_000)
    if find_spec("usearch") and len(vectors) <= 20_000:
        report |= with_usearch(vectors, asked, nearest)
    if find_spec("bm25s"):
        texts = (folder / "texts.txt").read_text().splitlines()
        report |= with_bm25s(texts, (folder / "questions.txt").read_text().splitlines())
    print(json.dumps(report))


if __name__ == "__main__":
    main()
