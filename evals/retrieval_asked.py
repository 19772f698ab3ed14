"""Labelled questions with what both sides of a knowledge base find for them: what a fusion is learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.dataset import Example
from evals.metrics.contract import Metric
from evals.outcome import Outcome
from evals.retrieval_learning import Asked
from rag import RAG
from rag.index.store import Found, Ranking, Search
from rag.types import Hit
from routing.chat import Tags

if TYPE_CHECKING:
    from rag.index.live import Live
    from rag.index.store import Vector


class Searched:
    """Searches an open knowledge base, and remembers each chunk found and its vector: `vectors`, by id."""

    def __init__(self, kb: RAG, live: Live, metric: Metric) -> None:
        self._parts = kb.parts
        self._live = live
        self._metric = metric
        self._hits: dict[str, Hit] = {}
        self.vectors: dict[str, Vector] = {}

    async def ask(self, example: Example) -> Asked:
        """Search both sides for a question and say which of what they found is relevant."""
        vector = (await self._parts.embedder.queries([example.question], Tags("eval")))[0]
        candidates = self._parts.settings.retrieval.candidates
        search = Search(candidates, vector, example.question, complete=True)
        found = await self._known(await self._live.store.search(search))
        ids = dict.fromkeys(id_ for ranking in (found.lexical, found.dense) for id_, _ in ranking)
        gains = {id_: gain for id_ in ids if (gain := gain_of(example, self._hits[id_])) > 0}

        def score(ranking: Ranking) -> float:
            hits = tuple(self._hits[id_] for id_, _ in ranking)
            return self._metric.score(example, Outcome(None, hits)) or 0.0

        return Asked(found, gains, score, example.cluster)

    async def _known(self, found: Found) -> Found:
        """What was found, without chunks that are on their way out; reads chunks and vectors not read before."""
        new = [id_ for ranking in (found.lexical, found.dense) for id_, _ in ranking if id_ not in self._hits]
        new = list(dict.fromkeys(new))
        chunks = self._parts.catalogue.chunks(new, generation=self._live.generation)
        self._hits |= {id_: Hit(chunk, name, 0.0) for id_, (chunk, name) in chunks.items()}
        self.vectors |= {point.id: point.vector for point in await self._live.store.get(new)}
        dense, lexical = ([pair for pair in side if pair[0] in self._hits] for side in (found.dense, found.lexical))
        return Found(dense, lexical)


def gain_of(example: Example, hit: Hit) -> float:
    """How relevant a chunk is: the share of the gold spans in it; without spans 1 on a labelled page; without these the
    grade of its document."""
    chunk = hit.chunk
    if example.spans:
        total = sum(span.end - span.start for span in example.spans)
        shared = sum(
            max(0, min(span.end, chunk.end) - max(span.start, chunk.start))
            for span in example.spans
            if span.document == hit.document
        )
        return shared / total if total else 0.0
    if example.pages:
        return float((hit.document, chunk.page) in example.pages)
    return float(max(0, (example.grades or dict.fromkeys(example.documents, 1)).get(hit.document, 0)))
