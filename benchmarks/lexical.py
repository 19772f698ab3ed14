"""How fast the lexical index is read, built, searched and changed, and that it agrees with rank-bm25.

    python benchmarks/lexical.py [--chunks 10000 100000 1000000] [--data FOLDER]

Times are CPU time of one thread, k = 100. Queries are 6 to 12 words of a chunk; the first time a word is asked after a
change its postings are prepared, so each query is timed twice. Beside it, where they are installed: bm25s, by numpy and
numba, and tantivy, on the same words. `--data` is a folder with SciFact, whose text is read and built of.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rank_bm25 import BM25Okapi

from benchmarks._retrieval_data import scifact
from benchmarks._zipf_corpus import Corpus, corpus
from rag.index.lexical import LexicalIndex
from rag.index.lexical.fields import FieldReader
from rag.index.settings import LexicalSettings
from rag.index.store import Point

K = 100
SELECTIVITIES = (0.5, 0.05, 0.001)
CHUNK_WORDS = 120
PEERS_UP_TO = 100_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    if arguments.data is not None:
        build(arguments.data)
    agree()
    for chunks in arguments.chunks:
        made = corpus(chunks)
        print(f"\n{chunks:,} chunks")
        search(made)
        if chunks <= PEERS_UP_TO:
            peers(made)


def build(data: Path) -> None:
    """Chunks a second, reading included, of text as it is written."""
    found = scifact(data)
    if found is None:
        return
    words = " ".join(found.passages).split()
    texts = [" ".join(words[at : at + CHUNK_WORDS]) for at in range(0, len(words), CHUNK_WORDS)]
    points = [Point(str(number), np.empty(0, np.float32), text) for number, text in enumerate(texts)]
    reader = FieldReader(LexicalSettings())
    started = time.process_time()
    read = [reader.weighted(point) for point in points]
    reading = time.process_time() - started
    index = LexicalIndex()
    for at in range(0, len(read), 2000):
        index.append(read[at : at + 2000])
    index.search(["protein"], K)
    whole = time.process_time() - started
    print(f"{len(points):,} chunks of {CHUNK_WORDS} words: read {len(points) / reading:,.0f} a second, ", end="")
    print(f"read and built {len(points) / whole:,.0f}")


def agree() -> None:
    """The largest relative difference to rank-bm25."""
    made = corpus(3000, queries=50, seed=1)
    texts = list(made.texts())
    theirs, ours = BM25Okapi(texts), LexicalIndex(texts, k1=1.5, idf="okapi")
    worst = 0.0
    for query in made.queries:
        expected, scores = theirs.get_scores(query), ours.scores(query)
        held = expected != 0
        worst = max(worst, float(np.max(np.abs(scores[held] / expected[held] - 1))), float(np.max(scores[~held])))
    print(f"largest relative difference to rank-bm25: {worst:.1e}")


def search(made: Corpus) -> None:
    """Queries, filters and changes."""
    started = time.process_time()
    index = LexicalIndex.from_arrays(made.arrays())
    print(f"  made from words in {time.process_time() - started:.1f} s")
    cold = timed(partial(index.search, k=K), made.queries)
    warm = timed(partial(index.search, k=K), made.queries)
    print(f"  query                ms p50 {cold[0]:7.3f} p90 {cold[1]:7.3f} the first time")
    print(f"                       ms p50 {warm[0]:7.3f} p90 {warm[1]:7.3f} again")
    rng = np.random.default_rng(2)
    for share in SELECTIVITIES:
        mask = rng.random(len(index)) < share
        p50, p90 = timed(partial(index.search, k=K, mask=mask), made.queries)
        print(f"  filter {share:7.1%}       ms p50 {p50:7.3f} p90 {p90:7.3f}")
    added = list(corpus(20, queries=0, seed=3).texts())
    changes = []
    for at, query in enumerate(made.queries[:20]):
        started = time.process_time()
        index.append(added)
        index.remove([at])
        index.search(query, K)
        changes.append(time.process_time() - started)
    print(f"  20 added, 1 removed, searched: ms p50 {1000 * float(np.median(changes)):.1f}")


def peers(made: Corpus) -> None:
    """The same queries with other libraries, where they are installed."""
    texts = list(made.texts())
    if (bm25s := optional("bm25s")) is not None:
        for backend in ("numpy", "numba"):
            if backend == "numba" and optional("numba") is None:
                continue
            index = bm25s.BM25(k1=1.2, b=0.75, method="lucene", backend=backend)
            index.index(texts, show_progress=False)
            ask = _bm25s(index)
            timed(ask, made.queries)  # what is compiled is compiled now
            p50, p90 = timed(ask, made.queries)
            print(f"  bm25s, {backend}         ms p50 {p50:7.3f} p90 {p90:7.3f}")
    if (tantivy := optional("tantivy")) is not None:
        ask = _tantivy(tantivy, texts)
        p50, p90 = timed(ask, made.queries)
        print(f"  tantivy              ms p50 {p50:7.3f} p90 {p90:7.3f}")


def _bm25s(index: Any) -> Callable[[Sequence[str]], object]:
    return lambda query: index.retrieve([list(query)], k=K, show_progress=False, n_threads=0)


def _tantivy(tantivy: Any, texts: Sequence[Sequence[str]]) -> Callable[[Sequence[str]], object]:
    schema = tantivy.SchemaBuilder()
    schema.add_text_field("text", stored=False, tokenizer_name="whitespace")
    index = tantivy.Index(schema.build())
    writer = index.writer(num_threads=1)
    for text in texts:
        writer.add_document(tantivy.Document(text=" ".join(text)))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    return lambda query: searcher.search(index.parse_query(" ".join(query), ["text"]), K)


def timed(ask: Callable[[Sequence[str]], object], queries: Sequence[Sequence[str]]) -> tuple[float, float]:
    """CPU milliseconds of a query, median and 90th percentile."""
    found = []
    for query in queries:
        started = time.process_time()
        ask(query)
        found.append(1000 * (time.process_time() - started))
    return float(np.median(found)), float(np.percentile(found, 90))


def optional(name: str) -> Any:
    """A module, `None` where it is not installed, or not whole."""
    try:
        return importlib.import_module(name)
    except (ImportError, AttributeError):
        return None


if __name__ == "__main__":
    main()
